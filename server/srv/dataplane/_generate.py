"""What Triton's "Generate Extension" makes of a model's responses. No I/O: messages in, messages out."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final, TypeVar

from srv_protocol.errors import InferenceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from srv.dataplane._dataplane import DataPlane
    from srv.dataplane._timeline import Timeline
    from srv_protocol.inference import Headers, ModelInferRequest, ModelInferResponse

_R = TypeVar("_R")
_NONE: Final = object()


async def generate(
    dataplane: DataPlane,
    request: ModelInferRequest,
    headers: Headers,
    times: Timeline,
    encode: Callable[[ModelInferResponse], _R],
) -> _R:
    """Return the one response to a request: that of ``predict``, or where there is none, of ``predict_stream``.

    Raises:
        InferenceError: ``predict_stream`` gave another number of responses; its work ends at the second.
        As :meth:`DataPlane.infer`.
    """
    if not dataplane.is_decoupled(request.model_name, request.model_version):
        return await dataplane.infer(request, headers, times, encode)
    async with aclosing(dataplane.infer_stream(request, headers, times, encode)) as responses:
        async for first in responses:
            if await anext(responses, _NONE) is _NONE:
                return first
            break
    raise InferenceError(
        "generate expects model to produce exactly 1 response, use generate stream for model that generates various "
        "number of responses"
    )

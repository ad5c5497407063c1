"""What Triton's "Generate Extension" makes of a model's responses. No I/O: messages in, messages out."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from srv_protocol.errors import InferenceError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from srv._dataplane import DataPlane
    from srv_protocol.inference import Headers, ModelInferRequest, ModelInferResponse


async def generate(dataplane: DataPlane, request: ModelInferRequest, headers: Headers) -> ModelInferResponse:
    """Return the one response to a request: that of ``predict``, or where there is none, of ``predict_stream``.

    Raises:
        InferenceError: ``predict_stream`` gave another number of responses; its work ends at the second.
        As :meth:`DataPlane.infer`.
    """
    if not dataplane.is_decoupled(request.model_name, request.model_version):
        return await dataplane.infer(request, headers)
    async with aclosing(generate_stream(dataplane, request, headers)) as responses:
        first = await anext(responses, None)
        if first is not None and await anext(responses, None) is None:
            return first
    raise InferenceError(
        "generate expects model to produce exactly 1 response, use generate stream for model that generates various "
        "number of responses"
    )


async def generate_stream(
    dataplane: DataPlane, request: ModelInferRequest, headers: Headers
) -> AsyncGenerator[ModelInferResponse]:
    """Yield the responses to one request, without those that only say that it was the last one.

    Raises:
        As :meth:`DataPlane.infer`.
    """
    async with aclosing(dataplane.infer_stream(request, headers)) as responses:
        async for response in responses:
            if response.outputs or response.parameters.get("triton_final_response") is not True:
                yield response

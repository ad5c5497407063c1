"""The routes of inference.

Source: "Inference Protocol - HTTP/REST"; Triton's "Binary Tensor Data Extension"; MLServer's ``infer_stream``.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from litestar import post
from litestar.response.base import ASGIResponse

from srv.dataplane._timeline import HTTP, Timeline
from srv.rest._body import BuffersResponse, read_body
from srv.rest._errors import AnyRequest
from srv.rest._inference import Inference
from srv.rest._requests import OK, json_event, path_model, request_headers
from srv.rest._sse import EventStream
from srv_codecs.rest import OutputForms

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

    from srv._backend import Backend


def inference_routes(backend: Backend) -> list[HTTPRouteHandler]:
    """Return the routes that call models.

    Most requests to the first never get here: :mod:`srv.rest._inference_cycle` has a shorter way to the same answer.
    """
    inference, limit = Inference(backend), backend.settings.max_request_size

    @post(
        ["/v2/models/{name:str}/infer", "/v2/models/{name:str}/versions/{version:str}/infer"],
        status_code=OK,
        summary="Inference: V2 JSON, with or without binary tensor data behind it",
    )
    async def infer(request: AnyRequest) -> ASGIResponse:
        times, headers = Timeline(HTTP), request_headers(request)
        body = await read_body(request, limit, headers.get("content-length"))
        times.mark_received()
        answer = await inference.answer(*path_model(request), headers, body, times)
        size = sum(map(len, answer.parts))
        return BuffersResponse(
            answer.parts, size=size, media_type=answer.media_type, headers=answer.headers, times=times
        )

    @post(
        ["/v2/models/{name:str}/infer_stream", "/v2/models/{name:str}/versions/{version:str}/infer_stream"],
        status_code=OK,
        summary="Inference with a stream of responses, as server-sent events of V2 JSON",
    )
    async def infer_stream(request: AnyRequest) -> EventStream:
        times, headers = Timeline(HTTP), request_headers(request)
        body = await read_body(request, limit, headers.get("content-length"))
        times.mark_received()
        message, forms = await inference.receive(*path_model(request), headers, body)
        encode = partial(
            json_event, forms=OutputForms(spans=forms.spans), nonfinite_as_null=inference.nonfinite_as_null
        )
        responses = backend.dataplane.infer_stream(message, headers, times, encode)
        return EventStream(responses, f"POST {request.url.path}")

    return [infer, infer_stream]

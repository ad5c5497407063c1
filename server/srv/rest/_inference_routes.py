"""The routes of inference.

Source: "Inference Protocol - HTTP/REST"; Triton's "Binary Tensor Data Extension"; MLServer's ``infer_stream``.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from litestar import post
from litestar.response.base import ASGIResponse

from srv.dataplane._timeline import HTTP, Timeline
from srv.rest._errors import AnyRequest
from srv.rest._requests import (
    OK,
    buffers_response,
    check_given,
    encode_answer,
    json_event,
    path_model,
    read_encoded_body,
    request_headers,
)
from srv.rest._sse import EventStream
from srv_codecs.rest import (
    HEADER_LENGTH,
    OutputForms,
    decode_raw_request,
    decode_request,
    parse_header_length,
)
from srv_protocol.inference import Headers, ModelInferRequest

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

    from srv._backend import Backend


def inference_routes(backend: Backend) -> list[HTTPRouteHandler]:
    """Return the routes that call models."""
    dataplane, settings = backend.dataplane, backend.settings
    limit = settings.max_request_size
    nonfinite_as_null = settings.json_nonfinite == "null"

    async def receive(request: AnyRequest, headers: Headers, times: Timeline) -> tuple[ModelInferRequest, OutputForms]:
        name, version = path_model(request)
        body = await read_encoded_body(request, headers, times, limit)
        header_length = headers.get(HEADER_LENGTH)
        check_given(body, header_length)
        if parse_header_length(header_length, len(body)) == 0:
            inputs, batched = dataplane.inputs(name, version)
            message, forms = decode_raw_request(body, inputs, name, batched=batched), OutputForms(default=True)
        else:
            message, forms = decode_request(body, header_length, model=name, regions=backend.shared_memory)
        message.model_name, message.model_version = name, version
        return message, forms

    @post(
        ["/v2/models/{name:str}/infer", "/v2/models/{name:str}/versions/{version:str}/infer"],
        status_code=OK,
        summary="Inference: V2 JSON, with or without binary tensor data behind it",
    )
    async def infer(request: AnyRequest) -> ASGIResponse:
        times, headers = Timeline(HTTP), request_headers(request)
        message, forms = await receive(request, headers, times)
        encode = partial(encode_answer, forms=forms, nonfinite_as_null=nonfinite_as_null)
        body, sent = await dataplane.infer(message, headers, times, encode)
        return await buffers_response(
            body.parts, body.content_type, sent, headers, times, gzip_enabled=settings.gzip_enabled
        )

    @post(
        ["/v2/models/{name:str}/infer_stream", "/v2/models/{name:str}/versions/{version:str}/infer_stream"],
        status_code=OK,
        summary="Inference with a stream of responses, as server-sent events of V2 JSON",
    )
    async def infer_stream(request: AnyRequest) -> EventStream:
        times, headers = Timeline(HTTP), request_headers(request)
        message, forms = await receive(request, headers, times)
        encode = partial(json_event, forms=OutputForms(spans=forms.spans), nonfinite_as_null=nonfinite_as_null)
        return EventStream(dataplane.infer_stream(message, headers, times, encode), f"POST {request.url.path}")

    return [infer, infer_stream]

"""The routes of language models.

Source: Triton's "Generate Extension"; MLServer's ``generate`` and ``generate_stream``, which take V2 requests.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from litestar import post
from litestar.response.base import ASGIResponse

from srv import _generate
from srv._headers import response_headers
from srv.rest._body import BuffersResponse, read_body
from srv.rest._errors import AnyRequest
from srv.rest._requests import OK, encode_json_response, path_model, request_headers
from srv.rest._sse import EventStream
from srv_codecs.compression import IDENTITY
from srv_codecs.generate import decode_generate, encode_generate, parse_generate
from srv_codecs.rest import decode_request
from srv_protocol.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar.handlers import HTTPRouteHandler

    from srv._backend import Backend
    from srv_protocol.inference import Headers, ModelInferRequest, ModelInferResponse


def generate_routes(backend: Backend) -> list[HTTPRouteHandler]:
    """Return the routes that call models with free-form JSON."""
    dataplane, settings = backend.dataplane, backend.settings
    nonfinite_as_null = settings.json_nonfinite == "null"

    async def receive(
        request: AnyRequest, headers: Headers
    ) -> tuple[ModelInferRequest, Callable[[ModelInferResponse], bytes]]:
        """Return the request, and what encodes its answers: they have its form."""
        if (headers.get("content-encoding") or IDENTITY).strip().lower() != IDENTITY:
            raise InvalidInput(f"Unsupported content-encoding, only '{IDENTITY}' is supported.")
        body = await read_body(request, settings.max_request_size, headers.get("content-length"))
        if not body:
            raise InvalidInput("the request body is empty; expected a JSON object")
        name, version = path_model(request)
        parsed = parse_generate(body)
        if parsed.is_inference_request:
            message, _ = decode_request(body)
        else:
            inputs, batched = dataplane.expected_inputs(name, version)
            message = decode_generate(parsed, inputs, batched=batched)
        message.model_name, message.model_version = name, version
        encode = encode_json_response if parsed.is_inference_request else encode_generate
        return message, partial(encode, nonfinite_as_null=nonfinite_as_null)

    @post(
        ["/v2/models/{name:str}/generate", "/v2/models/{name:str}/versions/{version:str}/generate"],
        status_code=OK,
        summary="Inference with free-form JSON, for language models",
    )
    async def generate(request: AnyRequest) -> ASGIResponse:
        headers = request_headers(request)
        message, encode = await receive(request, headers)
        response = await _generate.generate(dataplane, message, headers)
        sent = response_headers(response.parameters.headers, response.model_name)
        body = encode(response)
        return BuffersResponse([body], size=len(body), media_type="application/json", headers=sent)

    @post(
        ["/v2/models/{name:str}/generate_stream", "/v2/models/{name:str}/versions/{version:str}/generate_stream"],
        status_code=OK,
        summary="Inference with free-form JSON and a stream of responses, as server-sent events",
    )
    async def generate_stream(request: AnyRequest) -> EventStream:
        headers = request_headers(request)
        message, encode = await receive(request, headers)
        responses = _generate.generate_stream(dataplane, message, headers)
        return EventStream(responses, encode, f"POST {request.url.path}")

    return [generate, generate_stream]

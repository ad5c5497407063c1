"""The routes of language models.

Source: Triton's "Generate Extension"; MLServer's ``generate`` and ``generate_stream``, which take V2 requests.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from litestar import post
from litestar.response.base import ASGIResponse

from srv._headers import response_headers
from srv.dataplane import _generate
from srv.dataplane._timeline import HTTP, Timeline
from srv.rest._body import BuffersResponse
from srv.rest._errors import AnyRequest
from srv.rest._requests import OK, json_event, path_model, read_plain_body, request_headers
from srv.rest._sse import Event, EventStream
from srv_codecs.generate import decode_generate, encode_generate, parse_generate
from srv_codecs.rest import OutputForms, decode_request
from srv_protocol.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar.handlers import HTTPRouteHandler

    from srv._backend import Backend
    from srv_protocol.inference import ModelInferRequest, ModelInferResponse


def generate_routes(backend: Backend) -> list[HTTPRouteHandler]:
    """Return the routes that call models with free-form JSON."""
    dataplane, settings = backend.dataplane, backend.settings
    nonfinite_as_null = settings.json_nonfinite == "null"

    async def receive(
        request: AnyRequest, times: Timeline, *, stream: bool = False
    ) -> tuple[ModelInferRequest, Callable[[ModelInferResponse], Event]]:
        """Return the request, and what encodes its answers: they have its form."""
        body = await read_plain_body(request, settings.max_request_size)
        times.mark_received()
        if not body:
            raise InvalidInput("the request body is empty; expected a JSON object")
        name, version = path_model(request)
        parsed = parse_generate(body)
        if parsed.is_inference_request:
            message, forms = decode_request(body, model=name, regions=backend.shared_memory)
            encode = partial(json_event, forms=OutputForms(spans=forms.spans), nonfinite_as_null=nonfinite_as_null)
        else:
            inputs, batched = dataplane.expected_inputs(name, version, stream=stream)
            message = decode_generate(parsed, inputs, batched=batched)
            encode = partial(_free_form_event, nonfinite_as_null=nonfinite_as_null)
        message.model_name, message.model_version = name, version
        return message, encode

    @post(
        ["/v2/models/{name:str}/generate", "/v2/models/{name:str}/versions/{version:str}/generate"],
        status_code=OK,
        summary="Inference with free-form JSON, for language models",
    )
    async def generate(request: AnyRequest) -> ASGIResponse:
        times, headers = Timeline(HTTP), request_headers(request)
        message, encode = await receive(request, times)
        body, sent = await _generate.generate(dataplane, message, headers, times, encode)
        return BuffersResponse([body], size=len(body), media_type="application/json", headers=sent, times=times)

    @post(
        ["/v2/models/{name:str}/generate_stream", "/v2/models/{name:str}/versions/{version:str}/generate_stream"],
        status_code=OK,
        summary="Inference with free-form JSON and a stream of responses, as server-sent events",
    )
    async def generate_stream(request: AnyRequest) -> EventStream:
        times, headers = Timeline(HTTP), request_headers(request)
        message, encode = await receive(request, times, stream=True)
        return EventStream(dataplane.infer_stream(message, headers, times, encode), f"POST {request.url.path}")

    return [generate, generate_stream]


def _free_form_event(response: ModelInferResponse, *, nonfinite_as_null: bool) -> Event:
    sent = response_headers(response.parameters.headers, response.model_name)
    return Event(encode_generate(response, nonfinite_as_null=nonfinite_as_null), sent)

"""The routes of the V2 REST protocol.

Source: "Inference Protocol - HTTP/REST"; MLServer's ``infer_stream``; Triton's "Model Repository Extension".
Litestar's own body parsing stays out of it: media types say nothing here, and bodies are large.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
from litestar import Response, get, post
from litestar.response.base import ASGIResponse

from srv._headers import response_headers
from srv._offload import off_loop
from srv.rest._body import BuffersResponse, read_body
from srv.rest._errors import AnyRequest, error_response
from srv.rest._sse import EventStream
from srv_codecs.compression import IDENTITY, choose_encoding, compress, decompress
from srv_codecs.json import parse_json
from srv_codecs.rest import (
    HEADER_LENGTH,
    OutputForms,
    decode_raw_request,
    decode_request,
    encode_response,
    parse_header_length,
)
from srv_protocol.errors import InvalidInput
from srv_protocol.inference import Headers, ModelInferRequest, ModelInferResponse
from srv_protocol.inference_json import (
    ModelIndexView,
    ModelMetadataResponseView,
    RepositoryIndexRequestView,
    ServerMetadataResponseView,
)
from srv_protocol.model_config import ModelConfigView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from litestar.handlers import HTTPRouteHandler

    from srv._controlplane import ControlPlane
    from srv._dataplane import DataPlane
    from srv._settings import Settings

# POST's default status would be 201, which tritonclient takes for an error.
_OK: Final = 200
_JSON: Final = "application/json"
_index_decoder: Final = msgspec.json.Decoder(RepositoryIndexRequestView)


class _LoadRequest(msgspec.Struct):
    """The body of a load or unload request."""

    parameters: dict[str, object] | None = None


_load_decoder: Final = msgspec.json.Decoder(_LoadRequest)


def _json(content: object) -> Response[bytes]:
    return Response(msgspec.json.encode(content), media_type=_JSON)


def health_routes(dataplane: DataPlane) -> list[HTTPRouteHandler]:
    """Return the routes of health and metadata."""

    @get("/v2/health/live", summary="Whether the server lives")
    async def live() -> Response[bytes]:
        return _json({"live": dataplane.is_live(), "ready": dataplane.is_ready()})

    @get("/v2/health/ready", summary="Whether the server and all its models are ready")
    async def ready() -> Response[bytes]:
        if dataplane.is_ready():
            return _json({"live": True, "ready": True})
        return error_response(503, "the server is not ready", live=True, ready=False)

    @get("/v2", summary="Server metadata")
    async def server_metadata() -> Response[bytes]:
        return _json(ServerMetadataResponseView.from_message(dataplane.server_metadata()))

    @get("/v2/models", summary="The models that are ready")
    async def models() -> Response[bytes]:
        return _json({"models": dataplane.model_names()})

    @get(["/v2/models/{name:str}", "/v2/models/{name:str}/versions/{version:str}"], summary="Model metadata")
    async def model_metadata(request: AnyRequest) -> Response[bytes]:
        return _json(ModelMetadataResponseView.from_message(await dataplane.model_metadata(*_model(request))))

    @get(
        ["/v2/models/{name:str}/config", "/v2/models/{name:str}/versions/{version:str}/config"],
        summary="Model configuration in Triton's form",
    )
    async def config(request: AnyRequest) -> Response[bytes]:
        return _json(ModelConfigView.from_message(dataplane.model_config(*_model(request))))

    @get(
        ["/v2/models/{name:str}/ready", "/v2/models/{name:str}/versions/{version:str}/ready"],
        summary="Whether a model is ready",
    )
    async def model_ready(request: AnyRequest) -> Response[bytes]:
        name, version = _model(request)
        if dataplane.is_model_ready(name, version):
            return _json({"name": name, "ready": True})
        return error_response(503, f"model '{name}' is not ready", name=name, ready=False)

    return [live, ready, server_metadata, models, model_metadata, config, model_ready]


def repository_routes(dataplane: DataPlane, controlplane: ControlPlane, limit: int) -> list[HTTPRouteHandler]:
    """Return the routes of the model repository; their bodies may be empty."""

    @post("/v2/repository/index", status_code=_OK, summary="The models of the repository and their states")
    async def index(request: AnyRequest) -> Response[bytes]:
        body = await read_body(request, limit, request.headers.get("content-length"))
        only_ready = bool(parse_json(_index_decoder, body).ready) if body else False
        return _json([ModelIndexView.from_message(each) for each in dataplane.index(only_ready=only_ready)])

    @post("/v2/repository/models/{name:str}/load", status_code=_OK, summary="Load a model, or load it anew")
    async def load(request: AnyRequest, name: str) -> Response[bytes]:
        body = await read_body(request, limit, request.headers.get("content-length"))
        parameters = parse_json(_load_decoder, body).parameters if body else None
        await controlplane.load(name, parameters or ())
        return _json({"name": name, "load": True})

    @post("/v2/repository/models/{name:str}/unload", status_code=_OK, summary="Unload a model")
    async def unload(request: AnyRequest, name: str) -> Response[bytes]:
        body = await read_body(request, limit, request.headers.get("content-length"))
        if body:
            parse_json(_load_decoder, body)
        await controlplane.unload(name)
        return _json({"name": name, "unload": True})

    return [index, load, unload]


def inference_routes(dataplane: DataPlane, settings: Settings) -> list[HTTPRouteHandler]:
    """Return the routes that call models."""
    limit = settings.max_request_size
    nonfinite_as_null = settings.json_nonfinite == "null"

    async def receive(request: AnyRequest, headers: Headers) -> tuple[ModelInferRequest, OutputForms]:
        name, version = _model(request)
        body = await read_body(request, limit, headers.get("content-length"))
        encoding = headers.get("content-encoding") or IDENTITY
        if encoding != IDENTITY:
            body = await off_loop(len(body), decompress, body, encoding, limit)
        header_length = headers.get(HEADER_LENGTH)
        if not body and header_length is None:
            raise InvalidInput("the request body is empty; expected an inference request")
        if parse_header_length(header_length, len(body)) == 0:
            inputs, batched = dataplane.inputs(name, version)
            message, forms = decode_raw_request(body, inputs, name, batched=batched), OutputForms(default=True)
        else:
            message, forms = decode_request(body, header_length)
        message.model_name, message.model_version = name, version
        return message, forms

    @post(
        ["/v2/models/{name:str}/infer", "/v2/models/{name:str}/versions/{version:str}/infer"],
        status_code=_OK,
        summary="Inference: V2 JSON, with or without binary tensor data behind it",
    )
    async def infer(request: AnyRequest) -> ASGIResponse:
        headers = _request_headers(request)
        message, forms = await receive(request, headers)
        response = await dataplane.infer(message, headers)
        sent = response_headers(response.parameters.headers, response.model_name)
        body = encode_response(response, forms, nonfinite_as_null=nonfinite_as_null)
        if body.header_length is not None:
            sent.append((HEADER_LENGTH, str(body.header_length)))
        parts, size = body.parts, body.size
        encoding = choose_encoding(headers.get("accept-encoding")) if settings.gzip_enabled else IDENTITY
        if encoding != IDENTITY:
            sent.append(("content-encoding", encoding))
            parts = await off_loop(size, compress, parts, encoding)
            size = sum(map(len, parts))
        return BuffersResponse(parts, size=size, media_type=body.content_type, headers=sent)

    @post(
        ["/v2/models/{name:str}/infer_stream", "/v2/models/{name:str}/versions/{version:str}/infer_stream"],
        status_code=_OK,
        summary="Inference with a stream of responses, as server-sent events of V2 JSON",
    )
    async def infer_stream(request: AnyRequest) -> EventStream:
        headers = _request_headers(request)
        message, _ = await receive(request, headers)
        responses = dataplane.infer_stream(message, headers)
        encode = partial(_event, nonfinite_as_null=nonfinite_as_null)
        return EventStream(responses, encode, f"POST {request.url.path}")

    return [infer, infer_stream]


def _model(request: AnyRequest) -> tuple[str, str]:
    """Return the name and the version, ``""`` for none, that the path has; a query has no say."""
    parameters: Mapping[str, str] = request.path_params
    return parameters["name"], parameters.get("version", "")


def _request_headers(request: AnyRequest) -> Headers:
    return Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.scope["headers"])


def _event(response: ModelInferResponse, *, nonfinite_as_null: bool) -> bytes:
    return bytes(encode_response(response, OutputForms(), nonfinite_as_null=nonfinite_as_null).parts[0])

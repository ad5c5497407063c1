"""The routes of Triton's "Model Repository Extension"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from litestar import Response, post

from srv._changes import Load, Unload
from srv.controlplane._load_parameters import from_json
from srv.rest._errors import AnyRequest
from srv.rest._requests import OK, json_response, read_plain_body
from srv_codecs.json import parse_json
from srv_protocol.errors import InvalidInput, Unsupported
from srv_protocol.inference_json import ModelIndexView

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

    from srv._backend import Backend


class _IndexRequest(msgspec.Struct):
    """The body of an index request."""

    ready: object = None


class _LoadRequest(msgspec.Struct):
    """The body of a load or unload request."""

    parameters: dict[str, object] | None = None


_index_decoder: Final = msgspec.json.Decoder(_IndexRequest)
_load_decoder: Final = msgspec.json.Decoder(_LoadRequest)


def repository_routes(backend: Backend) -> list[HTTPRouteHandler]:
    """Return the routes of the model repository; their bodies may be empty."""
    controlplane = backend.controlplane
    limit = backend.settings.max_request_size

    async def read_parameters(request: AnyRequest) -> dict[str, object]:
        body = await read_plain_body(request, limit)
        return (parse_json(_load_decoder, body).parameters if body else None) or {}

    @post("/v2/repository/index", status_code=OK, summary="The models of the repository and their states")
    async def index(request: AnyRequest) -> Response[bytes]:
        body = await read_plain_body(request, limit)
        ready = parse_json(_index_decoder, body).ready if body else None
        if not isinstance(ready, bool | None):
            raise InvalidInput("Invalid value for 'ready': expected a boolean")
        models = await controlplane.index(only_ready=bool(ready))
        return json_response([ModelIndexView.from_message(each) for each in models])

    @post("/v2/repository/models/{name:str}/load", status_code=OK, summary="Load a model, or load it anew")
    async def load(request: AnyRequest, name: str) -> Response[bytes]:
        await backend.change(Load(name, from_json(await read_parameters(request))))
        return json_response({"name": name, "load": True})

    @post("/v2/repository/models/{name:str}/unload", status_code=OK, summary="Unload a model")
    async def unload(request: AnyRequest, name: str) -> Response[bytes]:
        await backend.change(Unload(name, await read_parameters(request)))
        return json_response({"name": name, "unload": True})

    @post(
        [
            "/v2/repository/{repository:str}/index",
            "/v2/repository/{repository:str}/models/{name:str}/load",
            "/v2/repository/{repository:str}/models/{name:str}/unload",
        ],
        status_code=OK,
        summary="One of several repositories, which this server does not have",
    )
    async def named_repository() -> Response[bytes]:
        raise Unsupported("'repository_name' specification is not supported")

    return [index, load, unload, named_repository]

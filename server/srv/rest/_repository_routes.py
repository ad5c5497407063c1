"""The routes of Triton's "Model Repository Extension"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from litestar import Response, post

from srv.rest._errors import AnyRequest
from srv.rest._requests import OK, json_response, read_control_body
from srv_codecs.json import parse_json
from srv_protocol.errors import Unsupported
from srv_protocol.inference_json import ModelIndexView, RepositoryIndexRequestView

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

    from srv._backend import Backend

_index_decoder: Final = msgspec.json.Decoder(RepositoryIndexRequestView)


class _LoadRequest(msgspec.Struct):
    """The body of a load or unload request."""

    parameters: dict[str, object] | None = None


_load_decoder: Final = msgspec.json.Decoder(_LoadRequest)


def repository_routes(backend: Backend) -> list[HTTPRouteHandler]:
    """Return the routes of the model repository; their bodies may be empty."""
    dataplane, controlplane = backend.dataplane, backend.controlplane
    limit = backend.settings.max_request_size

    @post("/v2/repository/index", status_code=OK, summary="The models of the repository and their states")
    async def index(request: AnyRequest) -> Response[bytes]:
        body = await read_control_body(request, limit)
        only_ready = bool(parse_json(_index_decoder, body).ready) if body else False
        return json_response([ModelIndexView.from_message(each) for each in dataplane.index(only_ready=only_ready)])

    @post("/v2/repository/models/{name:str}/load", status_code=OK, summary="Load a model, or load it anew")
    async def load(request: AnyRequest, name: str) -> Response[bytes]:
        body = await read_control_body(request, limit)
        parameters = parse_json(_load_decoder, body).parameters if body else None
        await controlplane.load(name, parameters or ())
        return json_response({"name": name, "load": True})

    @post("/v2/repository/models/{name:str}/unload", status_code=OK, summary="Unload a model")
    async def unload(request: AnyRequest, name: str) -> Response[bytes]:
        body = await read_control_body(request, limit)
        if body:
            parse_json(_load_decoder, body)
        await controlplane.unload(name)
        return json_response({"name": name, "unload": True})

    @post(
        [
            "/v2/repository/{repository:str}/index",
            "/v2/repository/{repository:str}/models/{name:str}/load",
            "/v2/repository/{repository:str}/models/{name:str}/unload",
        ],
        status_code=OK,
        summary="Refused: there is one repository",
    )
    async def of_repository() -> None:
        raise Unsupported("'repository_name' specification is not supported")

    return [index, load, unload, of_repository]

"""The routes of Triton's "Trace Extension" and "Logging Extension"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from litestar import Response, get, post

from srv._changes import ChangeLog, ChangeTrace
from srv.rest._errors import AnyRequest
from srv.rest._requests import OK, json_response, read_plain_body
from srv_codecs.json import parse_json
from srv_protocol.errors import InvalidInput

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

    from srv._backend import Backend

_TRACE: Final = ["/v2/trace/setting", "/v2/models/{name:str}/trace/setting"]
_LOGGING: Final = "/v2/logging"
# The one setting whose value is a list in JSON, where gRPC has a list for each.
_TRACE_LEVEL: Final = "trace_level"

_decoder: Final = msgspec.json.Decoder(dict[str, object])


def settings_routes(backend: Backend) -> list[HTTPRouteHandler]:
    """Return the routes of the settings that clients may change; an empty body changes nothing."""
    log_settings = backend.log_settings
    limit = backend.settings.max_request_size

    async def changes(request: AnyRequest) -> dict[str, object]:
        body = await read_plain_body(request, limit)
        return parse_json(_decoder, body) if body else {}

    @get(_TRACE, summary="The trace settings, of a model or of all")
    async def trace(request: AnyRequest) -> Response[bytes]:
        return _trace_response(backend.trace_settings({}, _model(request)))

    @post(_TRACE, status_code=OK, summary="Change trace settings, of a model or of all")
    async def change_trace(request: AnyRequest) -> Response[bytes]:
        given = {key: _trace_values(key, value) for key, value in (await changes(request)).items()}
        await backend.change(ChangeTrace(given, _model(request)))
        return _trace_response(backend.trace_settings({}, _model(request)))

    @get(_LOGGING, summary="The log settings")
    async def logging() -> Response[bytes]:
        return json_response(log_settings.settings())

    @post(_LOGGING, status_code=OK, summary="Change log settings")
    async def change_logging(request: AnyRequest) -> Response[bytes]:
        await backend.change(ChangeLog(await changes(request)))
        return json_response(log_settings.settings())

    return [trace, change_trace, logging, change_logging]


def _model(request: AnyRequest) -> str:
    parameters: dict[str, str] = request.path_params
    return parameters.get("name", "")


def _trace_values(key: str, value: object) -> list[str] | None:
    if value is None:
        return None
    try:
        return msgspec.convert(value if key == _TRACE_LEVEL else [value], list[str])
    except msgspec.ValidationError:
        expected = "a list of strings" if key == _TRACE_LEVEL else "a string"
        raise InvalidInput(f"{key[:40]}: expected {expected}, got {value!r:.40}") from None


def _trace_response(settings: dict[str, list[str]]) -> Response[bytes]:
    return json_response({key: values if key == _TRACE_LEVEL else values[0] for key, values in settings.items()})

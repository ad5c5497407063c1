"""The routes that models have themselves, behind all routes of the server.

Litestar's own routes are made once, and models come and go; so these are looked up when Litestar has found none.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import parse_qs, unquote

import msgspec
from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException, MethodNotAllowedException
from litestar.response.base import ASGIResponse

from srv.dataplane._custom_routes import OwnRoute
from srv.dataplane._timeline import HTTP, Timeline
from srv.dataplane._validation import Wanted, finish_response
from srv.rest._errors import AnyRequest, handle_error
from srv.rest._requests import buffers_response, check_given, encode_answer, read_encoded_body, request_headers
from srv.runtimes._handler_results import encode_json
from srv.workers._handling import JsonText
from srv_codecs.json import parse_json
from srv_codecs.rest import HEADER_LENGTH, OutputForms, decode_request
from srv_protocol.errors import InferenceError, InvalidInput, SrvError
from srv_protocol.inference import ModelInferRequest, ModelInferResponse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from litestar import Litestar
    from litestar.types import ASGIApp, Message, Receive, Scope, Send

    from srv._backend import Backend
    from srv.dataplane._custom_routes import CustomRoute
    from srv_protocol.inference import Headers

_MOST_VALUES: Final = 1000
_JSON: Final = "application/json"
_BYTES: Final = "application/octet-stream"
# RFC 9110, sections 5.6.2 and 5.5.
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_any: Final = msgspec.json.Decoder[Any]()


def own_routes(app: Litestar) -> list[OwnRoute]:
    """Return the routes of an application."""
    return [
        OwnRoute(method, tuple(None if each.startswith("{") else each for each in route.path.split("/") if each))
        for route in app.routes
        for method in sorted(cast("Iterable[str]", getattr(route, "methods", ())))
    ]


def is_unrouted(request: AnyRequest, error: Exception) -> bool:
    """Whether an error is that of a request for which Litestar has no route."""
    return isinstance(error, HTTPException) and "path_template" not in request.scope


class CustomAnswer(Response[bytes]):
    """The answer to a request for which the server has no route: a model's, or the error."""

    def __init__(self, backend: Backend, error: Exception) -> None:
        super().__init__(b"")
        self._backend = backend
        self._error = error

    def to_asgi_response(self, *_: object, **__: object) -> ASGIResponse:
        """Return what answers; Litestar calls it at once."""
        return _Answering(self._backend, self._error)


class _Answering(ASGIResponse):
    def __init__(self, backend: Backend, error: Exception) -> None:
        super().__init__()
        self._backend = backend
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Litestar is handling its 404 here, and in a task of its own the model's code is not: else that is what
        # `sys.exc_info()` says there, and what the traceback of each of its errors begins with.
        await asyncio.create_task(self._call(scope, receive, send))

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                _check_head(message["status"], message["headers"])
            started = True
            await send(message)

        request: AnyRequest = Request(scope, receive, watch)
        try:
            await self._answer(request)
        except Exception as error:
            if started:
                raise
            try:
                await _asgi(handle_error(request, _known(error)), request)(scope, receive, watch)
            except InferenceError as invalid:
                await _asgi(handle_error(request, invalid), request)(scope, receive, send)

    async def _answer(self, request: AnyRequest) -> None:
        routes, scope = self._backend.custom_routes, cast("dict[str, Any]", request.scope)
        segments = _segments(request.scope)
        # An answer to HEAD is one to GET without its body, which the HTTP server leaves out.
        method = "GET" if request.method == "HEAD" else str(request.method)
        if routes.is_own(method, segments):
            raise self._error  # HEAD, which the server does not have where it has GET
        try:
            found = routes.find(method, segments)
        except SrvError as error:
            # The method is wrong whatever model the path is of.
            raise self._error if isinstance(self._error, MethodNotAllowedException) else error from None
        if not found.methods:
            raise self._error
        if found.route is None:
            allowed = _allowed(found.methods, self._error)
            if method != "OPTIONS":
                raise MethodNotAllowedException(headers={"allow": allowed})
            await ASGIResponse(status_code=204, headers={"allow": allowed})(scope, request.receive, request.send)  # type: ignore[arg-type]
            return
        scope["path_template"] = found.route.template
        times, headers = Timeline(HTTP), request_headers(request)
        body = await read_encoded_body(request, headers, times, self._backend.settings.max_request_size)
        # The model may have been replaced while the body came in.
        route = routes.find(method, segments).route
        if route is None:
            raise self._error
        scope["path_params"] = route.parameters
        with route.model.use():
            call = _Call(self._backend, route, request, headers, body)
            result = await routes.call(route, call, times)
            app = await self._respond(call, result, times)
            await app(request.scope, request.receive, request.send)

    async def _respond(self, call: _Call, result: object, times: Timeline) -> ASGIApp:
        """Return what answers with a handler's result."""
        if isinstance(result, Response):
            return _asgi(cast("Response[object]", result), call.as_request)
        if hasattr(result, "status_code") and callable(result):
            # A response of Starlette's, and so of FastAPI's, is an application of itself.
            return cast("ASGIApp", result)
        settings, sent = self._backend.settings, list[tuple[str, str]]()
        place = f"model '{call.route.model.runtime.name}': {call.route.handler.name}()"
        nonfinite_as_null = settings.json_nonfinite == "null"
        parts: Sequence[bytes | memoryview]
        if isinstance(result, ModelInferResponse):
            finished = finish_response(call.route.model.runtime, call.wanted, result)
            encoded, sent = encode_answer(finished, forms=call.forms, nonfinite_as_null=nonfinite_as_null)
            parts, media_type = encoded.parts, encoded.content_type
        elif isinstance(result, bytes):
            parts, media_type = (result,), _BYTES
        elif isinstance(result, JsonText):
            parts, media_type = (result.text,), _JSON
        else:
            parts, media_type = (encode_json(result, place, nonfinite_as_null=nonfinite_as_null),), _JSON
        return await buffers_response(parts, media_type, sent, call.headers, times, gzip_enabled=settings.gzip_enabled)


class HandlerRequest(Request[object, object, State]):
    """The request as a handler gets it: its body is there already."""

    def __init__(self, scope: Scope, body: bytes) -> None:
        super().__init__(scope)
        self._body = body

    async def json(self) -> Any:  # the base's
        """Return what the body is as JSON, ``None`` for an empty one.

        Raises:
            InvalidInput: it is no JSON.
        """
        body = await self.body()
        return parse_json(_any, body) if body else None


class _Call:
    """A request to a handler, as :class:`srv.runtimes._handler_arguments.HandlerCall` says."""

    def __init__(
        self, backend: Backend, route: CustomRoute, request: AnyRequest, headers: Headers, body: memoryview
    ) -> None:
        self.route = route
        self.headers = headers
        self.body = body
        self.path: Mapping[str, str] = route.parameters
        self.query: Mapping[str, Sequence[str]] = _query(request.scope["query_string"])
        self.wanted = Wanted()
        self.forms = OutputForms()
        self.as_request = request
        self._backend = backend

    def request(self) -> object:
        return HandlerRequest(self.as_request.scope, bytes(self.body))

    def inference_request(self) -> ModelInferRequest:
        runtime = self.route.model.runtime
        length = self.headers.get(HEADER_LENGTH)
        check_given(self.body, length)
        message, self.forms = decode_request(self.body, length, model=runtime.name, regions=self._backend.shared_memory)
        message.model_name, message.model_version = runtime.name, runtime.version or ""
        message.parameters.headers = self.headers
        self.wanted = Wanted(message.id, tuple(message.outputs))
        return message


def _check_head(status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Refuse what the HTTP server would close the connection for, without an answer.

    Raises:
        InferenceError: the status ends no response, or a name or value of a header cannot be sent.
    """
    if not 200 <= status <= 599:  # RFC 9110, section 15
        raise InferenceError(f"a custom handler's response: expected a status from 200 to 599, got {status}")
    for name, value in headers:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise InferenceError(f"a custom handler's response: invalid header {name!r}: {value!r:.200}")


def _known(error: Exception) -> Exception:
    """Return an error that Litestar knows: Starlette's and FastAPI's ``HTTPException`` has the same members."""
    status, detail = getattr(error, "status_code", None), getattr(error, "detail", None)
    if isinstance(error, (HTTPException, SrvError)) or not isinstance(status, int) or detail is None:
        return error
    text = detail if isinstance(detail, str) else msgspec.json.encode(detail, enc_hook=str).decode()
    return HTTPException(text, status_code=status, headers=getattr(error, "headers", None))


def _query(given: bytes) -> dict[str, list[str]]:
    """Return the values of a query, by name.

    Raises:
        InvalidInput: it is not UTF-8, or has more values than anybody sends.
    """
    try:
        return parse_qs(given.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_VALUES)
    except ValueError as error:
        raise InvalidInput(f"query: {error}") from None


def _segments(scope: Scope) -> list[str]:
    """Return the segments of a path, each unescaped by itself: an escaped slash is a part of its segment.

    Raises:
        InvalidInput: it is not UTF-8.
    """
    raw = scope["raw_path"].partition(b"?")[0].decode("latin-1")
    # uvicorn puts the path of the proxy in front.
    raw = raw.removeprefix(cast("Mapping[str, str]", scope).get("root_path", ""))
    try:
        return [unquote(each, errors="strict") for each in raw.split("/") if each]
    except UnicodeDecodeError as error:
        raise InvalidInput(f"path: {error}") from None


def _allowed(methods: Iterable[str], error: Exception) -> str:
    """Return the methods of a path: those of models, and of the server's own route there."""
    known = {*methods, "OPTIONS", *(["HEAD"] if "GET" in methods else [])}
    headers: Mapping[str, str] = (error.headers or {}) if isinstance(error, HTTPException) else {}
    own = next((value for name, value in headers.items() if name.lower() == "allow"), "")
    return ", ".join(sorted(known | {each.strip() for each in own.split(",") if each.strip()}))


def _asgi(response: Response[Any], request: AnyRequest) -> ASGIApp:
    return response.to_asgi_response(app=None, request=request)  # pyright: ignore[reportUnknownMemberType]  # Litestar's

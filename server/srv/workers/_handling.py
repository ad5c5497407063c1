"""Calls of custom handlers, and their answers, on the way between the server and a worker."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from srv.runtimes._handler_results import encode_json
from srv.runtimes._handlers import Handler, HandlerRoute, RoutePath
from srv.workers._messages import pack_request, pack_response, unpack_request, unpack_response
from srv_codecs.handover import Bundle
from srv_protocol.errors import LoadError
from srv_protocol.inference import Headers, ModelInferResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from srv.runtimes._handler_arguments import HandlerCall
    from srv_protocol.inference import ModelInferRequest

# What of the framework's form of a request is no header and no body.
_SCOPE: Final = ("type", "http_version", "method", "scheme", "path", "root_path")
_RAW: Final = ("raw_path", "query_string")
_ADDRESSES: Final = ("client", "server")


@dataclass(frozen=True, slots=True)
class RemoteHandler(HandlerRoute):
    """A handler of a model in workers.

    Attributes:
        number: its place among the handlers of its model.
        is_plain: whether a worker runs one call of it, or of ``predict``, at a time.
        takes_request: whether it takes the request in the form of the REST front's framework.
        takes_inference: whether it takes a V2 inference request.
    """

    number: int
    is_plain: bool
    takes_request: bool
    takes_inference: bool


@dataclass(frozen=True, slots=True)
class JsonText:
    """A handler's result that is JSON already."""

    text: bytes


class FinishedAnswer:
    """A handler's result that is a whole answer of HTTP: an ASGI application, as a framework's response is."""

    def __init__(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        self.status_code = status
        self._headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self._body = body

    async def __call__(self, _scope: object, _receive: object, send: Callable[[Any], Awaitable[None]]) -> None:
        """Send it."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body, "more_body": False})


# ---- What the server knows


def pack_handlers(handlers: Sequence[Handler], plain: Callable[[Handler], bool]) -> list[object]:
    """Return what the server must know of a model's handlers, as JSON.

    Raises:
        LoadError: one takes the framework's request, and the framework is not here.
    """
    for each in handlers:
        if each.arguments.takes_request:
            _find_litestar(each.name)
    return [
        (
            *(each.name, each.path.text or "/", each.method, plain(each)),
            *(each.arguments.takes_request, each.arguments.takes_inference),
        )
        for each in handlers
    ]


def unpack_handlers(packed: object) -> tuple[RemoteHandler, ...]:
    """Return the handlers, in their order."""
    return tuple(
        RemoteHandler(name, RoutePath.parse(path), method, number, is_plain, takes_request, takes_inference)
        for number, (name, path, method, is_plain, takes_request, takes_inference) in enumerate(
            cast("list[Any]", packed)
        )
    )


# ---- A call


def pack_call(handler: RemoteHandler, call: HandlerCall) -> tuple[object, Bundle]:
    """Return a call's header, and its body and tensors.

    Raises:
        InvalidInput: the handler takes an inference request, and the body is none.
    """
    bundle = Bundle()
    offset = bundle.add_bytes(call.body)
    inference: object = None
    if handler.takes_inference:
        inference, _ = pack_request(call.inference_request(), bundle)
    header = {
        "number": handler.number,
        "path": call.path,
        "query": call.query,
        "headers": call.headers,
        "body": [offset, len(call.body)],
        "inference": inference,
        "scope": _pack_scope(cast("Any", call.request()).scope) if handler.takes_request else None,
    }
    return header, bundle


def _pack_scope(scope: Mapping[str, Any]) -> dict[str, object]:
    packed: dict[str, object] = {name: scope[name] for name in (*_SCOPE, *_ADDRESSES) if name in scope}
    packed |= {name: scope[name].decode("latin-1") for name in _RAW if name in scope}
    packed["headers"] = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    packed["path_params"] = scope.get("path_params", {})
    return packed


class RemoteCall:
    """A call as a worker has it; see :class:`srv.runtimes._handler_arguments.HandlerCall`.

    Attributes:
        number: the handler's.
    """

    def __init__(self, model: str, header: object, body: memoryview) -> None:
        given = cast("dict[str, Any]", header)
        self.number: int = given["number"]
        self.path: Mapping[str, str] = given["path"]
        self.query: Mapping[str, Sequence[str]] = given["query"]
        self.headers = Headers.of_lower(given["headers"])
        offset, size = given["body"]
        self.body = body[offset : offset + size]
        self._all = body
        self._model = model
        self._inference = given["inference"]
        self._scope: dict[str, Any] | None = given["scope"]

    def request(self) -> object:
        """Return the request in the form of the REST front's framework."""
        scope = self._scope
        if scope is None:
            # For an answer of the framework's, which asks little of it.
            headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()]
            scope = {"type": "http", "method": "GET", "path": "/", "headers": headers, "query_string": b""}
        else:
            scope = dict(scope)
            scope |= {name: scope[name].encode("latin-1") for name in _RAW if name in scope}
            scope |= {name: tuple(scope[name]) for name in _ADDRESSES if scope.get(name)}
            scope["headers"] = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in scope["headers"]]
        requests = importlib.import_module("srv.rest._custom_routes")
        made: object = requests.HandlerRequest(scope, bytes(self.body))
        return made

    def inference_request(self) -> ModelInferRequest:
        """Return the inference request, which the server has read."""
        return unpack_request(self._model, self._inference, self._all)


# ---- Its answer


async def pack_result(
    result: object, call: RemoteCall, place: str, *, nonfinite_as_null: bool
) -> tuple[object, Bundle]:
    """Return the header of a handler's result, and its body or tensors.

    A response of a framework's is run here, as the application that it is.

    Raises:
        InferenceError: it has no JSON form.
    """
    bundle = Bundle()
    if isinstance(result, ModelInferResponse):
        header, bundle = pack_response(result)
        return {"response": header, "id": result.id, "name": result.model_name}, bundle
    if isinstance(result, bytes):
        bundle.add_bytes(result)
        return {"bytes": len(result)}, bundle
    to_application = getattr(result, "to_asgi_response", None)
    application = to_application(app=None, request=call.request()) if callable(to_application) else result
    if callable(application) and (application is not result or hasattr(result, "status_code")):
        return await _run(cast("_Application", application), call, bundle)
    text = encode_json(result, place, nonfinite_as_null=nonfinite_as_null)
    bundle.add_bytes(text)
    return {"json": len(text)}, bundle


class _Application(Protocol):
    async def __call__(self, scope: Any, receive: Any, send: Any, /) -> None: ...


async def _run(application: _Application, call: RemoteCall, bundle: Bundle) -> tuple[object, Bundle]:
    started: dict[str, Any] = {}
    parts: list[bytes] = []

    async def receive() -> object:
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            started.update(message)
        else:
            parts.append(bytes(message.get("body", b"")))

    await application(cast("Any", call.request()).scope, receive, send)
    body = b"".join(parts)
    bundle.add_bytes(body)
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in started.get("headers", ())]
    return {"status": started["status"], "headers": headers, "size": len(body)}, bundle


def unpack_result(model: str, header: object, body: memoryview) -> object:
    """Return a handler's result: an inference response, bytes, :class:`JsonText` or :class:`FinishedAnswer`."""
    found = cast("dict[str, Any]", header)
    if "response" in found:
        response = unpack_response(model, found["response"], body)
        response.id, response.model_name = found["id"], found["name"]
        return response
    if "bytes" in found:
        return bytes(body)
    if "json" in found:
        return JsonText(bytes(body))
    return FinishedAnswer(found["status"], found["headers"], bytes(body))


def _find_litestar(handler: str) -> None:
    try:
        importlib.import_module("litestar")
    except ImportError:
        raise LoadError(
            f"{handler}(): an argument is the request of litestar, which is not installed in the model's environment"
        ) from None

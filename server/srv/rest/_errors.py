"""Every error of the REST front, the framework's own included, as ``{"error": "…"}``."""

from __future__ import annotations

from typing import Final

import msgspec
from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.response.base import ASGIResponse

from srv._state import SHUTTING_DOWN, ServerState
from srv._status import WireStatus, describe_error
from srv.rest._body import ClientDisconnectedError
from srv_codecs.compression import ENCODINGS
from srv_protocol.errors import InferenceError, ModelNotReady, UnsupportedEncoding

AnyRequest = Request[object, object, State]

CLIENT_CLOSED: Final = 499
"""The status of a request whose client has left before its answer, as nginx has it."""

STOPPING: Final = ModelNotReady(SHUTTING_DOWN)
"""The error of a request that the server's stop cuts short."""

_CANCELLED: Final = InferenceError("the request was cancelled")


def error_body(message: str, **extra: object) -> bytes:
    """Return the JSON of an error."""
    return msgspec.json.encode({**extra, "error": message})


def error_response(status: int, message: str, **extra: object) -> Response[bytes]:
    """Return an error response; clients take the text from ``error``, and only if the type is exactly JSON."""
    return Response(error_body(message, **extra), status_code=status, media_type="application/json")


def bare_error_response(status: WireStatus) -> ASGIResponse:
    """Return an error response for what Litestar does not answer itself."""
    return ASGIResponse(body=error_body(status.message), status_code=status.http, media_type="application/json")


def handle_error(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Answer any exception."""
    if isinstance(error, ClientDisconnectedError):
        # Nobody reads it; the metrics get the status that nginx has for it.
        return error_response(CLIENT_CLOSED, "the client went away")
    if isinstance(error, HTTPException):
        response = error_response(error.status_code, error.detail)
        for name, value in (error.headers or {}).items():
            response.headers[name] = value
        return response
    status = describe_error(error, f"{request.method} {request.url.path}")
    response = error_response(status.http, status.message)
    for name, value in error_headers(error):
        response.headers[name] = value
    return response


def error_headers(error: Exception) -> list[tuple[str, str]]:
    """Return the headers that the answer to an error has besides its body's."""
    # In a response the header says what a request may have (RFC 9110, section 12.5.3).
    return [("accept-encoding", ", ".join(ENCODINGS))] if isinstance(error, UnsupportedEncoding) else []


def describe_cut(error: BaseException, state: ServerState, doing: str) -> WireStatus:
    """Return what to answer to a request whose task an exception has ended that nobody else has answered.

    A cancellation is the server's stop, or of the model's making.
    """
    cut = STOPPING if state.stopping else _CANCELLED
    return describe_error(error if isinstance(error, Exception) else cut, doing)

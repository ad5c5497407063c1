"""What each protocol calls an error: the one place that knows, for HTTP and gRPC alike.

The table follows Triton's, which is what clients are written against (docs/design.md, "Errors").
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from grpclib.const import Status

from srv_protocol.errors import ErrorKind, SrvError

_logger: Final = logging.getLogger("srv")


@dataclass(frozen=True, slots=True)
class WireStatus:
    """The HTTP status and the gRPC status of an error, and the text that the client may see."""

    http: HTTPStatus
    grpc: Status
    message: str


_STATUS: Final = {
    ErrorKind.INVALID_ARGUMENT: (HTTPStatus.BAD_REQUEST, Status.INVALID_ARGUMENT),
    ErrorKind.NOT_FOUND: (HTTPStatus.NOT_FOUND, Status.NOT_FOUND),
    ErrorKind.ALREADY_EXISTS: (HTTPStatus.BAD_REQUEST, Status.ALREADY_EXISTS),
    ErrorKind.TOO_LARGE: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, Status.RESOURCE_EXHAUSTED),
    ErrorKind.UNAVAILABLE: (HTTPStatus.SERVICE_UNAVAILABLE, Status.UNAVAILABLE),
    ErrorKind.DEADLINE_EXCEEDED: (HTTPStatus.GATEWAY_TIMEOUT, Status.DEADLINE_EXCEEDED),
    ErrorKind.UNSUPPORTED: (HTTPStatus.NOT_IMPLEMENTED, Status.UNIMPLEMENTED),
    ErrorKind.INTERNAL: (HTTPStatus.INTERNAL_SERVER_ERROR, Status.INTERNAL),
}

INTERNAL_MESSAGE: Final = "internal server error"


def error_text(error: BaseException) -> str:
    """Return the text of any exception, whatever its class makes of itself.

    Lone surrogates, which no protocol can carry, are escaped: file names and JSON may bring them in.
    """
    try:
        text = str(getattr(error, "message", error))
    except Exception:  # noqa: BLE001  # a model's exception whose __str__ fails
        text = f"{type(error).__name__} (its text cannot be had)"
    return text.encode(errors="backslashreplace").decode()


def describe_error(error: Exception, doing: str) -> WireStatus:
    """Return what to answer for an error.

    An error of the project's own tree speaks for itself. Any other is a fault of the server or of a runtime: it is
    logged in full, and the client learns nothing of its text.
    """
    if isinstance(error, SrvError):
        http, grpc = _STATUS[error.kind]
        if error.kind is ErrorKind.INTERNAL:
            _logger.error("%s: %s", doing, error_text(error), exc_info=error.__cause__)
        return WireStatus(http, grpc, error_text(error))
    _logger.error("%s: unexpected error", doing, exc_info=error)
    return WireStatus(HTTPStatus.INTERNAL_SERVER_ERROR, Status.INTERNAL, INTERNAL_MESSAGE)

"""What each protocol calls an error: the one place that knows, for HTTP and gRPC alike.

The table follows Triton's, which is what clients are written against (docs/design.md, "Errors").
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from grpclib.const import Status

from srv._error_text import error_text
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

# A status that the author of a runtime chose -> the gRPC status for it; MLServer's four, and those with one meaning.
_CHOSEN: Final = {
    400: Status.INVALID_ARGUMENT,
    401: Status.UNAUTHENTICATED,
    403: Status.PERMISSION_DENIED,
    404: Status.NOT_FOUND,
    408: Status.DEADLINE_EXCEEDED,
    409: Status.ABORTED,
    412: Status.FAILED_PRECONDITION,
    413: Status.RESOURCE_EXHAUSTED,
    422: Status.FAILED_PRECONDITION,
    429: Status.RESOURCE_EXHAUSTED,
    500: Status.INTERNAL,
    501: Status.UNIMPLEMENTED,
    503: Status.UNAVAILABLE,
    504: Status.DEADLINE_EXCEEDED,
}

_ERRORS: Final = frozenset(status.value for status in HTTPStatus if status >= HTTPStatus.BAD_REQUEST)

INTERNAL_MESSAGE: Final = "internal server error"


def describe_error(error: Exception, doing: str) -> WireStatus:
    """Return what to answer for an error.

    An error of the project's own tree speaks for itself. Any other is a fault of the server or of a runtime: it is
    logged in full, and the client learns nothing of its text.
    """
    if isinstance(error, SrvError):
        http, grpc = _statuses(error)
        if grpc is Status.INTERNAL:
            _logger.error("%s: %s", doing, error_text(error), exc_info=error.__cause__)
        return WireStatus(http, grpc, error_text(error))
    _logger.error("%s: unexpected error", doing, exc_info=error)
    return WireStatus(HTTPStatus.INTERNAL_SERVER_ERROR, Status.INTERNAL, INTERNAL_MESSAGE)


def _statuses(error: SrvError) -> tuple[HTTPStatus, Status]:
    chosen = error.status_code
    if chosen is None:
        return _STATUS[error.kind]
    if chosen not in _ERRORS:
        _logger.error(
            "%s: status_code: expected an error's status of HTTP, got %r; 500 is answered", type(error).__name__, chosen
        )
        return _STATUS[ErrorKind.INTERNAL]
    return HTTPStatus(chosen), _CHOSEN.get(chosen, Status.UNKNOWN)

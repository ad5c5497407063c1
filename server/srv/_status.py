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
    ErrorKind.TOO_LARGE: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, Status.RESOURCE_EXHAUSTED),
    ErrorKind.UNAVAILABLE: (HTTPStatus.SERVICE_UNAVAILABLE, Status.UNAVAILABLE),
    ErrorKind.UNSUPPORTED: (HTTPStatus.NOT_IMPLEMENTED, Status.UNIMPLEMENTED),
    ErrorKind.INTERNAL: (HTTPStatus.INTERNAL_SERVER_ERROR, Status.INTERNAL),
}

INTERNAL_MESSAGE: Final = "internal server error"


def describe_error(error: Exception, doing: str) -> WireStatus:
    """Return what to answer for an error.

    An error of the project's own tree speaks for itself. Any other is a fault of the server or of a runtime: it is
    logged in full, and the client learns nothing of its text.
    """
    if isinstance(error, SrvError):
        http, grpc = _STATUS[error.kind]
        if error.kind is ErrorKind.INTERNAL:
            _logger.error("%s: %s", doing, error.message, exc_info=error.__cause__)
        # Neither protocol can carry a lone surrogate, which a client or a runtime may have put into a name.
        return WireStatus(http, grpc, error.message.encode(errors="backslashreplace").decode())
    _logger.error("%s: unexpected error", doing, exc_info=error)
    return WireStatus(HTTPStatus.INTERNAL_SERVER_ERROR, Status.INTERNAL, INTERNAL_MESSAGE)

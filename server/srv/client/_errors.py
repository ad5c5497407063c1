"""What goes wrong between a client and its server, and how a server's errors come back.

A server's error has the class of :mod:`srv_protocol.errors` that means the same, the server's text, and the HTTP status
as ``status_code``: of gRPC, the one that stands for its status.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from srv_protocol.errors import (
    AlreadyExists,
    DeadlineExceeded,
    ErrorKind,
    InvalidInput,
    NotFound,
    RequestTooLarge,
    SrvError,
    Unavailable,
    Unsupported,
)


class ServerError(SrvError):
    """The server has failed, or answers with a status that says nothing of the request; ``status_code`` has it."""

    kind = ErrorKind.INTERNAL


class ConnectError(Unavailable):
    """There is no connection to the server; it has seen nothing of the request."""


class ConnectionLost(Unavailable):
    """The connection ended before the answer was complete.

    Attributes:
        begun: whether the server may have begun to work on the request.
    """

    def __init__(self, message: str, *, begun: bool = True) -> None:
        super().__init__(message)
        self.begun = begun


_BY_HTTP: Final[dict[int, type[SrvError]]] = {
    400: InvalidInput,
    404: NotFound,
    409: AlreadyExists,
    413: RequestTooLarge,
    422: InvalidInput,
    501: Unsupported,
    503: Unavailable,
    504: DeadlineExceeded,
}


class _GrpcStatus(NamedTuple):
    name: str
    error: type[SrvError]
    http: int


_BY_GRPC: Final = {
    1: _GrpcStatus("CANCELLED", ServerError, 499),
    2: _GrpcStatus("UNKNOWN", ServerError, 500),
    3: _GrpcStatus("INVALID_ARGUMENT", InvalidInput, 400),
    4: _GrpcStatus("DEADLINE_EXCEEDED", DeadlineExceeded, 504),
    5: _GrpcStatus("NOT_FOUND", NotFound, 404),
    6: _GrpcStatus("ALREADY_EXISTS", AlreadyExists, 409),
    7: _GrpcStatus("PERMISSION_DENIED", ServerError, 403),
    8: _GrpcStatus("RESOURCE_EXHAUSTED", RequestTooLarge, 413),
    9: _GrpcStatus("FAILED_PRECONDITION", InvalidInput, 422),
    10: _GrpcStatus("ABORTED", ServerError, 409),
    11: _GrpcStatus("OUT_OF_RANGE", InvalidInput, 400),
    12: _GrpcStatus("UNIMPLEMENTED", Unsupported, 501),
    13: _GrpcStatus("INTERNAL", ServerError, 500),
    14: _GrpcStatus("UNAVAILABLE", Unavailable, 503),
    15: _GrpcStatus("DATA_LOSS", ServerError, 500),
    16: _GrpcStatus("UNAUTHENTICATED", ServerError, 401),
}
_UNKNOWN: Final = 2


def http_error(status: int, text: str) -> SrvError:
    """Return the error of an answer's HTTP status."""
    error = _BY_HTTP.get(status, ServerError)(text, status)
    error.add_note(f"the server's status is {status}")
    return error


def grpc_error(status: int, text: str) -> SrvError:
    """Return the error of a call's gRPC status; one that is not known counts as UNKNOWN."""
    row = _BY_GRPC.get(status, _BY_GRPC[_UNKNOWN])
    error = row.error(text or f"the server answers with {row.name} and no reason", row.http)
    error.add_note(f"the server's status is {row.name}")
    return error


# "HTTP to gRPC Status Code Mapping": what a proxy answers that does not speak gRPC.
_FROM_HTTP: Final = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}


def grpc_status_of(http: int) -> int:
    """Return the gRPC status that an HTTP status stands for, in an answer without one of gRPC."""
    return _FROM_HTTP.get(http, _UNKNOWN)

"""The headers of a call, read once for all calls that have the same."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from grpclib.const import Cardinality, Status
from grpclib.metadata import decode_timeout

from srv.grpc._head import find_problem, read_metadata, refuse
from srv_codecs.compression import IDENTITY
from srv_protocol.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    import grpclib.server
    from grpclib.const import Handler

    from srv.http2._headers import Headers
    from srv_protocol.inference import Headers as Metadata
    from srv_protocol.message import Message

_CONTENT_TYPES: Final = frozenset({"application/grpc", "application/grpc+proto"})
# Heads that are remembered, and characters of the longest.
_MOST: Final = 256
_LONGEST: Final = 4096


class Method(NamedTuple):
    """A method of a service, as grpclib's ``Handler`` has it."""

    function: Callable[[grpclib.server.Stream[Message, Message]], Awaitable[None]]
    cardinality: Cardinality
    request_type: type[Message]
    reply_type: type[Message]

    @property
    def client_streams(self) -> bool:
        """Whether clients send any number of messages."""
        return self.cardinality in {Cardinality.STREAM_UNARY, Cardinality.STREAM_STREAM}

    @property
    def server_streams(self) -> bool:
        """Whether any number of messages is sent."""
        return self.cardinality in {Cardinality.UNARY_STREAM, Cardinality.STREAM_STREAM}


class Head(NamedTuple):
    """What a call begins with.

    Attributes:
        path: of the method.
        method: ``None`` where the call is refused.
        headers: as they came.
        metadata: what runtimes see of them; ``None`` where :func:`srv.grpc._head.read_metadata` fails.
        encoding: of its messages, and of their answers.
        timeout: in seconds.
        refusal: the answer to a call that does not come to its handler.
    """

    path: str
    method: Method | None
    headers: Headers
    metadata: Metadata | None
    user_agent: str | None
    content_type: str
    encoding: str
    timeout: float | None
    refusal: Headers | None


class Heads:
    """Reads headers; equal ones once."""

    def __init__(self, mapping: Mapping[str, Handler]) -> None:
        # grpclib's Handler has the same fields, without types.
        self._methods = {path: Method(*cast("Method", handler)) for path, handler in mapping.items()}
        self._known: dict[Headers, Head] = {}

    def read(self, headers: Headers) -> Head:
        """Return what `headers` say."""
        head = self._known.get(headers)
        if head is None:
            head = self._read(headers)
            if sum(len(name) + len(value) for name, value in headers) <= _LONGEST:
                if len(self._known) == _MOST:
                    self._known.clear()
                self._known[headers] = head
        return head

    def _read(self, headers: Headers) -> Head:
        fields = dict(headers)
        path = fields[":path"]
        method = self._methods.get(path)
        timeout: float | None = None
        refusal = _refuse_http(fields)
        if refusal is None:
            problem = find_problem(headers)
            if problem is None and method is None:
                problem = Status.UNIMPLEMENTED, "Method not found"
            if problem is None and "grpc-timeout" in fields:
                try:
                    timeout = decode_timeout(fields["grpc-timeout"])
                except ValueError:
                    problem = Status.UNKNOWN, "Invalid grpc-timeout header"
            refusal = None if problem is None else refuse(*problem)
        return Head(
            path,
            method if refusal is None else None,
            headers,
            None if refusal is not None else _read_metadata(headers),
            fields.get("user-agent"),
            fields.get("content-type", ""),
            fields.get("grpc-encoding", IDENTITY),
            timeout,
            refusal,
        )


def _read_metadata(headers: Headers) -> Metadata | None:
    with contextlib.suppress(InvalidInput):
        return read_metadata(headers)
    return None


def _refuse_http(fields: Mapping[str, str]) -> Headers | None:
    """Return the answer to what is no call of gRPC ("gRPC over HTTP2", Requests)."""
    if fields[":method"] != "POST":
        return ((":status", "405"),)
    if fields.get("content-type") not in _CONTENT_TYPES:
        return refuse(Status.UNKNOWN, "content-type: expected application/grpc or application/grpc+proto", "415")
    if fields.get("te") != "trailers":
        return refuse(Status.UNKNOWN, 'Required "te: trailers" header is missing', "400")
    return None

"""What a peer has done."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from srv.http2._errors import ErrorCode
    from srv.http2._headers import Headers


class RequestReceived(NamedTuple):
    """A stream has begun; `ended` without a body."""

    stream_id: int
    headers: Headers
    ended: bool


class ResponseReceived(NamedTuple):
    """A response has begun; `ended` without a body."""

    stream_id: int
    headers: Headers
    ended: bool


class DataReceived(NamedTuple):
    """A piece of a body: a view of what was given to ``receive_data``.

    Attributes:
        size: the bytes that it took of the windows, padding included.
        ended: whether it is the last one.
    """

    stream_id: int
    data: memoryview
    size: int
    ended: bool


class TrailersReceived(NamedTuple):
    """A message has ended with trailers."""

    stream_id: int
    headers: Headers


class StreamReset(NamedTuple):
    """A stream was ended by the peer, or for a fault of the peer's; nothing can be sent on it any more."""

    stream_id: int
    code: int
    by_peer: bool


class WindowUpdated(NamedTuple):
    """More can be sent on a stream, or perhaps on all of them, which is stream 0."""

    stream_id: int


class PingAcknowledged(NamedTuple):
    """The answer to a ping."""

    data: bytes


class GoingAway(NamedTuple):
    """The peer will not begin another stream; those that are open go on."""

    code: int
    last_stream_id: int


class ConnectionFailed(NamedTuple):
    """The peer has broken a rule; nothing more is read. A GOAWAY is to be sent before the connection is closed."""

    code: ErrorCode
    reason: str


Event: TypeAlias = (
    RequestReceived
    | ResponseReceived
    | DataReceived
    | TrailersReceived
    | StreamReset
    | WindowUpdated
    | PingAcknowledged
    | GoingAway
    | ConnectionFailed
)

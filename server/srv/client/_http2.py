"""A gRPC call on an HTTP/2 connection as its client sees it, without I/O (gRPC over HTTP2)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import unquote

from srv._buffers import new_buffer
from srv.client._call import Reply
from srv.client._errors import ConnectionLost, ServerError, grpc_error, grpc_status_of
from srv.client._grpc import PREFIX
from srv.http2._errors import ErrorCode
from srv.http2._events import DataReceived, ResponseReceived, StreamReset, TrailersReceived

if TYPE_CHECKING:
    from srv.client._call import Call, HeaderItems
    from srv.client._deadline import Deadline
    from srv.http2._client import ClientConnection
    from srv.http2._headers import Headers
    from srv_protocol.errors import SrvError

StreamEvent: TypeAlias = DataReceived | TrailersReceived | ResponseReceived | StreamReset
"""What can come of a call."""

_PREFIX_SIZE: Final = PREFIX.size
# Bytes that the server may send before somebody takes its messages: what the connection's settings say.
WINDOW: Final = 1 << 23
_UNTOLD: Final = frozenset({"content-type", "trailer"})
# "HTTP2 Transport Mapping", "Errors": the statuses of gRPC for a stream that is reset; INTERNAL for all others.
_RESETS: Final[dict[int, int]] = {ErrorCode.CANCEL: 1, ErrorCode.ENHANCE_YOUR_CALM: 8, ErrorCode.INADEQUATE_SECURITY: 7}
_INTERNAL: Final = 13
_NAMES: Final[dict[int, str]] = {code: code.name for code in ErrorCode}
_LONGEST_TIMEOUT: Final = 99_999_999


class RequestHeads:
    """The headers of the calls to one server."""

    def __init__(self, authority: str, headers: HeaderItems, *, tls: bool) -> None:
        scheme = "https" if tls else "http"
        self._start = ((":method", "POST"), (":scheme", scheme), (":authority", authority))
        self._rest = (("te", "trailers"), ("content-type", "application/grpc"), *headers)

    def make(self, call: Call[Any], deadline: Deadline) -> HeaderItems:
        """Return the headers of a call."""
        headers = (*self._start, (":path", call.target), *self._rest, *call.headers)
        if deadline.timeout is None:
            return headers
        # As it was when the call began: equal headers are packed once.
        return (*headers, ("grpc-timeout", _encode_timeout(deadline.timeout)))


def _encode_timeout(seconds: float) -> str:
    milliseconds = max(1, round(seconds * 1000))
    if milliseconds <= _LONGEST_TIMEOUT:
        return f"{milliseconds}m"
    return f"{min(round(seconds), _LONGEST_TIMEOUT)}S"


class GrpcStream:
    """What has come of a call.

    Attributes:
        id: of the HTTP/2 stream.
        messages: those that are complete and not taken.
        ended: nothing else comes.
        error: what the call ends with, ``None`` if its status is OK.
    """

    __slots__ = (
        "_buffer",
        "_filled",
        "_head",
        "_headers",
        "_size",
        "_status",
        "_window",
        "ended",
        "error",
        "id",
        "messages",
    )

    def __init__(self, stream_id: int) -> None:
        self.id = stream_id
        self.messages: deque[memoryview] = deque()
        self.ended = False
        self.error: SrvError | None = None
        self._headers: Headers = ()
        self._status = 0
        self._window = WINDOW
        # The message under way: its prefix as far as it has come, its size (-1 before that), its memory.
        self._head = b""
        self._size = -1
        self._filled = 0
        self._buffer: memoryview | None = None

    # What comes.

    def take(self, event: StreamEvent) -> None:
        """Take an event of this stream."""
        if isinstance(event, DataReceived):
            self.take_data(event.data, event.size, ended=event.ended)
        elif isinstance(event, TrailersReceived):
            self.take_trailers(event.headers)
        elif isinstance(event, ResponseReceived):
            self.take_response(event.headers, ended=event.ended)
        else:
            self.take_reset(event.code)

    def take_response(self, headers: Headers, *, ended: bool) -> None:
        """Take the headers of the response, which may be all of it."""
        self._headers = headers
        self._status = int(headers[0][1])
        if ended:
            self.take_trailers(headers)

    def take_trailers(self, headers: Headers) -> None:
        """Take the end: status and metadata."""
        found = dict(headers)
        status = found.get("grpc-status")
        if status is None or not status.isdigit():
            self._end_without_status()
        elif status != "0":
            self._finish(grpc_error(int(status), unquote(found.get("grpc-message", ""))))
        elif self._size >= 0 or self._head:
            self._finish(ServerError("the server's answer ends inside a message"))
        else:
            self._finish(None)
        if headers is not self._headers:
            self._headers += headers

    def _end_without_status(self) -> None:
        http = self._status
        if http == 200:  # OK
            self._finish(ServerError("the server's answer has no gRPC status; does it speak gRPC?"))
        else:
            self._finish(grpc_error(grpc_status_of(http), f"the server does not speak gRPC: its HTTP status is {http}"))

    def take_data(self, data: memoryview, size: int, *, ended: bool) -> None:
        """Take a piece of the messages, which took `size` bytes of the window.

        It is copied, unless it came to its place.
        """
        self._window -= size
        if self._buffer is not None and data.obj is self._buffer.obj:
            self._advance(len(data))
        else:
            while data and not self.ended:
                data = self._take_piece(data)
        if ended and not self.ended:
            self._end_without_status()

    def _take_piece(self, data: memoryview) -> memoryview:
        if self._size < 0:
            missing = _PREFIX_SIZE - len(self._head)
            if missing > len(data):
                self._head += data
                return data[len(data) :]
            prefix = self._head + data[:missing] if self._head else data
            packed, self._size = PREFIX.unpack_from(prefix)
            self._head = b""
            data = data[missing:]
            if packed:
                self._finish(ServerError("the server's answer is compressed, which was not asked for"))
                return data
            if len(data) >= self._size:
                # Copied, since the buffer that it lies in is used again.
                end = self._size
                self._size = -1
                self.messages.append(memoryview(bytes(data[:end])))
                return data[end:]
            self._buffer = new_buffer(self._size)
            self._filled = 0
        assert self._buffer is not None  # noqa: S101  # it has been made with the prefix
        piece = data[: self._size - self._filled]
        self._buffer[self._filled : self._filled + len(piece)] = piece
        self._advance(len(piece))
        return data[len(piece) :]

    def _advance(self, size: int) -> None:
        assert self._buffer is not None  # noqa: S101  # as above
        self._filled += size
        if self._filled == self._size:
            self.messages.append(self._buffer.toreadonly())
            self._size = -1
            self._buffer = None

    def take_reset(self, code: int) -> None:
        """Take note that the server has ended the call; one that is answered already was ended for good."""
        if self.ended:
            return
        if code == ErrorCode.REFUSED_STREAM:
            self._finish(ConnectionLost("the server has refused the call", begun=False))
        else:
            name = _NAMES.get(code, str(code))
            status = _RESETS.get(code, _INTERNAL)
            self._finish(grpc_error(status, f"the server has ended the call without a status ({name})"))

    def fail(self, error: SrvError) -> None:
        """End the call with an error, unless it has ended."""
        if not self.ended:
            self._finish(error)

    def _finish(self, error: SrvError | None) -> None:
        self.error = error
        self.ended = True
        self._buffer = None

    # What is wanted.

    def room(self, size: int) -> memoryview | None:
        """Return where the next bytes of the message under way go, at most `size`; ``None`` if there is none."""
        if self._buffer is None:
            return None
        return self._buffer[self._filled : min(self._size, self._filled + size)]

    def refill(self, connection: ClientConnection) -> None:
        """Let the server send what is missing of the message under way, or the next one once others are taken."""
        if self.ended:
            return
        missing = self._size - self._filled if self._size >= 0 else 0
        wanted = missing + _PREFIX_SIZE if missing > self._window else 0
        if not wanted and not self.messages and self._window < WINDOW // 2:
            wanted = WINDOW
        if wanted > self._window:
            connection.grow_window(self.id, wanted - self._window)
            self._window = wanted

    def reply(self) -> Reply:
        """Return the one message of a call that has ended.

        Raises:
            SrvError: the call has failed.
        """
        if self.error is not None:
            raise self.error
        if len(self.messages) != 1:
            raise ServerError(f"the server's answer: expected one message, got {len(self.messages)}")
        return self.next_reply()

    def next_reply(self) -> Reply:
        """Take the next message."""
        return Reply(self._status, self.metadata(), self.messages.popleft())

    def metadata(self) -> dict[str, str]:
        """Return the headers and trailers that are not about the call itself."""
        return {
            name: value
            for name, value in self._headers
            if name[0] != ":" and name not in _UNTOLD and not name.startswith("grpc-")
        }

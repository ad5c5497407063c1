"""One connection, as a client sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from srv.http2 import _frames as frames
from srv.http2._connection import Connection
from srv.http2._errors import ErrorCode, StreamFault
from srv.http2._events import ResponseReceived, TrailersReceived
from srv.http2._headers import find_problem, find_response_problem
from srv.http2._limits import Limits
from srv.http2._stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from srv.http2._headers import Headers

# A client has chosen its server, and is told more than it asks.
_LIMITS: Final = Limits(
    max_concurrent_streams=1,
    stream_window=1 << 23,
    max_frame_size=1 << 20,
    control_burst=10_000,
    control_rate=10_000,
    reset_burst=1 << 30,
)


class ClientConnection(Connection):
    """The client's side of a connection: it opens streams, and pushes are refused.

    What :meth:`receive_data` returns has :class:`~srv.http2._events.ResponseReceived` where a server's has requests.
    """

    _peer_preface: ClassVar[bytes] = b""

    @staticmethod
    def _find_problem(headers: Headers) -> str | None:
        return find_response_problem(headers)

    def __init__(self, limits: Limits = _LIMITS) -> None:
        super().__init__(limits)
        self._out.insert(0, frames.PREFACE)

    @staticmethod
    def _settings(limits: Limits) -> dict[int, int]:
        return {
            frames.ENABLE_PUSH: 0,
            frames.INITIAL_WINDOW_SIZE: limits.stream_window,
            frames.MAX_FRAME_SIZE: limits.max_frame_size,
            frames.MAX_HEADER_LIST_SIZE: limits.max_header_list_size,
        }

    @property
    def max_streams(self) -> int:
        """How many streams the server lets be open at the same time."""
        return self._peer.max_concurrent_streams

    @property
    def exhausted(self) -> bool:
        """Whether no stream can be opened any more: there are no numbers left."""
        return self._highest > frames.LAST_STREAM - 2

    @property
    def open_streams(self) -> int:
        """How many streams are open."""
        return len(self._streams)

    @property
    def data_under_way(self) -> tuple[int, int]:
        """The stream of the DATA frame whose payload is being read, 0 for none, and the bytes of it that are missing.

        They may be received into the memory that they belong to, and given to :meth:`receive_data` from there.
        """
        return (self._data_stream, self._data_left) if self._data_left else (0, 0)

    def open_stream(self, headers: Iterable[tuple[str, str]]) -> int:
        """Begin a stream with the headers of a request, and return its number."""
        stream_id = self._highest = self._highest + 2 if self._highest else 1
        self._streams[stream_id] = Stream(self._peer.initial_window, self._limits.stream_window, None, peer_ended=False)
        self.send_headers(stream_id, headers)
        return stream_id

    def _take_block(self, stream_id: int, block: bytes, *, last: bool) -> None:
        # Whoever it is for, the next one may refer to what is in it.
        headers, problem, _ = self._decoder.decode(block)
        stream = self._streams.get(stream_id)
        if stream is None:
            self._check_closed(stream_id)
            return
        if stream.peer_ended:
            raise StreamFault(stream_id, ErrorCode.STREAM_CLOSED, "HEADERS come behind the end of the stream")
        if stream.answered:
            problem = find_problem(headers, trailers=True)
            if problem is None and not last:
                problem = "trailers do not end the stream"
            if problem is not None:
                raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, problem)
            self._events.append(TrailersReceived(stream_id, headers))
            self._end_peer(stream_id)
            return
        if problem is None and headers[0][1][0] == "1":
            # Informational: the response follows (section 8.1).
            problem = "an informational response ends the stream" if last else None
            if problem is None:
                return
        if problem is not None:
            raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, problem)
        stream.answered = True
        self._events.append(ResponseReceived(stream_id, headers, last))
        if last:
            self._end_peer(stream_id)

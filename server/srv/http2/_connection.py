"""One connection, as the server sees it."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

from srv.http2 import _frames as frames
from srv.http2._bucket import Bucket
from srv.http2._errors import ConnectionFault, ErrorCode, StreamClosed, StreamFault
from srv.http2._events import (
    ConnectionFailed,
    DataReceived,
    GoingAway,
    PingAcknowledged,
    RequestReceived,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from srv.http2._headers import HeaderDecoder, HeaderEncoder, find_problem
from srv.http2._limits import Limits
from srv.http2._reader import FrameReader
from srv.http2._settings import PeerSettings
from srv.http2._stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from srv.http2._events import Event
    from srv.http2._headers import Headers

Buffer: TypeAlias = bytes | memoryview
"""What is sent."""

# What all streams together may send before the connection's window is grown, which is when half of it is used up: what
# holds a peer back are the windows of its streams.
_WINDOW: Final = 1 << 30
# Streams that we have reset, of which a peer may not know yet.
_REMEMBERED: Final = 4096
_PRIORITY_SIZE: Final = 5
_NO_DATA: Final = memoryview(b"")


class Connection:
    """The server's side of a connection.

    Bytes go into :meth:`receive_data` and events come out; the other methods are what the server does. Either way there
    may be bytes to be sent afterwards, which :meth:`data_to_send` hands over.

    Raises:
        ValueError: a limit is out of its range.
    """

    # What a peer sends first, and what it begins messages with.
    _peer_preface: ClassVar[bytes] = frames.PREFACE

    @staticmethod
    def _find_problem(headers: Headers) -> str | None:
        """Return why a message cannot begin with these headers, ``None`` if it can."""
        return find_problem(headers)

    def __init__(self, limits: Limits | None = None, clock: Callable[[], float] = monotonic) -> None:
        self._limits = limits = limits or Limits()
        self._reader = FrameReader(self, limits, self._peer_preface)
        self._encoder = HeaderEncoder()
        self._decoder = HeaderDecoder(limits.max_header_list_size, self._find_problem)
        self._peer = PeerSettings()
        self._controls = Bucket(limits.control_burst, limits.control_rate, clock)
        self._resets = Bucket(limits.reset_burst, limits.reset_rate, clock)
        self._events: list[Event] = []
        self._failed = False
        self._settled = False
        # Above it streams are ignored, once the peer has been told so.
        self._last_stream: int | None = None
        self._highest = 0
        self._streams: dict[int, Stream] = {}
        # Streams that we have reset: the peer may not know yet. The oldest are forgotten.
        self._reset: dict[int, None] = {}
        self._send_window = frames.USUAL_WINDOW
        self._receive_window = _WINDOW
        # The DATA frame that is being read: its stream, 0 if nobody wants it, what is missing, whether it is the last.
        self._data_stream = 0
        self._data_left = 0
        self._data_overhead = 0
        self._data_last = False
        # The header block that is being read: its stream, 0 if there is none, whether it ends the stream.
        self._block = bytearray()
        self._block_stream = 0
        self._block_last = False
        payload = b"".join(frames.SETTING.pack(*each) for each in self._settings(limits).items())
        self._out: list[Buffer] = [
            frames.frame(frames.SETTINGS, 0, 0, payload),
            frames.window_update(0, _WINDOW - frames.USUAL_WINDOW),
        ]

    @staticmethod
    def _settings(limits: Limits) -> dict[int, int]:
        return {
            frames.MAX_CONCURRENT_STREAMS: limits.max_concurrent_streams,
            frames.INITIAL_WINDOW_SIZE: limits.stream_window,
            frames.MAX_FRAME_SIZE: limits.max_frame_size,
            frames.MAX_HEADER_LIST_SIZE: limits.max_header_list_size,
        }

    # What the peer does.

    def receive_data(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """Take bytes of the peer, and return what they say. Data in the events are views of `data`.

        A peer that breaks the rules makes an event too, and nothing is read any more behind
        :class:`~srv.http2._events.ConnectionFailed`.
        """
        if self._failed:
            return []
        try:
            self._reader.feed(memoryview(data))
        except ConnectionFault as fault:
            self._failed = True
            self.go_away(fault.code, str(fault).encode())
            self._events.append(ConnectionFailed(fault.code, str(fault)))
        events, self._events = self._events, []
        return events

    def begin_data(self, stream_id: int, flags: int, length: int, overhead: int) -> None:
        """Take note of a DATA frame (RFC 9113, section 6.1)."""
        self._check_order(frames.DATA, stream_id)
        # Never used up: no frame is as large as what is left of it.
        self._receive_window -= length
        if self._receive_window < _WINDOW // 2:
            self._out.append(frames.window_update(0, _WINDOW - self._receive_window))
            self._receive_window = _WINDOW
        left = length - overhead
        last = bool(flags & frames.END_STREAM)
        if left:
            self._controls.give()
        elif not last:
            self._count_control()
        self._data_stream = 0
        self._data_left = left
        stream = self._streams.get(stream_id)
        if stream is None:
            self._check_closed(stream_id)
            return
        try:
            self._account(stream_id, stream, length, left, last=last)
        except StreamFault as fault:
            self._reset_for(fault)
            return
        self._data_stream, self._data_last = stream_id, last
        self._data_overhead = overhead
        if not left and (last or overhead):
            self.take_data(_NO_DATA)

    @staticmethod
    def _account(stream_id: int, stream: Stream, length: int, size: int, *, last: bool) -> None:
        if stream.peer_ended:
            raise StreamFault(stream_id, ErrorCode.STREAM_CLOSED, "DATA comes behind the end of the stream")
        stream.receive_window -= length
        if stream.receive_window < 0:
            raise StreamFault(stream_id, ErrorCode.FLOW_CONTROL_ERROR, "DATA goes beyond the window of the stream")
        if stream.expected is not None:
            stream.expected -= size
            if stream.expected < 0 or (last and stream.expected):
                raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, "the body is not as long as content-length says")

    def take_data(self, data: memoryview) -> None:
        """Take a piece of the DATA frame that is being read."""
        self._data_left -= len(data)
        stream_id = self._data_stream
        if not stream_id:
            return
        last = self._data_last and not self._data_left
        self._events.append(DataReceived(stream_id, data, len(data) + self._data_overhead, last))
        self._data_overhead = 0
        if last:
            self._end_peer(stream_id)

    def take_frame(self, kind: int, flags: int, stream_id: int, payload: memoryview) -> None:
        """Take a frame that is not DATA; one of a type that is not known says nothing (RFC 9113, section 5.5)."""
        self._check_order(kind, stream_id)
        take = self._TAKES.get(kind)
        if take is None:
            self._count_control()
            return
        try:
            take(self, flags, stream_id, payload)
        except StreamFault as fault:
            self._reset_for(fault)

    def _check_order(self, kind: int, stream_id: int) -> None:
        if not self._settled and kind != frames.SETTINGS:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS")
        # RFC 9113, section 6.10.
        if self._block_stream and (kind != frames.CONTINUATION or stream_id != self._block_stream):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a frame stands within a header block")

    def _count_control(self) -> None:
        if not self._controls.take():
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "too many frames that do no work")

    def _count_reset(self) -> None:
        if not self._resets.take():
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "too many streams end before they are answered")

    def _check_closed(self, stream_id: int) -> None:
        """Return if a stream that is not open was closed by us, a moment ago for the peer."""
        if stream_id in self._reset or (self._last_stream is not None and stream_id > self._last_stream):
            return
        if stream_id > self._highest or not stream_id % 2:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"a frame is for stream {stream_id}, which has not begun")
        raise ConnectionFault(ErrorCode.STREAM_CLOSED, f"a frame is for stream {stream_id}, which has ended")

    def _check_begun(self, stream_id: int) -> None:
        ours = self._last_stream is None or stream_id <= self._last_stream
        if not stream_id % 2 or (stream_id > self._highest and ours):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"a frame is for stream {stream_id}, which has not begun")

    def _take_headers(self, flags: int, stream_id: int, payload: memoryview) -> None:
        if not stream_id % 2:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"HEADERS are for stream {stream_id}, which is no client's")
        start, end = 0, len(payload)
        if flags & frames.PADDED:
            start = 1
            end -= payload[0] if end else 1
        if flags & frames.PRIORITIZED:
            if len(payload) < start + _PRIORITY_SIZE:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "HEADERS have no room for their priority")
            start += _PRIORITY_SIZE
        if start > end:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the padding of HEADERS is longer than the frame")
        last = bool(flags & frames.END_STREAM)
        if flags & frames.END_HEADERS and end - start <= self._limits.max_header_list_size:
            self._take_block(stream_id, bytes(payload[start:end]), last=last)
            return
        self._block_stream, self._block_last = stream_id, last
        self._add_to_block(flags, payload[start:end])

    def _take_continuation(self, flags: int, stream_id: int, payload: memoryview) -> None:
        if not self._block_stream:
            raise ConnectionFault(
                ErrorCode.PROTOCOL_ERROR, f"CONTINUATION is for stream {stream_id}, which has no open header block"
            )
        if not payload:
            self._count_control()
        self._add_to_block(flags, payload)

    def _add_to_block(self, flags: int, fragment: memoryview) -> None:
        if len(self._block) + len(fragment) > self._limits.max_header_list_size:
            raise ConnectionFault(
                ErrorCode.ENHANCE_YOUR_CALM, f"a header block has more than {self._limits.max_header_list_size} bytes"
            )
        self._block += fragment
        if flags & frames.END_HEADERS:
            block, self._block = bytes(self._block), bytearray()
            stream_id, self._block_stream = self._block_stream, 0
            self._take_block(stream_id, block, last=self._block_last)

    def _take_block(self, stream_id: int, block: bytes, *, last: bool) -> None:
        # Whoever it is for, the next one may refer to what is in it.
        headers, problem, expected = self._decoder.decode(block)
        stream = self._streams.get(stream_id)
        if stream is not None:
            if stream.peer_ended:
                raise StreamFault(stream_id, ErrorCode.STREAM_CLOSED, "HEADERS come behind the end of the stream")
            problem = find_problem(headers, trailers=True)
            if problem is None and not last:
                problem = "trailers do not end the stream"
            if problem is None and stream.expected:
                problem = "the body is not as long as content-length says"
            if problem is not None:
                raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, problem)
            self._events.append(TrailersReceived(stream_id, headers))
            self._end_peer(stream_id)
            return
        if stream_id <= self._highest or self._last_stream is not None:
            self._check_closed(stream_id)
            return
        self._highest = stream_id
        if len(self._streams) >= self._limits.max_concurrent_streams:
            most = self._limits.max_concurrent_streams
            raise StreamFault(stream_id, ErrorCode.REFUSED_STREAM, f"at most {most} streams are served at a time")
        if problem is None and last and expected:
            problem = "the body is not as long as content-length says"
        if problem is not None:
            raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, problem)
        self._streams[stream_id] = Stream(
            self._peer.initial_window, self._limits.stream_window, expected, peer_ended=last
        )
        self._controls.give()
        self._events.append(RequestReceived(stream_id, headers, last))

    def _take_priority(self, _: int, stream_id: int, payload: memoryview) -> None:
        if not stream_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "PRIORITY is for stream 0")
        self._count_control()
        if len(payload) != _PRIORITY_SIZE:
            problem = f"PRIORITY has {len(payload)} bytes, expected {_PRIORITY_SIZE}"
            if stream_id in self._streams:
                raise StreamFault(stream_id, ErrorCode.FRAME_SIZE_ERROR, problem)
            # A stream that is not open cannot be reset (section 6.4).
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, problem)

    def _take_reset(self, _: int, stream_id: int, payload: memoryview) -> None:
        self._check_begun(stream_id)
        stream = self._streams.pop(stream_id, None)
        if stream is None:
            return
        self._count_reset()
        (code,) = frames.UINT.unpack(payload)
        self._events.append(StreamReset(stream_id, code, by_peer=True))

    def _take_settings(self, flags: int, stream_id: int, payload: memoryview) -> None:
        if stream_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"SETTINGS are for stream {stream_id}")
        if flags & frames.ACK:
            if payload:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "an acknowledgement of SETTINGS is not empty")
            if not self._settled:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the first SETTINGS acknowledge nothing")
            return
        self._settled = True
        self._count_control()
        before = self._peer
        self._peer = before.changed(payload)
        for size in (self._peer.smallest_table, self._peer.header_table_size):
            self._encoder.limit_table(size)
        change = self._peer.initial_window - before.initial_window
        if change:
            for stream in self._streams.values():
                stream.send_window += change
                if stream.send_window > frames.LARGEST_WINDOW:
                    raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "SETTINGS make a window larger than 2^31-1")
            self._events.append(WindowUpdated(0))
        self._out.append(frames.frame(frames.SETTINGS, frames.ACK, 0, b""))

    def _take_push_promise(self, _: int, __: int, ___: memoryview) -> None:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE comes from a client")

    def _take_ping(self, flags: int, stream_id: int, payload: memoryview) -> None:
        if stream_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"PING is for stream {stream_id}")
        if flags & frames.ACK:
            self._events.append(PingAcknowledged(bytes(payload)))
            return
        self._count_control()
        self._out.append(frames.frame(frames.PING, frames.ACK, 0, bytes(payload)))

    def _take_goaway(self, _: int, stream_id: int, payload: memoryview) -> None:
        if stream_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"GOAWAY is for stream {stream_id}")
        if len(payload) < frames.TWO_UINTS.size:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY has less than 8 bytes")
        self._count_control()
        last, code = frames.TWO_UINTS.unpack_from(payload)
        self._events.append(GoingAway(code, last & frames.LAST_STREAM))

    def _take_window_update(self, _: int, stream_id: int, payload: memoryview) -> None:
        size = frames.UINT.unpack(payload)[0] & frames.LARGEST_WINDOW
        if not stream_id:
            self._send_window += size
            if not size:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE is of 0 bytes")
            if self._send_window > frames.LARGEST_WINDOW:
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "WINDOW_UPDATE goes beyond 2^31-1")
            self._events.append(WindowUpdated(0))
            return
        self._check_begun(stream_id)
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        stream.send_window += size
        if not size:
            raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE is of 0 bytes")
        if stream.send_window > frames.LARGEST_WINDOW:
            raise StreamFault(stream_id, ErrorCode.FLOW_CONTROL_ERROR, "WINDOW_UPDATE goes beyond 2^31-1")
        self._events.append(WindowUpdated(stream_id))

    def _end_peer(self, stream_id: int) -> None:
        stream = self._streams[stream_id]
        stream.peer_ended = True
        if stream.ended:
            del self._streams[stream_id]

    def _reset_for(self, fault: StreamFault) -> None:
        known = self._streams.pop(fault.stream_id, None) is not None
        if known:
            self._count_reset()
            self._events.append(StreamReset(fault.stream_id, fault.code, by_peer=False))
        self._forget(fault.stream_id, fault.code)

    def _forget(self, stream_id: int, code: ErrorCode) -> None:
        self._reset[stream_id] = None
        if stream_id == self._data_stream:
            self._data_stream = 0
        if len(self._reset) > max(_REMEMBERED, 2 * self._limits.max_concurrent_streams):
            del self._reset[next(iter(self._reset))]
        self._out.append(frames.rst_stream(stream_id, code))

    # What the server does.

    def data_to_send(self) -> list[Buffer]:
        """Return what is to be sent, in this order, and forget it. Large data are views of what was given."""
        out, self._out = self._out, []
        return out

    @property
    def settled(self) -> bool:
        """Whether the peer has sent its preface."""
        return self._settled

    def is_open(self, stream_id: int) -> bool:
        """Whether anything can still be sent on a stream."""
        stream = self._streams.get(stream_id)
        return stream is not None and not stream.ended

    def send_headers(self, stream_id: int, headers: Iterable[tuple[str, str]], *, end_stream: bool = False) -> None:
        """Send a header list: that of the answer, or its trailers.

        Raises:
            StreamClosed: nothing can be sent on the stream any more.
        """
        stream = self._sending(stream_id)
        self._controls.give()
        block = self._encoder.encode(tuple(headers))
        self._out += frames.header_frames(stream_id, block, self._peer.max_frame_size, end_stream=end_stream)
        if end_stream:
            self._end(stream_id, stream)

    def window(self, stream_id: int) -> int:
        """Return how many bytes can be sent on a stream now; there may be less than none.

        Raises:
            StreamClosed: nothing can be sent on the stream any more.
        """
        return min(self._sending(stream_id).send_window, self._send_window)

    def send_data(self, stream_id: int, data: Buffer, *, end_stream: bool = False) -> int:
        """Send as much of `data` as the windows allow, and return how many bytes that is.

        `end_stream` goes with the last of them.

        Raises:
            StreamClosed: nothing can be sent on the stream any more.
        """
        stream = self._sending(stream_id)
        self._controls.give()
        whole = len(data)
        size = min(whole, max(0, min(stream.send_window, self._send_window)))
        longest = self._peer.max_frame_size
        ends = end_stream and size == whole
        stream.send_window -= size
        self._send_window -= size
        out = self._out
        if size <= longest:
            if size or ends:
                out.append(frames.frame_header(size, frames.DATA, frames.END_STREAM if ends else 0, stream_id))
                out.append(data if size == whole else memoryview(data)[:size])
        else:
            view = memoryview(data)
            full = frames.frame_header(longest, frames.DATA, 0, stream_id)
            last = (size - 1) // longest * longest
            for pos in range(0, last, longest):
                out += (full, view[pos : pos + longest])
            header = frames.frame_header(size - last, frames.DATA, frames.END_STREAM if ends else 0, stream_id)
            out += (header, view[last:size])
        if ends:
            self._end(stream_id, stream)
        return size

    def reset_stream(self, stream_id: int, code: ErrorCode = ErrorCode.NO_ERROR) -> None:
        """End a stream on both sides, if it has not ended."""
        if self._streams.pop(stream_id, None) is not None:
            self._forget(stream_id, code)

    def grow_window(self, stream_id: int, size: int) -> None:
        """Let the peer send `size` bytes more on a stream, unless it has sent all."""
        stream = self._streams.get(stream_id)
        if stream is not None and not stream.peer_ended:
            stream.receive_window += size
            self._out.append(frames.window_update(stream_id, size))

    def ping(self, data: bytes) -> None:
        """Ask for an answer with the same 8 bytes."""
        self._out.append(frames.frame(frames.PING, 0, 0, data))

    def announce_end(self) -> None:
        """Ask the peer to begin no more streams, and take those that it begins before it knows (RFC 9113, 6.8)."""
        self._out.append(frames.frame(frames.GOAWAY, 0, 0, frames.TWO_UINTS.pack(2**31 - 1, ErrorCode.NO_ERROR)))

    def go_away(self, code: ErrorCode = ErrorCode.NO_ERROR, reason: bytes = b"") -> None:
        """Refuse streams that have not begun; the peer learns which have (RFC 9113, section 6.8)."""
        if self._last_stream is None:
            self._last_stream = self._highest
        payload = frames.TWO_UINTS.pack(self._last_stream, code) + reason
        self._out.append(frames.frame(frames.GOAWAY, 0, 0, payload))

    def _sending(self, stream_id: int) -> Stream:
        stream = self._streams.get(stream_id)
        if stream is None or stream.ended:
            message = f"stream {stream_id} is closed"
            raise StreamClosed(message)
        return stream

    def _end(self, stream_id: int, stream: Stream) -> None:
        stream.ended = True
        if stream.peer_ended:
            del self._streams[stream_id]

    _TAKES: ClassVar[Mapping[int, Callable[[Connection, int, int, memoryview], None]]] = {  # pyright: ignore[reportAssignmentType]  # Self is the class
        frames.HEADERS: _take_headers,
        frames.PRIORITY: _take_priority,
        frames.RST_STREAM: _take_reset,
        frames.SETTINGS: _take_settings,
        frames.PUSH_PROMISE: _take_push_promise,
        frames.PING: _take_ping,
        frames.GOAWAY: _take_goaway,
        frames.WINDOW_UPDATE: _take_window_update,
        frames.CONTINUATION: _take_continuation,
    }

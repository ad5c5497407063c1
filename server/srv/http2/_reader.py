"""Frames out of bytes that come in any pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from srv.http2 import _frames as frames
from srv.http2._errors import ConnectionFault, ErrorCode

if TYPE_CHECKING:
    from srv.http2._limits import Limits

# Kinds of frames with a payload of one size (RFC 9113, section 6), and its bytes. PRIORITY is another matter: a wrong
# size of it ends the stream only.
_SIZES: Final = {frames.RST_STREAM: 4, frames.PING: 8, frames.WINDOW_UPDATE: 4}
_HEADER_BLOCKS: Final = frozenset({frames.HEADERS, frames.CONTINUATION})
# Bytes beside the fragment in a HEADERS frame: length of the padding, padding, priority.
_BESIDE_BLOCK: Final = 1 + 255 + 5
_HEADER_SIZE: Final = frames.HEADER.size


class FrameHandler(Protocol):
    """Takes frames, as they are complete, and DATA as it comes."""

    def begin_data(self, stream_id: int, flags: int, length: int, overhead: int) -> None:
        """Take note of a DATA frame, of whose payload `overhead` bytes are padding and its length."""

    def take_data(self, data: memoryview) -> None:
        """Take a piece of the data that was begun; the last one of the frame makes it whole."""

    def take_frame(self, kind: int, flags: int, stream_id: int, payload: memoryview) -> None:
        """Take a frame of another kind."""


class FrameReader:
    """Cuts bytes into frames. It keeps no more of them than an incomplete frame that is not DATA.

    A client's bytes begin with its `preface`, a server's with none.
    """

    def __init__(self, handler: FrameHandler, limits: Limits, preface: bytes = frames.PREFACE) -> None:
        self._handler = handler
        self._longest = limits.max_frame_size
        self._longest_block = limits.max_header_list_size + _BESIDE_BLOCK
        self._rest = bytearray()
        self._preface = preface
        # Bytes of the DATA frame that is being read.
        self._data_left = 0
        self._padding_left = 0

    def feed(self, data: memoryview) -> None:
        """Take bytes, and hand on the frames.

        Raises:
            ConnectionFault: they are no frames, or one is larger than allowed.
            And what the handler raises.
        """
        pos = self._take_preface(data) if self._preface else 0
        end = len(data)
        while pos < end:
            if self._data_left or self._padding_left:
                pos = self._take_data(data, pos)
            elif self._rest:
                pos = self._complete(data, pos)
            else:
                size = self._size(data, pos)
                if size > end - pos:
                    self._rest += data[pos:]
                    return
                self._take(data[pos : pos + size])
                pos += size

    def _take_preface(self, data: memoryview) -> int:
        size = min(len(self._preface), len(data))
        if bytes(data[:size]) != self._preface[:size]:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the connection does not begin with the preface of HTTP/2")
        self._preface = self._preface[size:]
        return size

    def _take_data(self, data: memoryview, pos: int) -> int:
        if self._data_left:
            piece = data[pos : pos + self._data_left]
            self._data_left -= len(piece)
            self._handler.take_data(piece)
            return pos + len(piece)
        skipped = min(self._padding_left, len(data) - pos)
        self._padding_left -= skipped
        return pos + skipped

    def _complete(self, data: memoryview, pos: int) -> int:
        """Put bytes to those that are kept, and hand on their frame once it is there."""
        rest = self._rest
        missing = self._size(rest, 0) - len(rest)
        rest += data[pos : pos + missing]
        pos = min(pos + missing, len(data))
        if len(rest) >= self._size(rest, 0):
            self._rest = bytearray()
            self._take(memoryview(rest))
        return pos

    def _size(self, data: memoryview | bytearray, pos: int) -> int:
        """Return how many bytes must be there to go on: those of the header at least; of DATA not the payload."""
        if len(data) - pos < _HEADER_SIZE:
            return _HEADER_SIZE
        upper, lower, kind, flags, _ = frames.HEADER.unpack_from(data, pos)
        length: int = upper << 8 | lower
        if length > self._longest:
            problem = f"a frame has {length} bytes, at most {self._longest} are taken"
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, problem)
        if kind == frames.DATA:
            return _HEADER_SIZE + (1 if flags & frames.PADDED and length else 0)
        if kind in _HEADER_BLOCKS and length > self._longest_block:
            problem = f"a header block has {length} bytes or more, at most {self._longest_block} are taken"
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, problem)
        if length != _SIZES.get(kind, length):
            problem = f"a frame of type {kind} has {length} bytes, expected {_SIZES[kind]}"
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, problem)
        return _HEADER_SIZE + length

    def _take(self, frame: memoryview) -> None:
        upper, lower, kind, flags, stream_id = frames.HEADER.unpack_from(frame)
        stream_id &= frames.LAST_STREAM
        if kind != frames.DATA:
            self._handler.take_frame(kind, flags, stream_id, frame[_HEADER_SIZE:])
            return
        length = upper << 8 | lower
        overhead = 0
        if flags & frames.PADDED:
            if not length or frame[_HEADER_SIZE] >= length:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the padding of a DATA frame is longer than the frame")
            self._padding_left = frame[_HEADER_SIZE]
            overhead = self._padding_left + 1
        self._data_left = length - overhead
        self._handler.begin_data(stream_id, flags, length, overhead)

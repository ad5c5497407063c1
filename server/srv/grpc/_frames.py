"""DATA frames by a shorter way than h2's, which makes a text of every frame, logged or not, and copies it three times."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from h2.connection import ConnectionInputs, H2Connection
from h2.frame_buffer import FrameBuffer
from hyperframe.frame import DataFrame

from srv.grpc._hpack import KnownDecoder, KnownEncoder

if TYPE_CHECKING:
    from h2.config import H2Configuration
    from hyperframe.frame import Frame

# RFC 9113, section 4.1: the length's upper bits and its lower byte, type, flags, stream.
_HEADER: Final = struct.Struct(">HBBBL")
_DATA: Final = 0
_PADDED: Final = 8
_NO_FLAGS: Final[frozenset[str]] = frozenset()
_END_STREAM: Final = frozenset({"END_STREAM"})


class _Data:
    """A DATA frame without padding, as h2 reads one."""

    __slots__ = ("data", "flags", "flow_controlled_length", "stream_id")

    def __init__(self, stream_id: int, data: bytes, flags: frozenset[str]) -> None:
        self.stream_id = stream_id
        self.data = data
        self.flags = flags
        self.flow_controlled_length = len(data)


class _Frames(FrameBuffer):
    """Takes DATA frames out with one copy; all others are h2's business, and so is whatever is wrong."""

    def __next__(self) -> Frame | _Data:  # type: ignore[override]  # h2 looks at what stands in _Data
        received = self._data
        if len(received) >= _HEADER.size and received[3] == _DATA and not self._headers_buffer:
            upper, lower, _, flags, stream_id = _HEADER.unpack_from(received)
            length = upper << 8 | lower
            end = _HEADER.size + length
            stream_id &= 0x7FFFFFFF
            if len(received) < end:
                raise StopIteration
            if length <= self.max_frame_size and not flags & _PADDED and stream_id:
                with memoryview(received) as view:
                    data = view[_HEADER.size : end].tobytes()
                del received[:end]
                return _Data(stream_id, data, _END_STREAM if flags & 1 else _NO_FLAGS)
        return super().__next__()


class ServerConnection(H2Connection):
    """h2's connection, with these frames, and header blocks that are coded once."""

    def __init__(self, config: H2Configuration) -> None:
        super().__init__(config)
        self.encoder = KnownEncoder()
        self.decoder = KnownDecoder(self.DEFAULT_MAX_HEADER_LIST_SIZE)
        self.incoming_buffer = _Frames(server=True)
        self._frame_dispatch_table[_Data] = self._frame_dispatch_table[DataFrame]  # type: ignore[index]  # as above

    def frame(self, stream_id: int, data: memoryview) -> list[bytes | memoryview]:
        """Return `data` as DATA frames, which are views of it, to be written behind :meth:`data_to_send`.

        It is not more than the flow control allows.

        Raises:
            ProtocolError: the stream is closed.
        """
        size = len(data)
        self.state_machine.process_input(ConnectionInputs.SEND_DATA)
        # It looks at nothing but the length.
        self.streams[stream_id].send_data(range(size))  # type: ignore[arg-type]
        self.outbound_flow_control_window -= size
        frames: list[bytes | memoryview] = []
        longest = self.max_outbound_frame_size
        for pos in range(0, size, longest):
            piece = data[pos : pos + longest]
            frames += (_HEADER.pack(len(piece) >> 8, len(piece) & 0xFF, _DATA, 0, stream_id), piece)
        return frames

"""DATA frames by a shorter way than h2's, which makes a text of every frame, logged or not, and copies it thrice."""

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
_STREAM: Final = struct.Struct(">L")
_DATA: Final = 0
_PADDED: Final = 8
_END_STREAM: Final = 1
_LAST_STREAM: Final = (1 << 31) - 1
_NO_FLAGS: Final[frozenset[str]] = frozenset()
_ENDED: Final = frozenset({"END_STREAM"})


class _Data:
    """DATA frames of one stream that came behind one another, as h2 reads one frame. None has padding."""

    __slots__ = ("data", "flags", "flow_controlled_length", "stream_id")

    def __init__(self, stream_id: int, data: bytes, flags: frozenset[str]) -> None:
        self.stream_id = stream_id
        self.data = data
        self.flags = flags
        self.flow_controlled_length = len(data)


class _Frames(FrameBuffer):
    """Takes DATA frames out together, with one copy; all others are h2's business, and so is whatever is wrong."""

    def __next__(self) -> Frame | _Data:  # type: ignore[override]  # h2 looks at what stands in _Data
        received = self._data
        if len(received) > _HEADER.size and received[3] == _DATA and not self._headers_buffer:
            data = self._take()
            if data is not None:
                return data
        return super().__next__()

    def _take(self) -> _Data | None:
        received, longest = self._data, self.max_frame_size
        (stream_id,) = _STREAM.unpack_from(received, _HEADER.size - _STREAM.size)
        if not 0 < stream_id <= _LAST_STREAM:
            return None
        pieces: list[memoryview] = []
        pos = ended = 0
        with memoryview(received) as view:
            while not ended and pos + _HEADER.size <= len(received):
                upper, lower, kind, flags, whose = _HEADER.unpack_from(received, pos)
                length = upper << 8 | lower
                start = pos + _HEADER.size
                end = start + length
                ours = kind == _DATA and not flags & _PADDED and whose == stream_id
                if not ours or end > len(received) or length > longest:
                    break
                pieces.append(view[start:end])
                ended = flags & _END_STREAM
                pos = end
            if not pos:
                return None
            data = b"".join(pieces)
            pieces.clear()  # no view may be left when bytes are taken out
        del received[:pos]
        return _Data(stream_id, data, _ENDED if ended else _NO_FLAGS)


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

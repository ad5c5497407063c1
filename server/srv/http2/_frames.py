"""The layout of frames (RFC 9113, sections 4.1 and 6)."""

from __future__ import annotations

import struct
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client sends first (section 3.4)."""

DATA: Final = 0
HEADERS: Final = 1
PRIORITY: Final = 2
RST_STREAM: Final = 3
SETTINGS: Final = 4
PUSH_PROMISE: Final = 5
PING: Final = 6
GOAWAY: Final = 7
WINDOW_UPDATE: Final = 8
CONTINUATION: Final = 9

ACK: Final = 0x1
END_STREAM: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
PRIORITIZED: Final = 0x20

HEADER_TABLE_SIZE: Final = 1
ENABLE_PUSH: Final = 2
MAX_CONCURRENT_STREAMS: Final = 3
INITIAL_WINDOW_SIZE: Final = 4
MAX_FRAME_SIZE: Final = 5
MAX_HEADER_LIST_SIZE: Final = 6

USUAL_WINDOW: Final = (1 << 16) - 1
LARGEST_WINDOW: Final = (1 << 31) - 1
SMALLEST_MAX_FRAME: Final = 1 << 14
LARGEST_FRAME: Final = (1 << 24) - 1
LAST_STREAM: Final = (1 << 31) - 1

# The length's upper bits and its lower byte, type, flags, stream.
HEADER: Final = struct.Struct(">HBBBL")
UINT: Final = struct.Struct(">L")
SETTING: Final = struct.Struct(">HL")
TWO_UINTS: Final = struct.Struct(">LL")


def frame_header(length: int, kind: int, flags: int, stream_id: int) -> bytes:
    """Return the nine bytes in front of a payload."""
    return HEADER.pack(length >> 8, length & 0xFF, kind, flags, stream_id)


def frame(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    """Return a frame."""
    return frame_header(len(payload), kind, flags, stream_id) + payload


def window_update(stream_id: int, size: int) -> bytes:
    """Return a frame that gives the peer room for `size` bytes more (section 6.9)."""
    return frame(WINDOW_UPDATE, 0, stream_id, UINT.pack(size))


def rst_stream(stream_id: int, code: int) -> bytes:
    """Return a frame that ends a stream (section 6.4)."""
    return frame(RST_STREAM, 0, stream_id, UINT.pack(code))


def header_frames(stream_id: int, block: bytes, longest: int, *, end_stream: bool) -> list[bytes]:
    """Return HEADERS, and CONTINUATION where the block is longer than a frame (sections 6.2 and 6.10)."""
    flags = END_STREAM if end_stream else 0
    if len(block) <= longest:
        return [frame(HEADERS, flags | END_HEADERS, stream_id, block)]
    frames = [frame(HEADERS, flags, stream_id, block[:longest])]
    for pos in range(longest, len(block), longest):
        last = END_HEADERS if pos + longest >= len(block) else 0
        frames.append(frame(CONTINUATION, last, stream_id, block[pos : pos + longest]))
    return frames

"""Varints and tags: the smallest pieces of the protobuf encoding.

Source: "Encoding" in the Protocol Buffers documentation.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from srv_protocol._errors import WireError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_VARINT_BYTES: Final = 10
MAX_SHORT_VARINT_BYTES: Final = 5
"""Tags and lengths are 32-bit values; longer forms of them are refused, as in Google's parsers."""
MAX_TAG: Final = 0xFFFF_FFFF
"""Field numbers have at most 29 bits, so a tag fits 32."""
Bytes = bytes | memoryview
UINT64_MASK: Final = 0xFFFF_FFFF_FFFF_FFFF


class WireType(enum.IntEnum):
    """The low three bits of a tag."""

    VARINT = 0
    FIXED64 = 1
    LENGTH = 2
    GROUP_START = 3
    GROUP_END = 4
    FIXED32 = 5


def read_varint(buffer: Bytes, pos: int, end: int) -> tuple[int, int]:
    """Return the varint at `pos` as an unsigned 64-bit value, and the position behind it.

    Raises:
        WireError: the bytes end inside it, or it has more than ten bytes.
    """
    if pos < end and buffer[pos] < 0x80:
        return buffer[pos], pos + 1
    value = shift = 0
    for cursor in range(pos, min(end, pos + MAX_VARINT_BYTES)):
        byte = buffer[cursor]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & UINT64_MASK, cursor + 1
        shift += 7
    if end - pos < MAX_VARINT_BYTES:
        raise truncated(end)
    raise WireError(f"protobuf: varint at byte {pos} has more than {MAX_VARINT_BYTES} bytes")


def write_varint(value: int) -> bytes:
    """Return an unsigned 64-bit value as a varint."""
    if value < 0x80:
        return _SINGLE[value]
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_SINGLE: Final = tuple(bytes((value,)) for value in range(0x80))


def read_varints(buffer: memoryview) -> NDArray[np.uint64] | NDArray[np.uint8] | None:
    """Return all varints of a buffer, which is not empty, as :func:`read_varint` reads them one by one.

    A view of the buffer where each has one byte, else a new array; ``None`` when the last one is not complete, or one
    has more than ten bytes.
    """
    data = np.frombuffer(buffer, np.uint8)
    if data[-1] >= 0x80:
        return None
    last = data < 0x80
    if last.all():
        return data
    ends = np.flatnonzero(last)
    sizes = np.diff(ends, prepend=-1)
    longest = int(sizes.max())
    if longest > MAX_VARINT_BYTES:
        return None
    width = 4 if longest <= 4 else 8
    # The `width` bytes that end with each byte of the data, as little-endian integers.
    padded = np.concatenate((np.zeros(width - 1, np.uint8), data))
    windows: NDArray[Any] = np.ndarray((data.size,), f"<u{width}", padded, strides=(1,))
    values: NDArray[np.uint64] = np.empty(ends.size, np.uint64)
    # In blocks, so that what lies between the steps stays in the cache.
    for start in range(0, ends.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        if longest <= width:
            shifts = 8 * (width - sizes[block])
            groups: NDArray[Any] = windows[ends[block]] >> shifts.astype(windows.dtype)
            values[block] = _join_4(groups) if width == 4 else _join_8(groups)
        else:
            values[block] = _join_long(data, windows, ends[block], sizes[block])
    return values


_BLOCK: Final = 8192


def _join_4(groups: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Move the seven bits of each of four bytes together."""
    for low, high, shift in _JOINS_4:
        groups = groups & low | (groups & high) >> shift
    return groups


_JOINS_4: Final = tuple(
    (np.uint32(low), np.uint32(high), np.uint32(shift))
    for low, high, shift in ((0x007F_007F, 0x7F00_7F00, 1), (0x0000_3FFF, 0x3FFF_0000, 2))
)


def _join_8(groups: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Move the seven bits of each of eight bytes together."""
    for low, high, shift in _JOINS_8:
        groups = groups & low | (groups & high) >> shift
    return groups


_JOINS_8: Final = tuple(
    (np.uint64(low), np.uint64(high), np.uint64(shift))
    for low, high, shift in (
        (0x007F_007F_007F_007F, 0x7F00_7F00_7F00_7F00, 1),
        (0x0000_3FFF_0000_3FFF, 0x3FFF_0000_3FFF_0000, 2),
        (0x0000_0000_0FFF_FFFF, 0x0FFF_FFFF_0000_0000, 4),
    )
)


def _join_long(
    data: NDArray[np.uint8], windows: NDArray[np.uint64], ends: NDArray[np.intp], sizes: NDArray[np.intp]
) -> NDArray[np.uint64]:
    """Join varints of which some have nine or ten bytes; of the tenth, one bit is left."""
    long = np.flatnonzero(sizes > 8)
    firsts = ends.copy()
    firsts[long] += 8 - sizes[long]
    values = _join_8(windows[firsts] >> (8 * (8 - np.minimum(sizes, 8))).astype(np.uint64))
    for index, shift in ((8, 56), (9, 63)):
        long = long[sizes[long] > index]
        group = data[ends[long] - sizes[long] + 1 + index].astype(np.uint64) & np.uint64(0x7F)
        values[long] |= group << np.uint64(shift)
    return values


def write_varints(values: NDArray[np.uint64]) -> bytes:
    """Return unsigned 64-bit values, of which there is one or more, as varints behind each other."""
    columns = range(0, max(int(values.max()).bit_length(), 1), 7)
    out = np.empty((values.size, len(columns)), np.uint8)
    used = np.empty(out.shape, np.bool_)
    for index, shift in enumerate(columns):
        rest = values >> shift
        used[:, index] = rest != 0
        out[:, index] = (rest & 0x7F) + (rest > 0x7F) * np.uint8(0x80)
    used[:, 0] = True
    return out[used].tobytes()


def truncated(pos: int) -> WireError:
    """Return the error for a message that ends before a value is complete."""
    return WireError(f"protobuf: the message is truncated at byte {pos}")

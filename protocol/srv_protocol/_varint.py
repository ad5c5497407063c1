"""Varints and tags: the smallest pieces of the protobuf encoding.

Source: "Encoding" in the Protocol Buffers documentation.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

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


def read_varints(buffer: memoryview) -> NDArray[np.uint64] | None:
    """Return all varints of a buffer, which is not empty, as :func:`read_varint` reads them one by one.

    ``None`` when the last one is not complete, or one has more than ten bytes.
    """
    data = np.frombuffer(buffer, np.uint8)
    if data[-1] >= 0x80:
        return None
    ends = np.flatnonzero(data < 0x80)
    values = data[ends].astype(np.uint64)
    if ends.size == data.size:
        return values
    sizes = np.diff(ends, prepend=-1)
    if sizes.max() > MAX_VARINT_BYTES:
        return None
    # From the last byte, which is the highest, to the first; fewer varints have each further byte.
    longer = np.arange(ends.size)
    for size in range(1, int(sizes.max())):
        longer = longer[sizes[longer] > size]
        values[longer] = values[longer] << 7 | data[ends[longer] - size] & 0x7F
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

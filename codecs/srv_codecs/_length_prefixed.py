"""The raw form of BYTES elements: of each its length, as 4 little-endian bytes, and its bytes.

Where an element begins is known only from all those before it. Many are found all at once nevertheless: where lengths
seem to be is guessed from the bytes, and when each of them leads to the next, there is no other reading. Whatever does
not fit is read one by one, which alone decides what is an error.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from srv_codecs._place import Place

_LENGTH: Final = struct.Struct("<I")
MAX_ELEMENT_SIZE: Final = (1 << 32) - 1

_SHORT: Final = 256
"""Lengths below it have three bytes of zero, by which they are found."""
_PREFIXES: Final = tuple(map(_LENGTH.pack, range(_SHORT)))
# Elements below which a loop joins them faster.
_FEW: Final = 16
# Elements from which on it is faster to find them all at once: when they have one length, and when they have several.
_MANY_EQUAL: Final = 32
_MANY: Final = 1024
# Bytes for each element, up to which it is faster to look at all of them; copying costs most beyond.
_DENSE: Final = 96
# Places beside the lengths that look like one, up to which it is worth its memory to tell them apart.
_FALSE: Final = 1 << 22
# Elements of each length, from which on it is faster to copy those of one length together.
_GROUP: Final = 48


def split_elements(buffer: memoryview, count: int, place: Place) -> NDArray[np.object_]:
    """Return a flat array of `count` bytes objects; each is a copy.

    Fails at `place`, in Triton's words, unless exactly so many are there.
    """
    # A shape may claim any number of elements.
    if _MANY_EQUAL <= count <= len(buffer) // 4:
        found = _split_equal(buffer, count)
        if found is None and count >= _MANY and len(buffer) <= count * _DENSE:
            found = _split_dense(buffer, count)
        if found is not None:
            return found
    elements = _split_one_by_one(buffer, count, place)
    array = np.empty(count, object)
    array[:] = elements
    return array


def _split_equal(buffer: memoryview, count: int) -> NDArray[np.object_] | None:
    """Return the elements if all have the length of the first one."""
    (length,) = _LENGTH.unpack_from(buffer)
    if not length or len(buffer) != count * (4 + length):
        return None
    rows = np.frombuffer(buffer, [("length", "<u4"), ("data", f"V{length}")])
    return rows["data"].astype(object) if (rows["length"] == length).all() else None


def _split_dense(buffer: memoryview, count: int) -> NDArray[np.object_] | None:
    """Return the elements if all are short, and few have zeros in them."""
    size = len(buffer)
    words = np.ndarray(size - 3, "<u4", buffer, strides=1)
    short = words < _SHORT
    # An element without bytes looks like up to four.
    if np.count_nonzero(short) > count + min(3 * count, _FALSE):
        return None
    prefixes = np.flatnonzero(short)
    if len(prefixes) != count:
        prefixes = _without_false(prefixes)
        if len(prefixes) != count:
            return None
    lengths = words[prefixes].astype(np.uint8)
    starts = prefixes + 4
    ends = starts + lengths
    if prefixes[0] or ends[-1] != size or (ends[:-1] != prefixes[1:]).any():
        return None
    sizes = np.bincount(lengths)
    used = np.flatnonzero(sizes).tolist()
    if len(used) * _GROUP > count:
        return None
    # Those of one length lie behind each other in this order; bytes are sorted in one pass.
    order = np.argsort(lengths, kind="stable")
    starts = starts[order]
    elements = np.full(count, b"", object)
    done = 0
    for length in used:
        group = slice(done, done := done + int(sizes[length]))
        if length:
            windows = np.ndarray(size - length + 1, f"V{length}", buffer, strides=1)
            elements[order[group]] = windows[starts[group]].astype(object)
    return elements


def _without_false(prefixes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return, of the places where three bytes of zero follow, those that are lengths if zeros are only in lengths.

    Elements without bytes make rows of zeros, each of which ends with a length, and begins behind another element.
    """
    if not len(prefixes):
        return prefixes
    lasts = np.append(np.flatnonzero(np.diff(prefixes) != 1), len(prefixes) - 1)
    sizes = np.diff(lasts, prepend=-1)
    last = np.repeat(prefixes[lasts], sizes)
    first = np.repeat(prefixes[lasts - sizes + 1], sizes)
    behind = (prefixes > first) | (first == last) | (prefixes == 0)
    found: NDArray[np.intp] = prefixes[behind & ((last - prefixes) % 4 == 0)]
    return found


def _split_one_by_one(buffer: memoryview, count: int, place: Place) -> list[bytes]:
    end = len(buffer)
    # Short pieces of bytes are cut faster than those of a view; of long ones each byte is copied once only.
    short = end < _SHORT * count
    data = bytes(buffer) if short else b""
    source = data if short else buffer
    # A list, which gets no longer than what is there.
    elements: list[bytes] = []
    read_length = _LENGTH.unpack_from
    pos = 0
    for index in range(count):
        start = pos + 4
        if start > end:
            if pos == end:
                text = f"expected {count} string elements for inference {place.of_model}, got {index}"
                raise place.fail("data", text)
            text = f"expecting 4 bytes but only {end - pos} bytes available"
            raise place.fail(
                f"data[{index}]", f"incomplete string length indicator for inference {place.of_model}, {text}"
            )
        (length,) = read_length(source, pos)
        pos = start + length
        if pos > end:
            text = f"expecting string of length {length} but only {end - start} bytes available"
            raise place.fail(f"data[{index}]", f"incomplete string data for inference {place.of_model}, {text}")
        elements.append(data[start:pos] if short else bytes(buffer[start:pos]))
    if pos != end:
        text = f"expecting {count}, with {end - pos} bytes behind them"
        raise place.fail(
            "data", f"unexpected number of string elements {count + 1} for inference {place.of_model}, {text}"
        )
    return elements


def join_elements(items: Sequence[bytes], place: Place) -> bytes:
    """Return the raw form of elements, a copy; fail at `place` for one that is too long for it."""
    try:
        return b"".join(_parts(items))
    except struct.error:
        index, size = next((index, len(item)) for index, item in enumerate(items) if len(item) > MAX_ELEMENT_SIZE)
        raise place.fail(f"data[{index}]", f"expected at most {MAX_ELEMENT_SIZE} bytes, got {size}") from None


def _parts(items: Sequence[bytes]) -> list[bytes]:
    """Return each element behind its length."""
    if len(items) < _FEW:
        parts: list[bytes] = []
        for item in items:
            parts += (_LENGTH.pack(len(item)), item)
        return parts
    parts = [b""] * (2 * len(items))
    try:
        parts[::2] = map(_PREFIXES.__getitem__, map(len, items))
    except IndexError:
        parts[::2] = map(_LENGTH.pack, map(len, items))
    parts[1::2] = items
    return parts

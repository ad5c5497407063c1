"""Raw tensor contents <-> arrays: gRPC raw contents, the REST binary tail, shared memory.

Little-endian, row-major, without padding; a BYTES tensor is, for each element, its length as 4 bytes and the bytes
(Open Inference Protocol, "raw_input_contents").
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import numpy as np

from srv_codecs._shape import with_shape
from srv_protocol.datatypes import Datatype

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from srv_codecs._place import Place
    from srv_protocol.datatypes import DatatypeSpec

_LENGTH: Final = struct.Struct("<I")
MAX_ELEMENT_SIZE: Final = (1 << 32) - 1


def decode_raw(
    buffer: memoryview | bytes, spec: DatatypeSpec, shape: Sequence[int], count: int, place: Place
) -> NDArray[np.generic]:
    """Return the array that `buffer` holds.

    A read-only view of `buffer`, not necessarily aligned; for BYTES a new array of ``bytes`` objects.
    `count` is the product of `shape`. Fails at `place` when the size is wrong or a BOOL byte is neither 0 nor 1.
    """
    if spec.name is Datatype.BYTES:
        return with_shape(_decode_bytes(memoryview(buffer), count, place), shape, place)
    size = len(buffer)
    if size != count * spec.itemsize:
        raise place.fail(
            "data",
            f"input byte size mismatch for {place.of_model}. "
            f"Expected {count * spec.itemsize}, got {size} bytes for {spec.name} of shape {list(shape)}",
        )
    if spec.name is Datatype.BOOL:
        flags = np.frombuffer(buffer, np.uint8)
        if size and flags.max() > 1:
            index = int(np.argmax(flags > 1))
            raise place.fail(f"data[{index}]", f"expected a BOOL byte of 0 or 1, got {flags[index]}")
    array = np.frombuffer(buffer, spec.dtype)
    array.flags.writeable = False
    return with_shape(array, shape, place)


def _decode_bytes(buffer: memoryview, count: int, place: Place) -> NDArray[np.generic]:
    """Return a flat array of `count` bytes objects; each is a copy. The errors have Triton's words."""
    end = len(buffer)
    # A list, which gets no longer than what is there: a shape may claim any number of elements.
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
        (length,) = read_length(buffer, pos)
        pos = start + length
        if pos > end:
            text = f"expecting string of length {length} but only {end - start} bytes available"
            raise place.fail(f"data[{index}]", f"incomplete string data for inference {place.of_model}, {text}")
        elements.append(bytes(buffer[start:pos]))
    if pos != end:
        text = f"expecting {count}, with {end - pos} bytes behind them"
        raise place.fail(
            "data", f"unexpected number of string elements {count + 1} for inference {place.of_model}, {text}"
        )
    array = np.empty(count, object)
    array[:] = elements
    return array


def encode_raw(array: NDArray[np.generic], spec: DatatypeSpec, place: Place) -> memoryview:
    """Return the raw contents of an array of the datatype's dtype: a view when it is C-contiguous, else a copy.

    BYTES arrays hold ``bytes`` or ``str`` (as UTF-8) and are always copied.
    """
    if spec.name is Datatype.BYTES:
        return memoryview(_encode_bytes(array, place))
    flat = np.ascontiguousarray(array, spec.dtype).reshape(-1)
    return flat.view(np.uint8).data


def _encode_bytes(array: NDArray[np.generic], place: Place) -> bytes:
    parts: list[bytes] = []
    for index, item in enumerate(array.reshape(-1).tolist()):
        data = as_bytes(item, index, place)
        if len(data) > MAX_ELEMENT_SIZE:
            raise place.fail(f"data[{index}]", f"expected at most {MAX_ELEMENT_SIZE} bytes, got {len(data)}")
        parts += (_LENGTH.pack(len(data)), data)
    return b"".join(parts)


def as_bytes(item: object, index: int, place: Place) -> bytes:
    """Return an element of a BYTES tensor as bytes; text becomes UTF-8."""
    if isinstance(item, bytes):
        return item
    if isinstance(item, str):
        try:
            return item.encode()
        except UnicodeEncodeError as error:
            raise place.fail(f"data[{index}]", f"text that UTF-8 cannot encode: {error.reason}") from None
    if isinstance(item, (bytearray, memoryview)):
        return bytes(item)  # pyright: ignore[reportUnknownArgumentType]  # memoryview[Unknown] from isinstance
    raise place.fail(f"data[{index}]", f"expected bytes or text, got {type(item).__name__}")

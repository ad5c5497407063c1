"""Raw tensor contents <-> arrays: gRPC raw contents, the REST binary tail, shared memory.

Little-endian, row-major, without padding; a BYTES tensor is, for each element, its length as 4 bytes and the bytes
(Open Inference Protocol, "raw_input_contents").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from srv_codecs._byte_strings import all_as_bytes
from srv_codecs._length_prefixed import join_elements, split_elements
from srv_codecs._shape import with_shape
from srv_protocol.datatypes import Datatype

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from srv_codecs._place import Place
    from srv_protocol.datatypes import DatatypeSpec


def decode_raw(
    buffer: memoryview | bytes, spec: DatatypeSpec, shape: Sequence[int], count: int, place: Place
) -> NDArray[np.generic]:
    """Return the array that `buffer` holds.

    A read-only view of `buffer`, not necessarily aligned; for BYTES a new array of ``bytes`` objects.
    `count` is the product of `shape`. Fails at `place` when the size is wrong or a BOOL byte is neither 0 nor 1.
    """
    if spec.name is Datatype.BYTES:
        return with_shape(split_elements(memoryview(buffer), count, place), shape, place)
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


def encode_raw(array: NDArray[np.generic], spec: DatatypeSpec, place: Place) -> memoryview:
    """Return the raw contents of an array of the datatype's dtype: a view when it is C-contiguous, else a copy.

    BYTES arrays hold ``bytes`` or ``str`` (as UTF-8) and are always copied.
    """
    if spec.name is Datatype.BYTES:
        return memoryview(join_elements(all_as_bytes(array.reshape(-1).tolist(), place), place))
    flat = np.ascontiguousarray(array, spec.dtype).reshape(-1)
    return flat.view(np.uint8).data

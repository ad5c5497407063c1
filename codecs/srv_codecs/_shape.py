"""Shapes and datatypes of tensors, checked before anything is allocated for them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from srv_protocol.datatypes import DATATYPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from srv_codecs._place import Place
    from srv_protocol.datatypes import DatatypeSpec

MAX_DIMENSIONS: Final = 32
"""numpy 1 has at most 32 dimensions, numpy 2 has 64; no model needs either."""
MAX_DEPTH: Final = 100
"""Lists in lists around an element, as many as Triton takes: further ones of one item mean nothing."""
MAX_ELEMENTS: Final = (1 << 63) - 1


def find_datatype(name: str, place: Place) -> DatatypeSpec:
    """Return the row of a tensor's datatype; fail at `place` when there is none."""
    found = DATATYPES.get(name)
    if found is None:
        raise place.fail("datatype", f"expected one of {', '.join(DATATYPES)}, got '{name}'")
    return found


def count_elements(shape: Sequence[int], place: Place, itemsize: int = 0) -> int:
    """Return the number of elements of a shape, 1 for the scalar shape ``[]``; fail at `place` when it is no shape.

    Nor may the elements have more bytes than can be counted, where each has `itemsize`.
    """
    if len(shape) > MAX_DIMENSIONS:
        raise place.fail("shape", f"expected at most {MAX_DIMENSIONS} dimensions, got {len(shape)}")
    for index, dimension in enumerate(shape):
        if type(dimension) is int and 0 <= dimension <= MAX_ELEMENTS:
            continue
        # A runtime may have put anything there; numpy's integers are as good as Python's.
        if type(dimension) is not int and not hasattr(dimension, "__index__"):
            raise place.fail(f"shape[{index}]", f"expected an integer, got {dimension!r:.80}")
        if dimension < 0:
            raise place.fail(f"shape[{index}]", f"expected a size of 0 or more, got {dimension}")
        if dimension > MAX_ELEMENTS:
            raise place.fail(f"shape[{index}]", f"expected a 64-bit size, got {dimension}")
    count = math.prod(shape)
    if count > MAX_ELEMENTS:
        raise place.fail("shape", f"{list(shape)} causes total element count to exceed maximum size of {MAX_ELEMENTS}")
    if count * itemsize > MAX_ELEMENTS:
        raise place.fail(
            "shape", f"byte size overflow for input '{place.name}': {list(shape)} of {itemsize} bytes each"
        )
    return count


def with_shape(array: NDArray[np.generic], shape: Sequence[int], place: Place) -> NDArray[np.generic]:
    """Return `array`, whose size is right, in `shape`: a view wherever numpy can make one."""
    try:
        return array.reshape(shape)
    except (ValueError, OverflowError) as error:
        # Only shapes such as [0, 2^62] get here: no elements, and strides beyond what numpy can address.
        raise place.fail("shape", f"{list(shape)} cannot be represented: {error}") from None

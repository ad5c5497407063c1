"""``InferTensorContents``, the typed form of a tensor over gRPC <-> arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from srv_codecs._arrays import from_checked, from_values
from srv_codecs._byte_strings import all_as_bytes
from srv_codecs._shape import with_shape
from srv_protocol.datatypes import DATATYPES, Datatype
from srv_protocol.inference import InferTensorContents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from srv_codecs._place import Place
    from srv_protocol.datatypes import DatatypeSpec

_FIELDS: Final = tuple(dict.fromkeys(row.contents for row in DATATYPES.values() if row.contents is not None))


def filled_fields(contents: InferTensorContents | None) -> list[str]:
    """Return the names of the fields that have elements, in the order of the datatypes.

    MLServer's clients send an empty message beside raw contents, which counts as none.
    """
    filled = [] if contents is None else contents.filled()
    return filled if len(filled) < 2 else sorted(filled, key=_FIELDS.index)


def decode_contents(
    contents: InferTensorContents | None, spec: DatatypeSpec, shape: Sequence[int], count: int, place: Place
) -> NDArray[np.generic]:
    """Return the array that typed contents hold.

    That of the field, which is read-only where it was parsed, if its dtype is the datatype's; else a new one.
    Fails at `place` when another datatype's field is used, two fields are, the count is not that of `shape`, or
    a value is beyond the range of an 8 or 16-bit datatype.
    """
    filled = filled_fields(contents)
    for name in filled:
        if name != spec.contents:
            expected = f"'{spec.contents}'" if spec.contents else "raw contents"
            raise place.fail(f"contents.{name}", f"unexpected data in '{name}': {spec.name} expects {expected}")
    values: Sequence[object] | NDArray[Any] = contents.elements(filled[0]) if contents is not None and filled else ()
    if len(values) != count:
        raise place.fail("contents", f"expected {count} elements for shape {list(shape)}, got {len(values)}")
    if isinstance(values, np.ndarray):
        if values.ndim == 1 and values.dtype == _FIELD_DTYPES.get(filled[0]):
            return with_shape(_narrowed(values, spec, place), shape, place)
        # Of a message that was not parsed.
        values = cast("list[object]", values.tolist())
    if spec.name is Datatype.BYTES:
        return from_values(values, spec, shape, count, place)
    if spec.name is Datatype.FP32:
        # The values came from 32 bits, infinities included.
        return with_shape(np.array(values, spec.dtype), shape, place)
    return with_shape(from_checked(values, spec, place), shape, place)


# Those of parsed arrays: the field of a narrow datatype is as wide as that of the widest one that shares it.
_FIELD_DTYPES: Final = {row.contents: row.dtype for row in DATATYPES.values() if row.contents and row.itemsize}


def _narrowed(values: NDArray[Any], spec: DatatypeSpec, place: Place) -> NDArray[np.generic]:
    """Return the values in the datatype's dtype: themselves where they have it; fail at `place` where one is beyond."""
    if values.dtype == spec.dtype:
        return values
    narrow = values.astype(spec.dtype)
    wrong = narrow != values
    if wrong.any():
        index = int(np.argmax(wrong))
        raise place.fail(f"data[{index}]", f"{values[index]} is beyond the range of {spec.name}")
    return narrow


def encode_contents(array: NDArray[np.generic], spec: DatatypeSpec, place: Place) -> InferTensorContents:
    """Return typed contents with an array's elements; FP16 and BF16 have none.

    Numbers and booleans are a view of the array wherever they can be, BYTES a new list.
    """
    if spec.contents is None:
        raise place.fail("contents", f"{spec.name} has no typed contents, only raw ones")
    flat = array.reshape(-1)
    if spec.name is Datatype.BYTES:
        return InferTensorContents(bytes_contents=all_as_bytes(flat.tolist(), place))
    return InferTensorContents.from_array(spec.contents, np.ascontiguousarray(flat, spec.dtype))

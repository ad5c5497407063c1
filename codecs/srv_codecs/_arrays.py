"""Python values -> arrays, without a silent cast; and the array of any tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeGuard, cast

import numpy as np

from srv_codecs._byte_strings import all_as_bytes
from srv_codecs._shape import MAX_DEPTH, count_elements, find_datatype, with_shape
from srv_protocol.datatypes import DATATYPES, Datatype, JsonForm, datatype_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from srv_codecs._place import Place
    from srv_protocol.datatypes import DatatypeSpec
    from srv_protocol.inference import Tensor

_FEW: Final = 256
SAFE: Final = {Datatype.FP16: 65504.0, Datatype.BF16: 3.38e38, Datatype.FP32: 3.4e38}
"""Numbers up to which nothing is beyond the range of a datatype."""
_INTEGERS: Final = (int, np.integer)
_TYPES: Final[dict[JsonForm, tuple[type, ...]]] = {
    JsonForm.BOOLEAN: (bool, np.bool_),
    JsonForm.INTEGER: _INTEGERS,
    JsonForm.NUMBER: (*_INTEGERS, float, np.floating),
    JsonForm.NONE: (*_INTEGERS, float, np.floating),
}


def tensor_array(tensor: Tensor, place: Place) -> NDArray[np.generic]:
    """Return a tensor's data as an array of its datatype and shape.

    The array that the tensor already has, reshaped (a view); or a new one from its Python values, which the tensor
    does not keep: a list may be changed. Fails at `place` when datatype, shape and data do not belong together.
    """
    found = ready_array(tensor)
    if found is not None:
        return found
    spec = find_datatype(tensor.datatype, place)
    array = tensor.data.array if tensor.has_data else None
    count = count_elements(tensor.shape, place)
    if not tensor.has_data:
        raise place.fail("data", "there is none")
    data = tensor.data
    if array is None:
        values = data.values
        if not isinstance(values, Sequence):
            raise place.fail("data", f"expected an array or a list, got {type(values).__name__}")
        array = from_values(values, spec, tensor.shape, count, place)
    else:
        array = plain_array(array, place)
        check_array(array, spec, tensor.shape, count, place)
    return with_shape(array, tensor.shape, place)


def ready_array(tensor: Tensor) -> NDArray[np.generic] | None:
    """Return the array that a tensor has, if it is of the tensor's datatype and shape; ``None`` for any other tensor.

    What comes from the network, what codecs give and most of what runtimes do needs no more than this.
    """
    spec = DATATYPES.get(tensor.datatype)
    if spec is None or not tensor.has_data:
        return None
    array = tensor.data.array
    return array if type(array) is np.ndarray and array.dtype == spec.dtype and [*array.shape] == tensor.shape else None


def plain_array(array: NDArray[np.generic], place: Place, member: str = "data") -> NDArray[np.generic]:
    """Return an array itself, or a view of one of a subclass, such as a matrix; fail at `place` for a masked one."""
    if type(array) is np.ndarray:
        return array
    # Asked second: numpy imports its masked arrays when they are first named.
    if isinstance(array, np.ma.MaskedArray):
        raise place.fail(member, "expected a numpy array, got a masked one: a tensor has no mask; fill it first")
    return np.asarray(array)


def check_array(array: NDArray[np.generic], spec: DatatypeSpec, shape: Sequence[int], count: int, place: Place) -> None:
    """Fail at `place` unless an array has the datatype's dtype (in any byte order) and `count` elements."""
    try:
        datatype = datatype_of(array)
    except TypeError as error:
        raise place.fail("data", str(error)) from None
    if datatype is not spec.name:
        raise place.fail("data", f"expected {spec.name}, got an array of {array.dtype}")
    if array.size != count:
        raise place.fail("data", f"expected {count} elements for shape {list(shape)}, got {array.size}")


def from_values(
    values: Sequence[object], spec: DatatypeSpec, shape: Sequence[int], count: int, place: Place
) -> NDArray[np.generic]:
    """Return a new array from Python values, flat or nested to `shape`.

    Integers stay integers, within the datatype's range; booleans are no numbers; ``None`` is NaN in a float tensor.
    """
    flat = flatten(values, shape, count, place)
    if spec.json is JsonForm.STRING:
        array = np.empty(count, object)
        array[:] = all_as_bytes(flat, place)
        return with_shape(array, shape, place)
    # Asked of the set of types, not of each element: lists are long, and of one type.
    kinds = set(map(type, flat))
    if type(None) in kinds and spec.json in {JsonForm.NUMBER, JsonForm.NONE}:
        kinds.remove(type(None))
        flat = [float("nan") if item is None else item for item in flat]
    # The datatype's own scalars fit too: ml-dtypes' bfloat16 is none of numpy's floats.
    allowed = (*_TYPES[spec.json], spec.dtype.type)
    wrong = tuple(kind for kind in kinds if not _fits(kind, allowed))
    if wrong:
        index, item = next((index, item) for index, item in enumerate(flat) if type(item) in wrong)
        form = "number" if spec.json is JsonForm.NONE else spec.json.value
        raise place.fail(f"data[{index}]", f"expected {form} values for {spec.name}, got {item!r}")
    if any(issubclass(kind, np.integer) for kind in kinds):
        # numpy wraps its own integers round instead of refusing those that are out of range.
        flat = [item.item() if isinstance(item, np.integer) else item for item in flat]
    return with_shape(from_checked(flat, spec, place), shape, place)


def _fits(kind: type, allowed: tuple[type, ...]) -> bool:
    # bool is a subclass of int, and numpy's durations of its integers; neither is an integer here.
    return issubclass(kind, allowed) and (kind is not bool or bool in allowed) and kind is not np.timedelta64


def from_checked(flat: Sequence[object], spec: DatatypeSpec, place: Place) -> NDArray[np.generic]:
    """Return a new flat array from values of the right type, whose range is still to be checked.

    Integers are Python's own.
    """
    if spec.json is JsonForm.NUMBER or spec.json is JsonForm.NONE:
        safe = SAFE.get(spec.name)
        if spec.name is Datatype.FP32 and safe is not None and 0 < len(flat) < _FEW:
            # Of a few values Python finds the extremes ten times sooner than numpy.
            numbers = cast("Sequence[float]", flat)
            if -safe <= min(numbers) and max(numbers) <= safe:
                return np.array(flat, spec.dtype)
        try:
            wide = np.array(flat, np.float64)
        except OverflowError:
            raise place.fail("data", f"an integer is beyond the range of {spec.name}") from None
        if safe is None or not flat or (-safe <= wide.min() and wide.max() <= safe):
            return wide.astype(spec.dtype, copy=False)
        with np.errstate(over="ignore", invalid="ignore"):
            array = wide.astype(spec.dtype)
        beyond = np.isinf(array) & np.isfinite(wide)
        if beyond.any():
            index = int(np.argmax(beyond))
            raise place.fail(f"data[{index}]", f"{flat[index]!r} is beyond the range of {spec.name}")
        return array
    try:
        return np.array(flat, spec.dtype)
    except OverflowError:
        index, item = next(_out_of_range(flat, spec.dtype))
        raise place.fail(f"data[{index}]", f"{item!r} is beyond the range of {spec.name}") from None


def _out_of_range(flat: Sequence[object], dtype: np.dtype[np.generic]) -> Iterator[tuple[int, object]]:
    info = np.iinfo(dtype.type)  # type: ignore[type-var]  # an integer dtype, or nothing would be out of range
    for index, item in enumerate(cast("Sequence[int]", flat)):
        if not info.min <= item <= info.max:
            yield index, item


def flatten(values: Sequence[object], shape: Sequence[int], count: int, place: Place) -> Sequence[object]:
    """Return the elements in row-major order, the sequence itself when it is flat already.

    Nested values must have the structure of `shape`; dimensions of size 1 may be left out or added.
    """
    if not (len(values) and _is_nested(values[0])):
        if len(values) != count:
            raise place.fail("data", f"expected {count} elements for shape {list(shape)}, got {len(values)}")
        return values
    dims = [len(values)]
    level = values
    while level and _is_nested(level[0]):
        inner: list[object] = []
        width = len(level[0])
        for index, item in enumerate(level):
            if not _is_nested(item) or len(item) != width:
                raise place.fail("data", f"is nested unevenly: item {index} at depth {len(dims)} differs in length")
            inner.extend(item)
        dims.append(width)
        if len(dims) > MAX_DEPTH:
            raise place.fail("data", "is nested too deeply")
        level = inner
    if len(level) != count or _structure(dims) != _structure(shape):
        raise place.fail("data", f"expected {count} elements for shape {list(shape)}, got nested lists of shape {dims}")
    return level


def _is_nested(item: object) -> TypeGuard[Sequence[object]]:
    return isinstance(item, (list, tuple)) or (isinstance(item, np.ndarray) and item.ndim > 0)


def _structure(shape: Sequence[int]) -> list[int]:
    """Return the dimensions that nested lists show: not those of size 1, and none behind one of size 0."""
    inner = shape.index(0) + 1 if 0 in shape else len(shape)
    return [dim for dim in shape[:inner] if dim != 1]

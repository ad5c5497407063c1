"""Tensors of several requests as one, row behind row, and the rows of an output as one tensor for each request.

A row is what has one index in the first dimension.
"""

from __future__ import annotations

import math
from itertools import accumulate, chain, pairwise
from typing import TYPE_CHECKING, Final, TypeAlias, cast

import numpy as np

from srv_codecs._arrays import ready_array
from srv_codecs._text_data import TextData
from srv_protocol.inference import InferInputTensor, InferOutputTensor, Parameters, TensorData

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from srv_codecs._place import Place

RowKey: TypeAlias = tuple[object, ...]
"""What tensors have to agree in to be joined."""
_ARRAY, _FLAT, _NESTED, _FLAT_ARRAY, _NESTED_ARRAY = range(5)
_ITEMS: Final = (list, tuple, np.ndarray)


class JoinedData(TensorData):
    """The array of several tensors, and the Python values of each, which are put together when somebody asks."""

    __slots__ = ("_parts",)

    def __init__(self, array: NDArray[np.generic], parts: Sequence[TensorData]) -> None:
        super().__init__(array)
        self._parts = parts

    @property
    def values(self) -> Sequence[object] | None:
        """The Python values as they came, in a list that is new when first asked for."""
        if self._values is None:
            self._values = list(chain.from_iterable(cast("Sequence[object]", each.values) for each in self._parts))
        return self._values


def row_key(tensor: InferInputTensor) -> RowKey | None:
    """Return what tensors agree in if :func:`join_rows` takes them; ``None`` for one that is not joined.

    That is all but the number of rows: name, datatype, the other dimensions, parameters, and the form of the data,
    since a runtime may look at it: an array, values that are flat or nested, or both. Not joined is a tensor without
    rows, and one whose data is not plainly right.
    """
    shape = tensor.shape
    if not shape or shape[0] < 1 or not tensor.has_data:
        return None
    data = tensor.data
    if data.array is None:
        if not isinstance(values := data.values, list) or not values:
            return None
        form = _NESTED if type(values[0]) is list else _FLAT
        if len(values) != (shape[0] if form is _NESTED else math.prod(shape)):
            return None
    elif ready_array(tensor) is None:
        return None
    elif type(data) is TensorData:
        values = data.values
        form = _ARRAY if values is None else _NESTED_ARRAY if values and type(values[0]) is list else _FLAT_ARRAY
    elif type(data) is TextData:
        form = _NESTED_ARRAY if data.is_nested else _FLAT_ARRAY
    else:
        return None
    parameters = parameters_key(tensor.parameters) if len(tensor.parameters) else ""
    return (tensor.name, tensor.datatype, form, parameters, *shape[1:])


def parameters_key(parameters: Parameters, ignored: Collection[str] = ()) -> str:
    """Return a text that parameters share, in whatever order they come, if they are the same, and with no others.

    It tells 1, 1.0, True and ``"1"`` apart. Headers, and those that are `ignored`, do not count.
    """
    return repr(sorted(each for each in parameters.items() if each[0] not in ignored))


def join_rows(tensors: Sequence[InferInputTensor], rows: int) -> InferInputTensor:
    """Return one tensor of the rows of several, whose :func:`row_key` is the same, and which have `rows` in all.

    Its array is a new one, read-only where one of theirs is; its other members are copies too.
    """
    first, datas = tensors[0], [each.data for each in tensors]
    arrays = [each.array for each in datas if each.array is not None]
    data: TensorData
    if arrays:
        array = np.concatenate(arrays)
        array.flags.writeable = all(each.flags.writeable for each in arrays)
        plain = type(datas[0]) is TensorData and datas[0].values is None
        data = TensorData(array) if plain else JoinedData(array, datas)
    else:
        data = TensorData(list(chain.from_iterable(cast("list[object]", each.values) for each in datas)))
    shape, parameters = [rows, *first.shape[1:]], Parameters(first.parameters)
    return InferInputTensor(first.name, first.datatype, shape, parameters, data=data)


def split_rows(tensor: InferOutputTensor, counts: Sequence[int], place: Place) -> list[InferOutputTensor]:
    """Return the rows of an output, as many in each tensor as `counts` says: arrays are views, and lists are new.

    Each tensor has a copy of the parameters. Fails at `place` if there are more or fewer rows, or if it cannot be told
    what is a row.
    """
    rows, shape = sum(counts), tensor.shape
    if not shape or shape[0] != rows:
        raise place.fail("shape", f"expected a first dimension of {rows}, the rows of the batch, got {list(shape)}")
    source, width = _sliceable(tensor, place)
    return [
        InferOutputTensor(
            tensor.name,
            tensor.datatype,
            [stop - start, *shape[1:]],
            Parameters(tensor.parameters),
            data=source[start * width : stop * width],
        )
        for start, stop in pairwise(accumulate(counts, initial=0))
    ]


def _sliceable(tensor: InferOutputTensor, place: Place) -> tuple[NDArray[np.generic] | list[object], int]:
    """Return a tensor's data as something whose slices are rows, and how many of its items are one."""
    array = ready_array(tensor)
    if array is not None:
        return array, 1
    if not tensor.has_data:
        raise place.fail("data", "there is none")
    array, values = tensor.data.array, tensor.data.values
    items: NDArray[np.generic] | list[object]
    if type(array) is np.ndarray and values is None:
        # What is wrong with the type of the elements is for whoever encodes them to say.
        items = array.reshape(-1)
    elif array is None and isinstance(values, list):
        items = values
        if items and isinstance(items[0], _ITEMS):
            if len(items) != tensor.shape[0]:
                raise place.fail("data", f"expected {tensor.shape[0]} rows, got {len(items)}")
            return items, 1
    else:
        raise place.fail("data", "expected an array or a list, whose rows can be told apart")
    count = math.prod(tensor.shape)
    if len(items) != count:
        raise place.fail("data", f"expected {count} elements for shape {list(tensor.shape)}, got {len(items)}")
    return items, count // tensor.shape[0]

"""The top classes of an output, as text (Triton's "Classification Extension")."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from srv_codecs._arrays import tensor_array
from srv_codecs._shape import find_datatype
from srv_protocol.datatypes import Datatype
from srv_protocol.errors import InvalidInput
from srv_protocol.inference import InferOutputTensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from srv_codecs._place import Place

MAX_ELEMENTS: Final = 1_000_000
"""Triton's limit: the answer to a larger output would be far larger than the output."""
_UNFIT: Final = frozenset({Datatype.BOOL, Datatype.FP16, Datatype.BF16, Datatype.BYTES})


def classify(output: InferOutputTensor, count: int, *, batched: bool, place: Place) -> InferOutputTensor:
    """Return an output whose elements are the `count` highest ones of another, as BYTES ``value:index``.

    The shape is ``[n]``, with `batched` ``[rows, n]``, and `n` is `count` or the number of classes if that is less.
    Of equal values the lower index comes first; NaN counts as minus infinity.

    Raises:
        InvalidInput: there is no class result for the datatype or for so many elements.
        And what :func:`srv_codecs.arrays.tensor_array` raises.
    """
    spec = find_datatype(output.datatype, place)
    if spec.name in _UNFIT:
        raise InvalidInput(f"{place.path}: class result not available for output due to unsupported type '{spec.name}'")
    array = tensor_array(output, place)
    if array.size > MAX_ELEMENTS:
        raise InvalidInput(
            f"{place.path}: classification output tensor too large: {array.size} elements, at most {MAX_ELEMENTS}"
        )
    batched = batched and array.ndim > 0
    rows = array.reshape(array.shape[0], math.prod(array.shape[1:])) if batched else array.reshape(1, -1)
    top = _top(rows, count)
    classes = np.empty(top.shape, object)
    # What C++'s std::to_string writes, since that is what clients parse.
    form = "%f:%d" if rows.dtype.kind == "f" else "%d:%d"
    for position, index in np.ndenumerate(top):
        classes[position] = (form % (rows[position[0], index], index)).encode()
    shape = list(classes.shape) if batched else [classes.size]
    return InferOutputTensor(output.name, Datatype.BYTES, shape, data=classes.reshape(shape))


def _top(rows: NDArray[np.generic], count: int) -> NDArray[np.intp]:
    """Return the indices of each row's highest elements, highest first."""
    # Sorting the reversed row upwards, and turning the result round, keeps the order of equals.
    width = rows.shape[1]
    keys = np.where(np.isnan(rows), -np.inf, rows) if rows.dtype.kind == "f" else rows
    order = width - 1 - np.argsort(keys[:, ::-1], axis=1, kind="stable")[:, ::-1]
    top: NDArray[np.intp] = order[:, : min(count, width)]
    return top

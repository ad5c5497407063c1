"""The short way for plain tensors: fixed-width elements in memory of the message's own, as many as the shape says.

Nothing here fails: what is wrong, or only not plain, is ``None`` or ``False``. Then the caller's general way does it,
and says what is wrong.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from srv_codecs._regions import RESERVED
from srv_codecs._shape import MAX_DIMENSIONS
from srv_protocol.datatypes import DATATYPES, Datatype
from srv_protocol.inference import TensorData

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from srv_protocol.inference import InferInputTensor, Tensor

# A BOOL may have bytes that are neither 0 nor 1.
_SPECS: Final = {name: spec for name, spec in DATATYPES.items() if spec.itemsize and name != Datatype.BOOL}


def bind_plain(inputs: Sequence[InferInputTensor], raw: Sequence[memoryview | bytes]) -> bool:
    """Give inputs their data, views of what was parsed, if all of them are plain; return whether they are."""
    if len(raw) != len(inputs) and raw:
        return False
    for index, tensor in enumerate(inputs):
        array = _input_array(tensor, raw[index] if raw else None)
        if array is None:
            return False
        tensor.bind(TensorData(array))
    return True


def _input_array(tensor: InferInputTensor, entry: memoryview | bytes | None) -> NDArray[np.generic] | None:
    spec, contents, shape = _SPECS.get(tensor.datatype), tensor.contents, tensor.shape
    if (
        spec is None
        or len(shape) > MAX_DIMENSIONS
        or (len(tensor.parameters) and not RESERVED.isdisjoint(tensor.parameters))
    ):
        return None
    try:
        count = math.prod(shape)
        if shape and min(shape) < 0:
            return None
        if entry is not None:
            if contents is not None or len(entry) != count * spec.itemsize:
                return None
            array: NDArray[np.generic] = np.frombuffer(entry, spec.dtype)
            array.flags.writeable = False
        else:
            if contents is None or spec.contents is None or contents.filled() != [spec.contents]:
                return None
            found = contents.elements(spec.contents)
            if not isinstance(found, np.ndarray) or found.dtype != spec.dtype or found.shape != (count,):
                return None
            array = found
        return array.reshape(shape)
    except (TypeError, ValueError, OverflowError):
        return None


def raw_tensor(tensor: Tensor) -> memoryview | None:
    """Return the raw contents of a plain tensor, a view of its array; ``None`` for one that is not."""
    spec, shape = _SPECS.get(tensor.datatype), tensor.shape
    array = tensor.data.array if tensor.has_data else None
    if spec is None or type(array) is not np.ndarray or array.dtype != spec.dtype or len(shape) > MAX_DIMENSIONS:
        return None
    if array.shape != tuple(shape) or not array.size or not array.flags.c_contiguous:
        return None
    # Not the array's own buffer: BF16 has none.
    return array.reshape(-1).view(np.uint8).data

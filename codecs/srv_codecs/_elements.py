"""The elements of BYTES tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from srv_codecs._arrays import flatten, tensor_array
from srv_codecs._byte_strings import all_as_bytes, common_type
from srv_codecs._shape import count_elements
from srv_protocol.datatypes import Datatype

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from srv_codecs._place import Place
    from srv_protocol.inference import Tensor


def check_bytes(tensor: Tensor, place: Place) -> None:
    """Fail at `place` unless the tensor's datatype is BYTES."""
    if tensor.datatype != Datatype.BYTES:
        raise place.fail("", f"expected {Datatype.BYTES}, got {tensor.datatype}")


def bytes_elements(tensor: Tensor, place: Place) -> Sequence[object]:
    """Return the elements of a BYTES tensor in row-major order as they are, ``bytes`` or ``str``; not to be changed.

    Fails at `place` for another datatype, or when there are not as many as the shape says.
    """
    check_bytes(tensor, place)
    values = tensor.data.values if tensor.has_data else None
    if values is not None:
        return flatten(values, tensor.shape, count_elements(tensor.shape, place), place)
    elements: list[object] = tensor_array(tensor, place).reshape(-1).tolist()
    return elements


def bytes_array(tensor: Tensor, place: Place) -> NDArray[np.generic]:
    """Return a BYTES tensor's data as an object array of ``bytes``, in its shape.

    A view of the tensor's own array when that holds nothing but ``bytes``, else a new one; text becomes UTF-8.
    """
    array = tensor_array(tensor, place)
    elements: list[object] = array.reshape(-1).tolist()
    if array.dtype.kind == "O" and (not elements or common_type(elements) is bytes):
        return array
    converted = np.empty(len(elements), object)
    converted[:] = all_as_bytes(elements, place)
    return converted.reshape(array.shape)

"""A digest of what a request asks, whatever form its tensors had on the wire."""

from __future__ import annotations

import mmap
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from srv_codecs._arrays import tensor_array
from srv_codecs._byte_strings import as_bytes
from srv_codecs._place import input_place
from srv_protocol.datatypes import DATATYPES, Datatype
from srv_protocol.inference import TensorData

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from srv_codecs._place import Place
    from srv_protocol.inference import ModelInferRequest, Parameters

FORM_PARAMETERS: Final = frozenset({"binary_data", "binary_data_size", "binary_data_output"})
"""The parameters that say nothing but how tensors travel."""
_DIGEST_SIZE: Final = 32


def detach_shared_memory(request: ModelInferRequest) -> None:
    """Give each input that is a view of a client's shared memory a copy of its own, which the client cannot change."""
    for tensor in request.inputs:
        array = tensor.data.array if tensor.has_data else None
        if array is not None and _is_mapped(array):
            tensor.data = TensorData(array.copy())


def digest_request(request: ModelInferRequest, ignored: Collection[str] = ()) -> bytes:
    """Return a digest of 32 bytes, equal for requests that ask the same, and for no others.

    It covers the inputs in their order (name, datatype, shape, parameters, elements), the request's parameters and
    the requested outputs with theirs; neither model, id and headers, nor parameters that are `ignored` or say in which
    form tensors travel. Elements are compared by their bits: -0.0 is not 0.0. Arrays are read in place; Python values
    become an array first.

    Raises:
        InvalidInput: datatype, shape and data of an input do not belong together, or there is no data.
    """
    passed_over = FORM_PARAMETERS.union(ignored)
    arrays: list[NDArray[np.generic]] = []
    for index, tensor in enumerate(request.inputs):
        arrays.append(tensor_array(tensor, input_place(index, tensor.name)))
    # The text of plain Python values has one reading only, and tells 1, 1.0, True and "1" apart.
    head = (
        [
            (each.name, str(each.datatype), list(map(int, each.shape)), _items(each.parameters, FORM_PARAMETERS))
            for each in request.inputs
        ],
        _items(request.parameters, passed_over),
        [(each.name, _items(each.parameters, FORM_PARAMETERS)) for each in request.outputs],
    )
    text = repr(head).encode()
    digest = blake2b(len(text).to_bytes(8, "little"), digest_size=_DIGEST_SIZE)
    digest.update(text)
    for index, (tensor, array) in enumerate(zip(request.inputs, arrays, strict=True)):
        if DATATYPES[tensor.datatype].name is Datatype.BYTES:
            for part in _framed(array.ravel().tolist(), input_place(index, tensor.name)):
                digest.update(part)
        else:
            # Datatype and shape, which are in the text, say how many bytes these are.
            digest.update(_little_endian(array))
    return digest.digest()


def _items(parameters: Parameters, ignored: Collection[str]) -> list[tuple[str, object]]:
    return sorted((name, value) for name, value in parameters.items() if name not in ignored)


def _framed(elements: Sequence[object], place: Place) -> list[bytes]:
    parts: list[bytes] = []
    for index, element in enumerate(elements):
        data = as_bytes(element, index, place)
        parts += len(data).to_bytes(8, "little"), data
    return parts


def _little_endian(array: NDArray[np.generic]) -> memoryview:
    """Return an array's elements in row-major order: a view where they lie like that."""
    plain = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
    return plain.reshape(-1).view(np.uint8).data


def _is_mapped(array: NDArray[np.generic]) -> bool:
    """Whether an array's memory is a mapping, which others may write to."""
    owner = cast("object", array)
    while True:
        if isinstance(owner, np.ndarray):
            owner = cast("object", cast("NDArray[np.generic]", owner).base)
        elif isinstance(owner, memoryview):
            owner = cast("object", cast("memoryview", owner).obj)
        else:
            return isinstance(owner, mmap.mmap)

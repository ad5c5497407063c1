"""Requests whose body is nothing but the one input's data (Triton's "Binary Tensor Data Extension", raw requests)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from srv_codecs._place import input_place
from srv_codecs._raw import decode_raw
from srv_codecs._shape import count_elements, find_datatype
from srv_protocol.datatypes import Datatype
from srv_protocol.errors import InvalidInput
from srv_protocol.inference import InferInputTensor, ModelInferRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srv_codecs._place import Place
    from srv_protocol.inference import TensorMetadata


def decode_raw_request(
    body: memoryview, inputs: Sequence[TensorMetadata], model: str, *, batched: bool
) -> ModelInferRequest:
    """Return the request that a raw body is, for a model with these inputs.

    The tensor is a view of `body`; for BYTES its one element is the whole body, copied. With `batched` the first
    dimension is that of the batch, which has one row.

    Raises:
        InvalidInput: the model's metadata does not say what the body is, or the body does not fit it.
    """
    if len(inputs) != 1:
        raise InvalidInput(
            f"Raw request must only have 1 input (found 1) to be deduced but got {len(inputs)} inputs in "
            f"'{model}' model configuration"
        )
    metadata = inputs[0]
    place = input_place(0, metadata.name, model)
    spec = find_datatype(metadata.datatype, place)
    shape = [1, *metadata.shape[1:]] if batched else list(metadata.shape)
    if spec.name is Datatype.BYTES:
        if any(size != 1 for size in shape):
            raise place.fail(
                "shape", f"For BYTE datatype raw input '{metadata.name}', the model must have input shape [1]"
            )
        array: np.ndarray[tuple[int, ...], np.dtype[np.generic]] = np.empty(shape, object)
        array[...] = bytes(body)
    else:
        shape = _deduce(shape, len(body), spec.itemsize, place)
        array = decode_raw(body, spec, shape, count_elements(shape, place), place)
    return ModelInferRequest(inputs=[InferInputTensor(metadata.name, spec.name, shape, data=array)])


def _deduce(shape: list[int], size: int, itemsize: int, place: Place) -> list[int]:
    """Return the shape with its variable dimension, of which there may be one, as `size` bytes make it."""
    variable = [index for index, dimension in enumerate(shape) if dimension < 0]
    if len(variable) > 1:
        raise place.fail(
            "shape",
            f"The shape of the raw input '{place.name}' can not be deduced because there are more than one "
            "variable-sized dimension",
        )
    for index in variable:
        row = itemsize * math.prod(shape[:index] + shape[index + 1 :])
        if not row or size % row:
            raise place.fail("data", f"expected a multiple of {row} bytes for shape {shape}, got {size}")
        shape[index] = size // row
    return shape

"""A tensor's data arrives in another process as it was: its array, its Python values, or both."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import arrays, handed_arrays, same, tensors, values

from srv_codecs._text_data import TextData
from srv_codecs.arrays import input_place
from srv_codecs.handover import ALIGNMENT, Bundle, pack_data, unpack_data
from srv_protocol.datatypes import DATATYPES, JsonForm
from srv_protocol.errors import SrvError
from srv_protocol.inference import InferInputTensor, TensorData

if TYPE_CHECKING:
    from collections.abc import Sequence

PLACE = input_place(0, "x", "model")


def tensor_of(datatype: str, shape: Sequence[int], data: TensorData | None) -> InferInputTensor:
    tensor = InferInputTensor("x", datatype, list(shape))
    if data is not None:
        tensor.data = data
    return tensor


def hand_over(*given: InferInputTensor) -> list[TensorData | None]:
    """Return what arrives of tensors that go in one bundle; their descriptions go as JSON."""
    bundle = Bundle()
    described = json.loads(json.dumps([pack_data(each, PLACE, bundle) for each in given]))
    memory = bytearray(bundle.size)
    bundle.write(memory)
    body = memoryview(bytes(memory))
    return [
        unpack_data(each, tensor.datatype, tensor.shape, body) for each, tensor in zip(described, given, strict=True)
    ]


def alike(one: Any, other: Any) -> bool:
    """Whether two Python values have the same types all the way down, and are equal; NaN is equal to itself."""
    if has_elements(one):
        # A tuple becomes a list.
        return is_list(other) and len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and math.isnan(one):
        return isinstance(other, float) and math.isnan(other)
    return type(one) is type(other) and bool(one == other) and str(one) == str(other)


def has_elements(value: object) -> bool:
    return isinstance(value, (list, tuple))


def is_list(value: object) -> bool:
    return isinstance(value, list)


@given(st.lists(tensors(), max_size=4))
def test_arrays_of_each_datatype_arrive_in_their_order(found: list[tuple[str, Any]]) -> None:
    given_tensors = [tensor_of(datatype, array.shape, TensorData(array)) for datatype, array in found]
    for (_, array), data in zip(found, hand_over(*given_tensors), strict=True):
        assert data is not None
        assert same(data.array, array)
        assert data.values is None


@given(st.lists(handed_arrays(), min_size=1, max_size=3))
def test_arrays_of_other_dtypes_byte_orders_and_strides_arrive_as_they_were(found: list[Any]) -> None:
    """Whatever the datatype says of them: a codec may have put an array there that is none of the datatype's."""
    given_tensors = [tensor_of("BYTES", array.shape, TensorData(array)) for array in found]
    for array, data in zip(found, hand_over(*given_tensors), strict=True):
        assert data is not None
        assert data.array is not None
        assert same(data.array, array)


@given(values(), st.sampled_from([*DATATYPES]))
def test_python_values_arrive_with_their_types(given_values: list[Any], datatype: str) -> None:
    (data,) = hand_over(tensor_of(datatype, [len(given_values)], TensorData(given_values)))
    assert data is not None
    assert alike(given_values, data.values)
    assert data.array is None


@given(arrays("FP64", json=True))
def test_an_array_with_its_values_keeps_both(array: Any) -> None:
    both = TensorData(array.ravel().tolist())
    both.array = array
    (data,) = hand_over(tensor_of("FP64", array.shape, both))
    assert data is not None
    assert same(data.array, array)
    assert alike(array.ravel().tolist(), data.values)


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=5))
def test_numbers_that_came_as_text_keep_it(numbers: list[int]) -> None:
    text = json.dumps(numbers).encode()
    array = np.array(numbers, np.int64)
    (data,) = hand_over(tensor_of("INT64", array.shape, TextData(array, memoryview(text), JsonForm.INTEGER)))
    assert type(data) is TextData
    assert same(data.array, array)
    assert bytes(data.text[0]) == text
    assert data.values == numbers


def test_a_tensor_without_data_arrives_without() -> None:
    assert hand_over(tensor_of("FP32", [2], None)) == [None]


@given(st.lists(tensors(), min_size=1, max_size=4))
def test_arrays_are_views_that_are_aligned_and_read_only(found: list[tuple[str, Any]]) -> None:
    bundle = Bundle()
    offsets = [bundle.add_array(array) for _, array in found if not array.dtype.hasobject]
    memory = np.zeros(bundle.size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    body = memoryview(memory[start : start + bundle.size].data).toreadonly()
    for (datatype, array), offset in zip([each for each in found if not each[1].dtype.hasobject], offsets, strict=True):
        assert offset % ALIGNMENT == 0
        data = unpack_data(offset, datatype, array.shape, body)
        assert data is not None
        assert data.array is not None
        assert not data.array.flags.writeable
        assert data.array.flags.aligned
        assert array.size == 0 or np.shares_memory(data.array, memory)


@pytest.mark.parametrize("element", [object(), {1, 2}, 1j], ids=["object", "set", "complex"])
def test_data_that_has_no_form_is_an_error_of_its_place(element: object) -> None:
    with pytest.raises(SrvError, match="'x'"):
        hand_over(tensor_of("BYTES", [1], TensorData([element])))


@pytest.mark.parametrize("elements", [[1, 2.5, None], ["a", b"a"], [1 << 70, -1]], ids=["mixed", "texts", "large"])
def test_an_array_of_other_objects_arrives_with_them(elements: list[object]) -> None:
    array = np.empty(len(elements), object)
    array[:] = elements
    (data,) = hand_over(tensor_of("BYTES", array.shape, TensorData(array)))
    assert data is not None
    assert data.array is not None
    assert data.array.dtype == object
    assert alike(elements, data.array.tolist())

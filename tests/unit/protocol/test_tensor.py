from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from srv_protocol.errors import InvalidInput, WireError
from srv_protocol.inference import (
    InferInputTensor,
    InferOutputTensor,
    InferTensorContents,
    ModelInferRequest,
    TensorData,
)

if TYPE_CHECKING:
    from collections.abc import Callable

# --- TensorData -------------------------------------------------------------------------------------------------


def test_array_is_not_copied() -> None:
    """The array is the one that was given."""
    array = np.arange(6, dtype="<f4").reshape(2, 3)
    data = TensorData(array)
    assert data.array is array
    assert TensorData(data).array is array
    assert np.shares_memory(np.asarray(data), array)
    assert not np.shares_memory(np.array(data), array)
    assert data.values is None


def test_array_reads_as_a_flat_sequence() -> None:
    """Elements are Python values in row-major order, whatever the array's layout."""
    data = TensorData(np.arange(6).reshape(3, 2).T)
    assert len(data) == 6
    assert list(data) == data.root == [0, 2, 4, 1, 3, 5]
    assert [data[i] for i in range(6)] == data.root
    assert (data[-1], data[1:3], data[::-1]) == (5, [2, 4], [5, 3, 1, 4, 2, 0])
    assert type(data[0]) is int
    assert 4 in data
    with pytest.raises(IndexError):
        data[6]


def test_array_of_objects() -> None:
    """BYTES elements are the objects themselves."""
    data = TensorData(np.array([b"a", b"b"], dtype=object))
    assert (data[0], data[1:], data.root) == (b"a", [b"b"], [b"a", b"b"])


def test_reading_does_not_freeze() -> None:
    """What is read later is what the array holds later."""
    array = np.zeros(2)
    data = TensorData(array)
    assert data.root == [0, 0]
    array[0] = 1
    assert data.root == list(data) == [1, 0]
    assert data.values is None


def test_values_stay_as_given() -> None:
    """Python values keep their nesting, and an array beside them does not replace them."""
    values = [[1, 2], [3, 4]]
    data = TensorData(values)
    assert data.root is data.values is values
    assert data.array is None
    assert (len(data), data[0], data[:1]) == (2, [1, 2], [[1, 2]])
    data.array = np.array(values)
    assert data[0] == [1, 2]
    assert np.asarray(data).shape == (2, 2)
    assert TensorData((1, 2))[:1] == [1]
    assert TensorData(range(3)).root == [0, 1, 2]


@pytest.mark.parametrize("value", ["text", b"bytes"])
def test_one_text_is_one_element(value: Any) -> None:
    """A string or bytes is no sequence of characters."""
    assert TensorData(value).root == [value]


def test_array_protocol() -> None:
    """The rules of numpy for dtype and copy hold."""
    assert np.asarray(TensorData([1, 2]), dtype="<f4").dtype == np.dtype("<f4")
    assert TensorData([1, 2]).__array__().tolist() == [1, 2]
    with pytest.raises(ValueError, match="avoid copy"):
        np.array(TensorData([1, 2]), copy=False)
    array = np.zeros(3)
    assert np.shares_memory(np.array(TensorData(array), copy=False), array)


def test_equality() -> None:
    """Data compares by its values, also with plain lists and arrays."""
    data = TensorData(np.array([1, 2]))
    assert data == TensorData([1, 2])
    assert data == [1, 2]
    assert data == np.array([1, 2])
    assert data != [1, 3]
    assert data != 5
    with pytest.raises(TypeError):
        hash(data)


def test_repr() -> None:
    """The text says which of both it is."""
    assert repr(TensorData([1])) == "TensorData([1])"
    assert repr(TensorData(np.array([1]))) == "TensorData(array([1]))"


# --- Tensor.data ------------------------------------------------------------------------------------------------


def test_data_of_the_constructor() -> None:
    """Whatever is given becomes TensorData."""
    array = np.zeros(2)
    tensor = InferInputTensor("x", "FP64", [2], data=array)
    assert tensor.has_data
    assert tensor.data.array is array
    tensor.data = TensorData([1, 2])
    assert tensor.data.values == [1, 2]


def test_no_data() -> None:
    """A parsed tensor has none until a codec binds it."""
    tensor = InferInputTensor.parse(bytes(InferInputTensor("x", "INT32", [1])))
    assert not tensor.has_data
    with pytest.raises(InvalidInput, match="tensor 'x': there is no data"):
        _ = tensor.data


def test_check_encodable() -> None:
    """Data that has no wire form is never dropped in silence."""
    tensor = InferOutputTensor("x", "INT32", [1], data=[1])
    with pytest.raises(WireError, match="tensor 'x': its data is a Python value"):
        bytes(tensor)
    tensor.contents = InferTensorContents(int_contents=[1])
    tensor.bind(tensor.data)
    assert bytes(tensor) == bytes.fromhex("0a 01 78 12 05 49 4e 54 33 32 1a 01 01 2a 03 12 01 01")
    tensor.data = [2]
    with pytest.raises(WireError):
        tensor.check_encodable()


def _pickled(tensor: Any) -> Any:
    return pickle.loads(pickle.dumps(tensor))  # noqa: S301  # our own pickle


@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, _pickled],
    ids=["copy", "deepcopy", "pickle"],
)
@pytest.mark.parametrize("bound", [False, True])
def test_copies_keep_data(again: Callable[[InferInputTensor], InferInputTensor], bound: bool) -> None:
    """A copy has the data, whether it is encodable, and the unknown fields."""
    tensor = InferInputTensor.parse(bytes.fromhex("0a 01 78 78 05"))
    tensor.data = np.arange(3)
    if bound:
        tensor.bind(tensor.data)
    copied = again(tensor)
    assert copied == tensor
    assert copied.data.root == [0, 1, 2]
    assert copied._bound is bound
    copied.bind(copied.data)
    assert bytes(copied) == bytes.fromhex("0a 01 78 78 05")


def test_deep_copies_share_nothing() -> None:
    """A copy shares the array, a deep copy does not."""
    tensor = InferInputTensor("x", data=np.arange(3))
    request = ModelInferRequest(inputs=[tensor])
    array = tensor.data.array
    assert array is not None
    assert copy.copy(tensor).data.array is array
    deep = copy.deepcopy(request).inputs[0].data.array
    assert deep is not None
    assert not np.shares_memory(deep, array)


def test_equality_asks_for_data() -> None:
    """Tensors with other data are other tensors."""
    assert InferInputTensor("x", data=[1]) == InferInputTensor("x", data=np.array([1]))
    assert InferInputTensor("x", data=[1]) != InferInputTensor("x", data=[2])
    assert InferInputTensor("x", data=[1]) != InferInputTensor("x")
    assert InferInputTensor("x") != InferOutputTensor("x")
    assert "data=TensorData([1])" in repr(InferInputTensor("x", data=[1]))

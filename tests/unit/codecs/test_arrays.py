"""The array of a tensor, whatever it was given."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import same, tensors

from srv_codecs.arrays import Place, input_place, output_place, tensor_array
from srv_protocol.datatypes import DATATYPES
from srv_protocol.errors import InferenceError, InvalidInput
from srv_protocol.inference import InferInputTensor, InferOutputTensor, TensorData

PLACE = input_place(0, "x")


def array_of(datatype: str, shape: list[int], data: Any) -> Any:
    return tensor_array(InferInputTensor("x", datatype, shape, data=data), PLACE)


@given(tensors())
def test_an_array_is_taken_as_it_is(tensor: tuple[str, Any]) -> None:
    datatype, array = tensor
    taken = array_of(datatype, list(array.shape), array.reshape(-1))
    assert same(taken, array)
    assert np.shares_memory(taken, array) or not array.size


@given(tensors(json=True))
def test_lists_of_its_elements_give_the_same_array(tensor: tuple[str, Any]) -> None:
    datatype, array = tensor
    for values in (array.reshape(-1).tolist(), list(array.reshape(-1)), array.tolist() if array.ndim else [array[()]]):
        assert same(array_of(datatype, list(array.shape), values), array)


def test_a_big_endian_array_counts_as_its_datatype() -> None:
    array = np.arange(3, dtype=">i4")
    assert np.shares_memory(array_of("INT32", [3], array), array)


def test_a_list_that_is_changed_gives_another_array() -> None:
    tensor = InferInputTensor("x", "FP32", [2], data=[1, 2.5])
    tensor_array(tensor, PLACE)
    tensor.data.root[0] = 7

    assert tensor_array(tensor, PLACE).tolist() == [7, 2.5]


@pytest.mark.parametrize(
    ("datatype", "values", "expected"),
    [
        ("FP32", [1, None], np.array([1, np.nan], np.float32)),
        ("FP16", [1, None], np.array([1, np.nan], np.float16)),
        ("BF16", [1, 2.5], np.array([1, 2.5], ml_dtypes.bfloat16)),
        ("FP64", [np.float32(0.5), np.int8(2)], np.array([0.5, 2])),
        ("INT8", (1, np.int64(-128)), np.array([1, -128], np.int8)),
        ("BOOL", [True, np.False_], np.array([True, False])),
        ("FP32", [np.array([1.0]), np.array([2.0])], np.array([1, 2], np.float32)),
        ("BYTES", ["\u00e4", bytearray(b"a")], np.array(["\u00e4".encode(), b"a"], object)),
        ("FP32", [float("inf"), 1], np.array([np.inf, 1], np.float32)),
    ],
)
def test_python_values_become_the_datatype(datatype: str, values: Any, expected: Any) -> None:
    assert same(array_of(datatype, [2], values), expected)


BAD: dict[str, tuple[str, list[int], Any, str]] = {
    "datatype": ("STRING", [1], ["a"], "inputs[0].datatype: expected one of BOOL, UINT8, "),
    "no datatype": ("", [1], ["a"], "inputs[0].datatype: expected one of BOOL, UINT8, "),
    "negative dimension": ("FP32", [2, -1], [1], "inputs[0].shape[1]: expected a size of 0 or more, got -1"),
    "fraction": ("FP32", [1.0], [1], "inputs[0].shape[0]: expected an integer, got 1.0"),  # type: ignore[list-item]
    "text dimension": ("FP32", ["1"], [1], "inputs[0].shape[0]: expected an integer, got '1'"),  # type: ignore[list-item]
    "huge dimension": ("FP32", [1 << 63], [1], "inputs[0].shape[0]: expected a 64-bit size, got 9223372036854775808"),
    "huge product": ("FP32", [1 << 40, 1 << 40], [1], "inputs[0].shape: [1099511627776, 1099511627776] causes total"),
    "many dimensions": ("FP32", [1] * 33, [1], "inputs[0].shape: expected at most 32 dimensions, got 33"),
    "huge and empty": ("FP32", [0, 1 << 62], [], "inputs[0].shape: [0, 4611686018427387904] cannot be represented"),
    "huge and empty text": ("BYTES", [0, 1 << 62], [], "inputs[0].shape: [0, 4611686018427387904] cannot be"),
    "another dtype": ("FP32", [1], np.zeros(1), "inputs[0].data: expected FP32, got an array of float64"),
    "no dtype of ours": ("FP32", [1], np.zeros(1, complex), "inputs[0].data: no V2 datatype carries numpy dtype"),
    "another size": ("FP64", [2], np.zeros(3), "inputs[0].data: expected 2 elements for shape [2], got 3"),
    "another count": ("FP64", [2], [1], "inputs[0].data: expected 2 elements for shape [2], got 1"),
    "float for INT8": ("INT8", [2], [1, 1.0], "inputs[0].data[1]: expected integer values for INT8, got 1.0"),
    "NaN for INT8": ("INT8", [1], [float("nan")], "inputs[0].data[0]: expected integer values for INT8, got nan"),
    "bool for INT8": ("INT8", [1], [True], "inputs[0].data[0]: expected integer values for INT8, got True"),
    "bool for FP16": ("FP16", [1], [True], "inputs[0].data[0]: expected number values for FP16, got True"),
    "number for BOOL": ("BOOL", [2], [True, 1], "inputs[0].data[1]: expected boolean values for BOOL, got 1"),
    "duration for INT8": ("INT8", [1], [np.timedelta64(1, "s")], "inputs[0].data[0]: expected integer values for INT8"),
    "None for INT8": ("INT8", [1], [None], "inputs[0].data[0]: expected integer values for INT8, got None"),
    "text for FP32": ("FP32", [1], ["1"], "inputs[0].data[0]: expected number values for FP32, got '1'"),
    "number for BYTES": ("BYTES", [1], [1], "inputs[0].data[0]: expected bytes or text, got int"),
    "list among numbers": ("FP32", [2], [1.0, [2.0]], "inputs[0].data[1]: expected number values for FP32, got [2.0]"),
    "scalar array": ("FP32", [1], [np.array(1.0)], "inputs[0].data[0]: expected number values for FP32, got array(1.)"),
    "array among numbers": ("FP32", [2], [1.0, np.zeros(2)], "inputs[0].data[1]: expected number values for FP32"),
    "number among lists": ("FP32", [2], [[1.0], 2.0], "inputs[0].data: is nested unevenly: item 1 at depth 1 differs"),
    "nested otherwise": ("INT8", [2, 3], [[1, 2], [3, 4], [5, 6]], "inputs[0].data: expected 6 elements for shape"),
    "beyond INT8": ("INT8", [2], [0, 128], "inputs[0].data[1]: 128 is beyond the range of INT8"),
    "beyond INT64": ("INT64", [1], [10**40], "inputs[0].data[0]: 10000000000000000000000000000000000000000 is beyond"),
    "numpy beyond INT8": ("INT8", [1], [np.int64(300)], "inputs[0].data[0]: 300 is beyond the range of INT8"),
    "numpy beyond UINT8": ("UINT8", [1], [np.int64(300)], "inputs[0].data[0]: 300 is beyond the range of UINT8"),
    "numpy below UINT8": ("UINT8", [2], [1, np.int8(-1)], "inputs[0].data[1]: -1 is beyond the range of UINT8"),
    "below UINT64": ("UINT64", [1], [-1], "inputs[0].data[0]: -1 is beyond the range of UINT64"),
    "beyond FP16": ("FP16", [2], [0, 65536], "inputs[0].data[1]: 65536 is beyond the range of FP16"),
    "beyond BF16": ("BF16", [1], [1e39], "inputs[0].data[0]: 1e+39 is beyond the range of BF16"),
    "beyond FP32": ("FP32", [1], [1e39], "inputs[0].data[0]: 1e+39 is beyond the range of FP32"),
    "beyond FP64": ("FP64", [1], [10**400], "inputs[0].data: an integer is beyond the range of FP64"),
    "one number": ("FP32", [1], 1.0, "inputs[0].data: expected an array or a list, got float"),
    "a masked array": (
        "FP32",
        [1],
        np.ma.masked_array(np.ones(1, np.float32), [True]),
        "inputs[0].data: expected a numpy array, got a masked one: a tensor has no mask; fill it first",
    ),
    "a masked row": (
        "FP32",
        [2],
        [np.ma.masked_array([1.0, 2.0], [True, False])],
        "inputs[0].data[0]: expected number",
    ),
    "a set": ("FP32", [1], {1.0}, "inputs[0].data: expected an array or a list, got set"),
    "a series": ("FP32", [1], pd.Series([1.0]), "inputs[0].data: expected an array or a list, got Series"),
    "nothing": ("FP32", [1], None, "inputs[0].data: there is none"),
}


@pytest.mark.parametrize(("datatype", "shape", "data", "text"), BAD.values(), ids=BAD)
def test_a_tensor_that_contradicts_itself_is_an_error_that_names_the_place(
    datatype: str, shape: list[int], data: Any, text: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        array_of(datatype, shape, data)
    assert str(caught.value).startswith(text)
    assert str(caught.value).endswith("(input 'x')")


@given(st.sampled_from([name for name in DATATYPES if "INT" in name]), st.data())
def test_numpys_integers_are_judged_as_pythons(datatype: str, data: st.DataObject) -> None:
    plain: list[int] = []
    numpy: list[Any] = []
    kinds: list[Any] = [np.int8, np.uint8, np.int32, np.int64, np.uint64]
    for kind in data.draw(st.lists(st.sampled_from(kinds), min_size=1)):
        plain.append(data.draw(st.integers(int(np.iinfo(kind).min), int(np.iinfo(kind).max))))
        numpy.append(kind(plain[-1]) if data.draw(st.booleans()) else plain[-1])
    expected, found = (_array_or_error(datatype, values) for values in (plain, numpy))
    assert found == expected if isinstance(expected, str) else same(found, expected)


def _array_or_error(datatype: str, values: list[Any]) -> Any:
    try:
        return array_of(datatype, [len(values)], values)
    except InvalidInput as error:
        return str(error)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_an_array_of_a_subclass_is_taken_as_the_plain_array_that_it_is() -> None:
    matrix = np.matrix([[1, 2], [3, 4]], dtype=np.int32)
    array = array_of("INT32", [2, 2], matrix)
    assert type(array) is np.ndarray
    assert np.shares_memory(array, matrix)
    assert array.reshape(-1).tolist() == TensorData(matrix).root == [1, 2, 3, 4]
    assert array_of("INT32", [2, 2, 1], matrix).shape == (2, 2, 1)


def test_a_dimension_may_be_one_of_numpys_integers() -> None:
    shape: Any = [np.int64(2), np.uint8(1)]

    assert array_of("FP32", shape, [1, 2]).shape == (2, 1)


def test_lists_that_go_on_for_ever_are_an_error() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InvalidInput, match=r"^inputs\[0\]\.data: is nested too deeply"):
        array_of("FP32", [1], endless)


def test_a_fault_of_an_output_is_the_runtimes() -> None:
    output = InferOutputTensor("y", "FP32", [2], data=np.zeros(1, np.float32))
    with pytest.raises(InferenceError) as caught:
        tensor_array(output, output_place(3, "y"))
    assert str(caught.value) == "outputs[3].data: expected 2 elements for shape [2], got 1 (output 'y')"


def test_a_place_without_a_member_is_the_tensor() -> None:
    assert str(PLACE.fail("", "is wrong")) == "inputs[0]: is wrong (input 'x')"
    assert str(Place("state", 1, "s", InvalidInput).fail("data", "is bad")) == "states[1].data: is bad (state 's')"


@pytest.mark.parametrize("datatype", DATATYPES)
def test_a_tensor_may_have_no_elements(datatype: str) -> None:
    nested: list[tuple[list[int], list[Any]]] = [
        ([0], []),
        ([2, 0], [[], []]),
        ([2, 0, 3], [[], []]),
        ([1, 0, 0], [[]]),
    ]
    for shape, values in nested:
        assert array_of(datatype, shape, TensorData(values)).shape == tuple(shape)


@given(
    st.sampled_from(["FP16", "BF16", "FP32", "FP64"]),
    st.lists(st.floats() | st.floats(width=32) | st.integers(-(1 << 70), 1 << 70), min_size=1, max_size=20),
)
@example("FP32", [1 + 2**-24])
@example("FP32", [1 + 2**-24 + 2**-50])
@example("FP32", [float("nan"), 3.5e38])
@example("BF16", [1 << 70])
@example("FP32", [1 << 1024])
def test_few_numbers_become_what_many_do(datatype: str, values: list[float]) -> None:
    """Few take another way, which is the shorter one for them."""

    def made(given: list[float]) -> Any:
        try:
            return array_of(datatype, [len(given)], given)
        except InvalidInput as error:
            return str(error)

    few, many = made(values), made(values * 256)
    assert few == many if isinstance(many, str) else same(few, many[: len(values)])

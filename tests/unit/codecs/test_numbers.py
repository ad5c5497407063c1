"""Python's own numbers and single elements as hints."""

from datetime import datetime
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srv_codecs._hints import TENSORS, find_hint
from srv_codecs._value_hints import TensorHint
from srv_protocol.datatypes import DATATYPES
from srv_protocol.errors import CodecError, InferenceError
from srv_protocol.inference import InferInputTensor, InferOutputTensor


def hint(of: Any) -> TensorHint:
    found = find_hint(of, "f(): argument 'x'")
    assert isinstance(found, TensorHint)
    return found


def decode(of: Any, datatype: str, shape: list[int], data: Any) -> object:
    return hint(of).decode(InferInputTensor("x", datatype, shape, data=data))


def encode(of: Any, value: object) -> InferOutputTensor:
    (output,) = hint(of).encode("y", value)
    return output


INTEGERS = ["INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"]
FLOATS = ["FP16", "BF16", "FP32", "FP64"]


@pytest.mark.parametrize("datatype", DATATYPES)
@pytest.mark.parametrize(
    ("element", "allowed"),
    [(int, INTEGERS), (float, FLOATS), (bool, ["BOOL"]), (str, ["BYTES"])],
    ids=["int", "float", "bool", "str"],
)
def test_a_hint_takes_its_datatypes_and_no_other(element: Any, allowed: list[str], datatype: str) -> None:
    """Nothing is cast: an integer tensor is no list of floats."""
    dtype = DATATYPES[datatype].dtype
    data = np.array([b"1"], object) if datatype == "BYTES" else np.array([1]).astype(dtype)
    if datatype in allowed:
        value = decode(element, datatype, [1, 1], data)
        assert type(value) is element
        assert decode(list[element], datatype, [1], data) == [value]
        return
    for each in (element, list[element]):
        with pytest.raises(CodecError, match=rf"^input 'x': expected .*{allowed[0]}.*, got {datatype}$"):
            decode(each, datatype, [1], data)


def test_lists_are_flat_and_in_row_major_order() -> None:
    assert decode(list[int], "INT16", [2, 2], np.array([[1, 2], [3, 4]], np.int16)) == [1, 2, 3, 4]
    assert decode(list[float], "FP32", [0, 3], np.empty((0, 3), np.float32)) == []
    assert decode(list[float], "BF16", [1], np.array([1.5], ml_dtypes.bfloat16)) == [1.5]
    assert decode(list[int], "INT16", [2], [1, 2]) == [1, 2]


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1)))
def test_integers_come_back(values: list[int]) -> None:
    output = encode(list[int], values)
    assert (output.datatype, output.shape) == ("INT64", [len(values), 1])
    assert decode(list[int], output.datatype, output.shape, output.data) == values


@given(st.lists(st.floats(allow_nan=False)))
def test_floats_come_back(values: list[float]) -> None:
    output = encode(list[float], values)
    assert (output.datatype, output.shape) == ("FP64", [len(values), 1])
    assert decode(list[float], output.datatype, output.shape, output.data) == values


ELEMENTS: dict[str, tuple[Any, Any, str]] = {
    "int": (int, -3, "INT64"),
    "float": (float, 0.5, "FP64"),
    "bool": (bool, True, "BOOL"),
    "str": (str, "é", "BYTES"),
    "bytes": (bytes, b"\xff", "BYTES"),
    "datetime": (datetime, datetime(2024, 1, 2, 3), "BYTES"),  # noqa: DTZ001  # a naive one
    "np.float32": (np.float32, np.float32(0.5), "FP32"),
    "np.integer": (np.integer, np.uint8(3), "UINT8"),
}


@pytest.mark.parametrize(("of", "value", "datatype"), ELEMENTS.values(), ids=ELEMENTS)
def test_one_element_comes_back(of: Any, value: Any, datatype: str) -> None:
    output = encode(of, value)
    assert (output.datatype, output.shape) == (datatype, [1])
    for shape in ([], [1], [1, 1, 1]):
        found = decode(of, datatype, shape, np.asarray(output.data, None if datatype != "BYTES" else object))
        assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("of", [*(each for each in TENSORS if isinstance(each, type)), np.int64])
@pytest.mark.parametrize("shape", [[0], [2], [2, 1], [1, 0]])
def test_one_element_is_exactly_one(of: Any, shape: list[int]) -> None:
    datatype = min(hint(of).datatypes or ())
    data = np.zeros(shape, DATATYPES[datatype].dtype)
    with pytest.raises(CodecError) as caught:
        decode(of, datatype, shape, data)
    assert str(caught.value) == f"input 'x': expected one element, got {np.prod(shape)}, of shape {shape}"


EXACT: dict[str, tuple[Any, Any, Any]] = {
    "integer of numpy's": (int, np.uint8(3), 3),
    "float of numpy's": (float, np.float32(0.5), 0.5),
    "boolean of numpy's": (bool, np.bool_(True), True),
    "integer for a float": (float, 3, 3.0),
    "large integer for a float": (float, 1 << 60, float(1 << 60)),
    "integers of numpy's": (list[int], (np.int8(-1), 2), None),
}


@pytest.mark.parametrize(("of", "value", "expected"), EXACT.values(), ids=EXACT)
def test_what_is_exact_is_encoded(of: Any, value: Any, expected: Any) -> None:
    found = encode(of, value).data.root
    assert found == ([-1, 2] if expected is None else [expected])


MISFITS: dict[str, tuple[Any, Any, str]] = {
    "bool for int": (int, True, "expected int, got bool"),
    "float for int": (int, 1.0, "expected int, got float"),
    "text for int": (int, "1", "expected int, got str"),
    "list for int": (int, [1], "expected int, got list"),
    "array for int": (int, np.array(1), "expected int, got ndarray"),
    "duration for int": (int, np.timedelta64(1, "s"), "expected int, got timedelta64"),
    "beyond INT64": (int, 1 << 63, "data[0]: 9223372036854775808 is beyond the range of INT64"),
    "unsigned beyond INT64": (int, np.uint64((1 << 64) - 1), "data[0]: 18446744073709551615 is beyond the range of"),
    "bool for float": (float, True, "expected float, got bool"),
    "long double": (float, np.longdouble(1), "expected float, got longdouble"),
    "integer that is no float": (float, (1 << 53) + 1, "data[0]: expected float, got 9007199254740993, which float64"),
    "numpy's integer that is no float": (list[float], [0.5, np.int64((1 << 53) + 1)], "data[1]: expected float, got"),
    "beyond FP64": (float, 1 << 2000, "data: an integer is beyond the range of FP64"),
    "None for float": (list[float], [1.0, None], "data[1]: expected float, got NoneType"),
    "int for bool": (bool, 1, "expected bool, got int"),
    "number for text": (str, 1, "expected str, got int"),
    "list for text": (str, ["a"], "expected str, got list"),
    "text for bytes": (bytes, "a", "expected bytes, got str"),
    "text for datetime": (datetime, "2024-01-01", "expected datetime, got str"),
    "nested": (list[int], [[1], [2]], "data[0]: expected int, got list"),
    "array for a list": (list[float], np.ones(2), "expected a list of float, got ndarray"),
    "Python's for numpy's": (np.float32, 0.5, "expected a scalar of numpy's, got float"),
    "another of numpy's": (np.float32, np.float64(0.5), "expected FP32, got FP64"),
}


@pytest.mark.parametrize(("of", "value", "text"), MISFITS.values(), ids=MISFITS)
def test_what_is_not_is_an_error_that_names_the_output(of: Any, value: Any, text: str) -> None:
    with pytest.raises(InferenceError) as caught:
        encode(of, value)
    assert str(caught.value).startswith(f"output 'y': {text}")

"""The ``data`` of a tensor in V2 JSON."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from strategies import IN_JSON, NOT_IN_JSON, same, tensors

from srv_codecs._arrays import from_values
from srv_codecs._json import decode_json, encode_json
from srv_codecs._place import input_place, output_place
from srv_codecs._shape import count_elements
from srv_protocol.datatypes import DATATYPES
from srv_protocol.errors import InferenceError, InvalidInput

PLACE = input_place(0, "x")


def decode(text: str | bytes, datatype: str, shape: list[int]) -> Any:
    """Return the array of a JSON text."""
    spec, count = DATATYPES[datatype], count_elements(shape, PLACE)
    data = decode_json(msgspec.Raw(text), spec, shape, count, PLACE)
    if data.array is not None:
        return data.array
    assert data.values is not None
    return from_values(data.values, spec, shape, count, PLACE)


@given(tensors(IN_JSON, json=True))
def test_every_array_round_trips_flat_and_nested(tensor: tuple[str, Any]) -> None:
    datatype, array = tensor
    flat = encode_json(array, DATATYPES[datatype], PLACE)
    assert same(decode(json.dumps(flat), datatype, list(array.shape)), array)
    nested = np.array([*flat, None], object)[:-1].reshape(array.shape).tolist()
    if array.ndim:
        assert same(decode(json.dumps(nested), datatype, list(array.shape)), array)


@pytest.mark.parametrize(("text", "shape"), [("[1,2]", [2, 1]), ("[[1],[2]]", [2]), ("[[[1,2]]]", [2]), ("[5]", [])])
def test_dimensions_of_size_one_may_be_left_out_or_added(text: str, shape: list[int]) -> None:
    assert decode(text, "INT64", shape).shape == tuple(shape)


def test_whole_numbers_are_floats_where_floats_are_asked_for() -> None:
    assert decode("[1, 2.5, -3e2]", "FP32", [3]).tolist() == [1, 2.5, -300]


def test_null_is_nan_among_floats() -> None:
    assert np.isnan(decode("[1.5, null]", "FP64", [2])).tolist() == [False, True]
    assert np.isnan(decode("[[null], [1]]", "FP32", [2, 1])).tolist() == [[True], [False]]


@pytest.mark.parametrize("text", ['"abcde"', '["abcde"]', '"\u00e4\u00e4c"'])
def test_one_string_as_long_as_its_shape_says_is_one_element(text: str) -> None:
    data = decode_json(msgspec.Raw(text), DATATYPES["BYTES"], [5], 5, PLACE)
    assert len(data) == 1


BAD: dict[str, tuple[str, str, list[int], str]] = {
    "float for INT8": ("[1.5]", "INT8", [1], "inputs[0].data[0]: expected `int`, got `float` (input 'x')"),
    "whole float for INT8": ("[1.0]", "INT8", [1], "inputs[0].data[0]: expected `int`, got `float`"),
    "bool for INT8": ("[true]", "INT8", [1], "inputs[0].data[0]: expected `int`, got `bool`"),
    "text for INT8": ('["1"]', "INT8", [1], "inputs[0].data[0]: expected `int`, got `str`"),
    "null for INT8": ("[null]", "INT8", [1], "inputs[0].data[0]: expected `int`, got `null`"),
    "beyond INT8": ("[1, 128]", "INT8", [2], "inputs[0].data[1]: 128 is beyond the range of INT8 (input 'x')"),
    "below UINT8": ("[-1]", "UINT8", [1], "inputs[0].data[0]: -1 is beyond the range of UINT8"),
    "beyond UINT64": ("[18446744073709551616]", "UINT64", [1], "inputs[0].data[0]: 18446744073709551616 is beyond"),
    "beyond INT64": ("[[9223372036854775808]]", "INT64", [1, 1], "inputs[0].data[0]: 9223372036854775808 is beyond"),
    "number for BOOL": ("[1]", "BOOL", [1], "inputs[0].data[0]: expected `bool`, got `int`"),
    "null for BOOL": ("[null]", "BOOL", [1], "inputs[0].data[0]: expected `bool`, got `null`"),
    "bool for FP32": ("[true]", "FP32", [1], "inputs[0].data[0]: expected `float`, got `bool`"),
    "bool beside null": ("[null, true]", "FP32", [2], "inputs[0].data[1]: expected `float | null`, got `bool`"),
    "text for FP32": ('["1"]', "FP32", [1], "inputs[0].data[0]: expected `float`, got `str`"),
    "text that says null": ('["null"]', "FP32", [1], "inputs[0].data[0]: expected `float`, got `str`"),
    "beyond FP32": ("[0, 1e39]", "FP32", [2], "inputs[0].data[1]: 1e+39 is beyond the range of FP32"),
    "beyond FP64": ("[1e400]", "FP64", [1], "inputs[0].data[0]: number out of range"),
    "far beyond FP64": (f"[{'9' * 400}]", "FP64", [1], "inputs[0].data[0]: number out of range"),
    "number for BYTES": ("[1]", "BYTES", [1], "inputs[0].data[0]: expected `str`, got `int`"),
    "null for BYTES": ("[null]", "BYTES", [1], "inputs[0].data[0]: expected `str`, got `null`"),
    "object": ("[{}]", "FP32", [1], "inputs[0].data[0]: expected `float`, got `object`"),
    "no array": ("5", "FP32", [1], "inputs[0].data: expected an array of numbers, got 5"),
    "an object": ("{}", "INT8", [1], "inputs[0].data: expected an array of integers, got {}"),
    "a string": ('"abc"', "BOOL", [1], 'inputs[0].data: expected an array of true or false, got "abc"'),
    "a number for text": ("5", "BYTES", [1], "inputs[0].data: expected `str`, got `int`"),
    "too few": ("[1]", "INT8", [2], "inputs[0].data: expected 2 elements for shape [2], got 1 (input 'x')"),
    "too many": ("[1,2]", "INT8", [1], "inputs[0].data: expected 1 elements for shape [1], got 2"),
    "none": ("[]", "INT8", [1], "inputs[0].data: expected 1 elements for shape [1], got 0"),
    "some for none": ("[1]", "INT8", [0], "inputs[0].data: expected 0 elements for shape [0], got 1"),
    "ragged": (
        "[[1,2],[3]]",
        "INT8",
        [2, 2],
        "inputs[0].data: is nested unevenly: item 1 at depth 1 differs",
    ),
    "uneven": ("[[1],2]", "INT8", [2], "inputs[0].data[1]: expected `array`, got `int`"),
    "nested otherwise": (
        "[[1,2],[3,4],[5,6]]",
        "INT8",
        [2, 3],
        "inputs[0].data: expected 6 elements for shape [2, 3]",
    ),
    "nested too deeply": (
        "[" * 101 + "1" + "]" * 101,
        "INT8",
        [1],
        "inputs[0].data: JSON nesting depth exceeds maximum allowed limit (100)",
    ),
    "nested text, too few": ('[["a"]]', "BYTES", [2], "inputs[0].data: expected 2 elements for shape [2], got nested"),
    "another length": ('"abc"', "BYTES", [4], "inputs[0].data: expected 4 elements for shape [4], got 1"),
    "huge and empty": ("[]", "FP32", [0, 1 << 62], "inputs[0].shape: [0, 4611686018427387904] cannot be represented"),
    "huge and empty text": ("[]", "BYTES", [0, 1 << 62], "inputs[0].shape: [0, 4611686018427387904] cannot be"),
}


@pytest.mark.parametrize(("text", "datatype", "shape", "expected"), BAD.values(), ids=BAD)
def test_data_that_does_not_fit_is_an_error_that_names_the_place(
    text: str, datatype: str, shape: list[int], expected: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode(text, datatype, shape)
    assert str(caught.value).startswith(expected)
    assert str(caught.value).endswith("(input 'x')")


@pytest.mark.parametrize("text", [b'["\xff"]', b'["\\ud800"]', b"[NaN]", b"[1", b"[01]"])
@pytest.mark.parametrize("datatype", IN_JSON)
def test_malformed_text_is_an_error_like_any_other(text: bytes, datatype: str) -> None:
    with pytest.raises(InvalidInput, match=r"^inputs\[0\]\.data"):
        decode(text, datatype, [1])


@pytest.mark.parametrize("datatype", NOT_IN_JSON)
def test_half_floats_have_no_json_form(datatype: str) -> None:
    with pytest.raises(InvalidInput, match=f"receiving {datatype} data via JSON is not supported. Please use the"):
        decode("[1]", datatype, [1])
    with pytest.raises(InvalidInput, match=f"sending {datatype} data via JSON is not supported. Please use the"):
        encode_json(np.zeros(1, DATATYPES[datatype].dtype), DATATYPES[datatype], PLACE)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_without_a_json_form_is_an_error_or_becomes_null(value: float) -> None:
    array = np.array([1, value], np.float32)
    with pytest.raises(InvalidInput, match=rf"^inputs\[0\]\.data\[1\]: {value} has no JSON form"):
        encode_json(array, DATATYPES["FP32"], PLACE)
    encoded = msgspec.json.encode(encode_json(array, DATATYPES["FP32"], PLACE, nonfinite_as_null=True))
    assert encoded == b"[1.0,null]"


def test_bytes_become_text_where_they_are_utf_8() -> None:
    place = output_place(0, "y")
    assert encode_json(np.array([b"a", "\u00e4"], object), DATATYPES["BYTES"], place) == ["a", "ä"]
    with pytest.raises(InvalidInput, match=r"^outputs\[0\]\.data\[1\]: the bytes are not valid UTF-8 .* output 'y'"):
        encode_json(np.array([b"a", b"\xff"], object), DATATYPES["BYTES"], place)
    with pytest.raises(InferenceError, match=r"^outputs\[0\]\.data\[0\]: expected bytes or text, got int"):
        encode_json(np.array([1], object), DATATYPES["BYTES"], place)

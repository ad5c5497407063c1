"""Typed contents."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from strategies import IN_JSON, NOT_IN_JSON, same, tensors

from srv_codecs._contents import decode_contents, encode_contents, filled_fields
from srv_codecs._place import input_place
from srv_codecs._shape import count_elements
from srv_protocol.datatypes import DATATYPES
from srv_protocol.errors import InvalidInput
from srv_protocol.inference import InferTensorContents

PLACE = input_place(0, "x")


def decode(contents: InferTensorContents | None, datatype: str, shape: list[int]) -> Any:
    return decode_contents(contents, DATATYPES[datatype], shape, count_elements(shape, PLACE), PLACE)


@given(tensors(IN_JSON))
def test_every_array_round_trips_over_the_wire(tensor: tuple[str, Any]) -> None:
    datatype, array = tensor
    contents = InferTensorContents.parse(bytes(encode_contents(array, DATATYPES[datatype], PLACE)))
    assert filled_fields(contents) == ([DATATYPES[datatype].contents] if array.size else [])
    assert same(decode(contents, datatype, list(array.shape)), array)


@pytest.mark.parametrize("datatype", NOT_IN_JSON)
def test_half_floats_have_no_typed_contents(datatype: str) -> None:
    text = rf"^inputs\[0\]\.contents: {datatype} has no typed contents, only raw ones \(input 'x'\)$"
    with pytest.raises(InvalidInput, match=text):
        encode_contents(np.zeros(1, DATATYPES[datatype].dtype), DATATYPES[datatype], PLACE)
    with pytest.raises(InvalidInput, match=f"unexpected data in 'fp32_contents': {datatype} expects raw contents"):
        decode(InferTensorContents(fp32_contents=[1.0]), datatype, [1])
    assert decode(None, datatype, [0]).shape == (0,)


@pytest.mark.parametrize("datatype", IN_JSON)
def test_the_field_of_another_datatype_is_an_error(datatype: str) -> None:
    own = DATATYPES[datatype].contents
    values = {"bool_contents": [True], "bytes_contents": [b"a"], "fp32_contents": [1.0], "fp64_contents": [1.0]}
    for name in {row.contents for row in DATATYPES.values() if row.contents} - {own}:
        with pytest.raises(InvalidInput) as caught:
            decode(InferTensorContents(**{name: values.get(name, [1])}), datatype, [1])  # type: ignore[arg-type]  # one field each
        assert str(caught.value) == (
            f"inputs[0].contents.{name}: unexpected data in '{name}': {datatype} expects '{own}' (input 'x')"
        )


def test_two_fields_are_an_error() -> None:
    with pytest.raises(InvalidInput, match="unexpected data in 'fp64_contents': FP32 expects 'fp32_contents'"):
        decode(InferTensorContents(fp32_contents=[1.0], fp64_contents=[1.0]), "FP32", [1])


@pytest.mark.parametrize("contents", [None, InferTensorContents()])
def test_empty_contents_count_as_none(contents: InferTensorContents | None) -> None:
    assert filled_fields(contents) == []
    assert decode(contents, "FP32", [2, 0]).shape == (2, 0)
    with pytest.raises(InvalidInput, match=r"expected 2 elements for shape \[2\], got 0 \(input 'x'\)"):
        decode(contents, "FP32", [2])


@pytest.mark.parametrize(
    ("datatype", "contents", "text"),
    [
        ("INT8", InferTensorContents(int_contents=[0, 128]), "inputs[0].data[1]: 128 is beyond the range of INT8"),
        ("INT16", InferTensorContents(int_contents=[0, -32769]), "inputs[0].data[1]: -32769 is beyond the range of"),
        ("UINT8", InferTensorContents(uint_contents=[0, 256]), "inputs[0].data[1]: 256 is beyond the range of UINT8"),
        (
            "FP32",
            InferTensorContents(fp32_contents=[0.0]),
            "inputs[0].contents: expected 2 elements for shape [2]",
        ),
        ("BYTES", InferTensorContents(bytes_contents=[b""] * 3), "inputs[0].contents: expected 2 elements for shape"),
    ],
)
def test_values_that_do_not_fit_are_an_error(datatype: str, contents: InferTensorContents, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode(contents, datatype, [2])
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("datatype", IN_JSON)
def test_a_shape_that_numpy_cannot_represent_is_an_error(datatype: str) -> None:
    with pytest.raises(InvalidInput, match=r"^inputs\[0\]\.shape: \[0, 4611686018427387904, 2\] cannot be repr"):
        decode(None, datatype, [0, 1 << 62, 2])


def test_decoded_arrays_are_new() -> None:
    assert decode(InferTensorContents(fp32_contents=[1.0]), "FP32", [1]).flags.writeable


@pytest.mark.parametrize(
    ("datatype", "contents"),
    [
        ("INT8", InferTensorContents(int_contents=[0, 128])),
        ("INT16", InferTensorContents(int_contents=[0, -32769])),
        ("UINT8", InferTensorContents(uint_contents=[0, 256])),
        ("UINT16", InferTensorContents(uint_contents=[0, 1 << 31])),
    ],
)
def test_parsed_values_beyond_a_narrow_datatype_are_the_same_error(
    datatype: str, contents: InferTensorContents
) -> None:
    errors: list[str] = []
    for each in (contents, InferTensorContents.parse(bytes(contents))):
        with pytest.raises(InvalidInput, match="is beyond the range of") as caught:
            decode(each, datatype, [2])
        errors.append(str(caught.value))
    assert errors[0] == errors[1]


def test_parsed_values_of_the_datatypes_own_width_are_views() -> None:
    data = bytes(InferTensorContents(fp32_contents=[1.0, 2.0]))
    array = decode(InferTensorContents.parse(data), "FP32", [2])
    assert np.shares_memory(array, np.frombuffer(data, np.uint8))
    assert not array.flags.writeable

"""Raw tensor contents."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from strategies import same, tensors

from srv_codecs._byte_strings import as_bytes
from srv_codecs._place import input_place
from srv_codecs._raw import decode_raw, encode_raw
from srv_codecs._shape import count_elements
from srv_protocol.datatypes import DATATYPES
from srv_protocol.errors import InvalidInput

PLACE = input_place(0, "x", "m")
NUMERIC = [name for name in DATATYPES if name != "BYTES"]


def decode(data: bytes | memoryview, datatype: str, shape: list[int]) -> Any:
    return decode_raw(data, DATATYPES[datatype], shape, count_elements(shape, PLACE), PLACE)


def encode(array: Any, datatype: str) -> memoryview:
    return encode_raw(array, DATATYPES[datatype], PLACE)


@given(tensors())
def test_every_array_round_trips(tensor: tuple[str, Any]) -> None:
    datatype, array = tensor
    assert same(decode(encode(array, datatype), datatype, list(array.shape)), array)


@given(tensors())
def test_the_raw_form_is_that_of_the_specification(tensor: tuple[str, Any]) -> None:
    datatype, array = tensor
    expected = (
        b"".join(struct.pack("<I", len(item)) + item for item in array.reshape(-1).tolist())
        if datatype == "BYTES"
        else array.tobytes()
    )
    assert bytes(encode(array, datatype)) == expected


@pytest.mark.parametrize("datatype", NUMERIC)
def test_a_decoded_array_is_a_read_only_view(datatype: str) -> None:
    buffer = bytearray(8 * DATATYPES[datatype].itemsize)
    array = decode(memoryview(buffer), datatype, [2, 4])
    assert np.shares_memory(array, np.frombuffer(buffer, np.uint8))
    assert not array.flags.writeable


@pytest.mark.parametrize("datatype", NUMERIC)
def test_encoded_bytes_are_a_view_of_the_array(datatype: str) -> None:
    array = np.zeros((2, 4), DATATYPES[datatype].dtype)
    assert np.shares_memory(np.frombuffer(encode(array, datatype), np.uint8), array.view(np.uint8))


def test_a_misaligned_array_is_still_a_view() -> None:
    buffer = memoryview(b"x" + np.arange(3.0).tobytes())
    array = decode(buffer[1:], "FP64", [3])
    assert array.tolist() == [0, 1, 2]
    assert not array.flags.aligned
    assert np.shares_memory(array, np.frombuffer(buffer, np.uint8))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=">f4").reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype="<f4").reshape(2, 3)),
        np.arange(12, dtype="<f4").reshape(2, 6)[:, ::2],
        np.arange(6, dtype="<f4")[::-1],
    ],
    ids=["big-endian", "column-major", "every second", "backwards"],
)
def test_other_memory_layouts_are_put_in_order(array: Any) -> None:
    assert bytes(encode(array, "FP32")) == array.astype("<f4").tobytes("C")


@pytest.mark.parametrize("array", [np.array(["ä", ""]), np.array(["ä", ""], object), np.array(["ä", ""], "T")])
def test_text_is_encoded_as_utf_8(array: Any) -> None:
    assert bytes(encode(array, "BYTES")) == b"\x02\0\0\0\xc3\xa4\0\0\0\0"


SIZE = "inputs[0].data: input byte size mismatch for input 'x' for model 'm'."
OF_X = "for inference input 'x' for model 'm'"
SIZES: dict[str, tuple[str, list[int], bytes, str]] = {
    "too short": ("FP32", [2], b"\0" * 7, f"{SIZE} Expected 8, got 7 bytes for FP32 of shape [2] (input 'x')"),
    "too long": ("FP32", [2], b"\0" * 9, f"{SIZE} Expected 8, got 9 bytes for FP32 of shape [2] (input 'x')"),
    "none": ("INT8", [1], b"", f"{SIZE} Expected 1, got 0 bytes for INT8 of shape [1] (input 'x')"),
    "none expected": ("INT8", [0], b"\0", f"{SIZE} Expected 0, got 1 bytes for INT8 of shape [0] (input 'x')"),
    "huge": ("FP64", [1 << 62], b"\0" * 8, f"{SIZE} Expected 36893488147419103232, got 8 bytes for FP64 of shape"),
    "huge and empty": ("FP64", [0, 1 << 62], b"", "inputs[0].shape: [0, 4611686018427387904] cannot be represented"),
    "no BOOL": ("BOOL", [3], b"\0\1\2", "inputs[0].data[2]: expected a BOOL byte of 0 or 1, got 2 (input 'x')"),
    "no elements": ("BYTES", [1 << 40], b"", f"inputs[0].data: expected 1099511627776 string elements {OF_X}, got 0"),
    "too few elements": ("BYTES", [16], b"\0" * 56, f"inputs[0].data: expected 16 string elements {OF_X}, got 14"),
    "half a length": (
        "BYTES",
        [2],
        b"\2\0\0\0ab\0\0",
        f"inputs[0].data[1]: incomplete string length indicator {OF_X}, expecting 4 bytes but only 2 bytes available",
    ),
    "half an element": (
        "BYTES",
        [1],
        b"\3\0\0\0ab",
        f"inputs[0].data[0]: incomplete string data {OF_X}, expecting string of length 3 but only 2 bytes available",
    ),
    "a huge element": (
        "BYTES",
        [1],
        b"\xff\xff\xff\xff",
        f"inputs[0].data[0]: incomplete string data {OF_X}, expecting string of length 4294967295 but only 0 bytes",
    ),
    "more elements": (
        "BYTES",
        [1],
        b"\0\0\0\0\0\0\0\0",
        f"inputs[0].data: unexpected number of string elements 2 {OF_X}, expecting 1, with 4 bytes behind them",
    ),
}


@pytest.mark.parametrize(("datatype", "shape", "data", "text"), SIZES.values(), ids=SIZES)
def test_bytes_that_do_not_fit_are_an_error_that_names_the_place(
    datatype: str, shape: list[int], data: bytes, text: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode(data, datatype, shape)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("datatype", DATATYPES)
def test_every_truncation_is_an_error(datatype: str) -> None:
    array = np.array([b"ab", b"", b"c"], object) if datatype == "BYTES" else np.zeros(3, DATATYPES[datatype].dtype)
    data = bytes(encode(array, datatype))
    assert same(decode(data, datatype, [3]), array)
    for size in range(len(data)):
        with pytest.raises(InvalidInput, match=r"^inputs\[0\]\.data.* \(input 'x'\)$"):
            decode(data[:size], datatype, [3])


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.array([b"a", 5], object), "inputs[0].data[1]: expected bytes or text, got int (input 'x')"),
        (np.array(["\ud800"], object), "inputs[0].data[0]: text that UTF-8 cannot encode: surrogates not allowed"),
    ],
)
def test_elements_that_are_no_bytes_are_an_error(array: Any, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        encode(array, "BYTES")
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("item", [b"a", "a", bytearray(b"a"), memoryview(b"a")], ids=type)
def test_bytes_are_bytes_in_every_form(item: object) -> None:
    assert as_bytes(item, 0, PLACE) == b"a"

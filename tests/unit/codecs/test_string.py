"""Content type ``str``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srv_codecs.content_types import StringCodec, StringRequestCodec
from srv_protocol.errors import CodecError, InferenceError
from srv_protocol.inference import InferInputTensor, InferOutputTensor

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(TEXT))
def test_text_round_trips(texts: list[str]) -> None:
    output = StringCodec.encode_output("y", texts)
    assert output.shape == [len(texts), 1]
    assert StringCodec.decode_output(output) == texts
    assert StringCodec.decode_input(StringCodec.encode_input("x", texts)) == texts


def test_encoded_text_is_bytes_that_say_what_they_are() -> None:
    output = StringCodec.encode_output("y", ["ä", "b"])
    assert output == InferOutputTensor("y", "BYTES", [2, 1], {"content_type": "str"}, data=["ä".encode(), b"b"])


def test_without_use_bytes_the_data_is_text() -> None:
    assert StringCodec.encode_output("y", ["ä"], use_bytes=False).data.root == ["ä"]
    assert StringCodec.encode_input("x", ["ä"], use_bytes=False).data.root == ["ä"]


def test_one_text_alone_is_one_element() -> None:
    lonely: Any = "hello"
    assert StringCodec.encode_output("y", lonely).data.root == [b"hello"]


@pytest.mark.parametrize(
    ("shape", "data"),
    [
        ([4], [b"a", b"b", b"c", b"d"]),
        ([4, 1], ["a", "b", "c", "d"]),
        ([2, 2], [["a", b"b"], ["c", "d"]]),
        ([4], np.array(["a", "b", "c", "d"])),
        ([2, 2], np.array([b"a", b"b", b"c", b"d"], object)),
    ],
)
def test_any_shape_and_form_is_read_as_a_flat_list(shape: list[int], data: Any) -> None:
    assert StringCodec.decode_input(InferInputTensor("x", "BYTES", shape, data=data)) == ["a", "b", "c", "d"]


def test_a_scalar_and_an_empty_tensor_are_lists_too() -> None:
    assert StringCodec.decode_input(InferInputTensor("x", "BYTES", [], data=["a"])) == ["a"]
    assert StringCodec.decode_input(InferInputTensor("x", "BYTES", [0], data=[])) == []


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (InferInputTensor("x", "FP32", [1], data=[1.0]), "input 'x': expected BYTES, got FP32"),
        (
            InferInputTensor("x", "BYTES", [2], data=[b"a", b"\xff"]),
            "input 'x': data[1]: expected UTF-8 text, got b'\\xff' (invalid start byte at byte 0)",
        ),
        (InferInputTensor("x", "BYTES", [2], data=["a"]), "input 'x': data: expected 2 elements for shape [2], got 1"),
        (InferInputTensor("x", "BYTES", [1], data=[None]), "input 'x': data[0]: expected bytes or text, got NoneType"),
        (InferInputTensor("x", "BYTES", [1]), "input 'x': data: there is none"),
    ],
)
def test_what_is_no_text_is_an_error_that_names_the_element(tensor: InferInputTensor, text: str) -> None:
    with pytest.raises(CodecError) as caught:
        StringCodec.decode_input(tensor)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (["a", 1], "output 'y': data[1]: expected str, got int"),
        (["a", None], "output 'y': data[1]: expected str, got NoneType"),
        ([b"a"], "output 'y': data[0]: expected str, got bytes"),
        (["\ud800"], "output 'y': data[0]: text that UTF-8 cannot encode: surrogates not allowed"),
        (5, "output 'y': expected a list of str, got int"),
        (None, "output 'y': expected a list of str, got NoneType"),
    ],
)
def test_what_is_no_list_of_text_cannot_be_encoded(value: Any, text: str) -> None:
    with pytest.raises(InferenceError) as caught:
        StringCodec.encode_output("y", value)
    assert str(caught.value) == text


def test_lists_of_text_alone_can_be_encoded() -> None:
    assert StringCodec.can_encode(["a"])
    assert StringRequestCodec.can_encode(["a"])
    assert not StringCodec.can_encode(["a", b"b"])
    assert not StringCodec.can_encode("a")


def test_requests_and_responses_of_one_tensor_round_trip() -> None:
    request = StringRequestCodec.encode_request(["a"])
    assert (request.inputs[0].name, request.parameters.content_type) == ("input-1", "str")
    assert StringRequestCodec.decode_request(request) == ["a"]
    assert StringRequestCodec.decode_response(StringRequestCodec.encode_response("m", ["a"])) == ["a"]

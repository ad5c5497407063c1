"""Content type ``base64``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srv_codecs.content_types import Base64Codec
from srv_protocol.errors import CodecError, InferenceError
from srv_protocol.inference import InferInputTensor


@given(st.lists(st.binary()))
def test_bytes_round_trip(items: list[bytes]) -> None:
    output = Base64Codec.encode_output("y", items)
    assert (output.datatype, output.shape) == ("BYTES", [len(items), 1])
    assert Base64Codec.decode_output(output) == items


def test_the_tensor_holds_base64_text() -> None:
    assert Base64Codec.encode_output("y", [b"\xff\x00"]).data.root == [b"/wA="]
    assert Base64Codec.encode_input("x", [b"\xff\x00"], use_bytes=False).data.root == ["/wA="]


@pytest.mark.parametrize("item", [b"/wA=", "/wA="], ids=["bytes", "text"])
def test_text_and_bytes_are_read_alike(item: object) -> None:
    assert Base64Codec.decode_input(InferInputTensor("x", "BYTES", [1], data=[item])) == [b"\xff\x00"]


@pytest.mark.parametrize("item", [b"/wA", b"a", b"!!!!", b"_wA=", b"\xff\xff\xff\xff", "ääää", b"/wA=\n"])
def test_what_is_no_base64_is_an_error_that_names_the_element(item: object) -> None:
    with pytest.raises(CodecError, match=r"^input 'x': data\[1\]: expected base64, got b'"):
        Base64Codec.decode_input(InferInputTensor("x", "BYTES", [2], data=["", item]))


def test_another_datatype_is_an_error() -> None:
    with pytest.raises(CodecError, match=r"^input 'x': expected BYTES, got INT8$"):
        Base64Codec.decode_input(InferInputTensor("x", "INT8", [1], data=[1]))


def test_only_bytes_can_be_encoded() -> None:
    text: Any = ["a"]
    with pytest.raises(InferenceError, match=r"^output 'y': data\[0\]: expected bytes, got str$"):
        Base64Codec.encode_output("y", text)
    assert Base64Codec.can_encode([b"a"])
    assert not Base64Codec.can_encode(["a"])

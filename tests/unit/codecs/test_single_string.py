from __future__ import annotations

from typing import Any

import pytest

from srv_codecs.arrays import as_single_string
from srv_codecs.grpc import bind_request
from srv_protocol.errors import InvalidInput
from srv_protocol.inference import InferInputTensor, InferOutputTensor, InferTensorContents, ModelInferRequest


@pytest.mark.parametrize(
    ("shape", "data", "expected"),
    [
        ([5], [b"hello"], [1]),
        ([5], ["hello"], [1]),
        ([1, 5], ["hello"], [1]),
        ([6], ["h\u00e9llo"], [1]),
        ([5], ["h\u00e9llo"], [1]),
        ([1], ["h"], [1]),
        ([1, 1], ["h"], [1, 1]),
        ([2], ["hello"], [2]),
        ([2], ["a", "b"], [2]),
        ([0], [""], [0]),
    ],
)
def test_an_output_as_mlservers_documentation_answers_it_is_one_element(
    shape: list[int], data: list[Any], expected: list[int]
) -> None:
    assert as_single_string(InferOutputTensor("y", "BYTES", shape, data=data)).shape == expected


def test_a_runtimes_own_output_is_not_changed() -> None:
    output = InferOutputTensor("y", "BYTES", [5], data=["hello"])
    as_single_string(output)

    assert output.shape == [5]


def request(shape: list[int], *elements: bytes) -> ModelInferRequest:
    contents = InferTensorContents(bytes_contents=list(elements))
    return ModelInferRequest(inputs=[InferInputTensor("x", "BYTES", shape, contents=contents)])


def test_typed_contents_may_have_the_form_too() -> None:
    message = request([5], b"hello")
    bind_request(message)

    assert (message.inputs[0].shape, list(message.inputs[0].data)) == ([1], [b"hello"])


@pytest.mark.parametrize("shape", [[], [1], [1, 1]])
def test_one_element_of_one_byte_keeps_its_shape(shape: list[int]) -> None:
    message = request(shape, b"a")
    bind_request(message)

    array = message.inputs[0].data.array
    assert array is not None
    assert list(array.shape) == list(message.inputs[0].shape) == shape


@pytest.mark.parametrize(("shape", "elements"), [([4], [b"hello"]), ([5], [b"hello", b"x"]), ([2], [b"a"])])
def test_any_other_count_is_an_error(shape: list[int], elements: list[bytes]) -> None:
    with pytest.raises(InvalidInput, match="expected"):
        bind_request(request(shape, *elements))

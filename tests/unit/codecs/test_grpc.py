"""V2 messages of gRPC."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import IN_JSON, same, tensors

from srv_codecs._contents import encode_contents
from srv_codecs._place import input_place
from srv_codecs._raw import encode_raw
from srv_codecs.arrays import tensor_array
from srv_codecs.content_types import NumpyCodec
from srv_codecs.grpc import OutputForms, bind_request, lower_response
from srv_protocol.datatypes import DATATYPES
from srv_protocol.errors import InferenceError, InvalidInput
from srv_protocol.inference import (
    InferInputTensor,
    InferOutputTensor,
    InferTensorContents,
    ModelInferRequest,
    ModelInferResponse,
)

PLACE = input_place(0, "x")


def parsed(request: ModelInferRequest) -> ModelInferRequest:
    return ModelInferRequest.parse(bytes(request))


def arrays_of(request: ModelInferRequest) -> list[Any]:
    return [tensor_array(tensor, PLACE) for tensor in request.inputs]


def raw_request(*given_tensors: tuple[str, Any]) -> ModelInferRequest:
    return ModelInferRequest(
        "m",
        inputs=[InferInputTensor("x", datatype, list(array.shape)) for datatype, array in given_tensors],
        raw_input_contents=[encode_raw(array, DATATYPES[datatype], PLACE) for datatype, array in given_tensors],
    )


def typed_request(*given_tensors: tuple[str, Any]) -> ModelInferRequest:
    return ModelInferRequest(
        "m",
        inputs=[
            InferInputTensor(
                "x", datatype, list(array.shape), contents=encode_contents(array, DATATYPES[datatype], PLACE)
            )
            for datatype, array in given_tensors
        ],
    )


@given(st.lists(tensors(), max_size=4))
def test_raw_contents_become_the_inputs(given_tensors: list[tuple[str, Any]]) -> None:
    request = parsed(raw_request(*given_tensors))
    assert not bind_request(request).typed
    for found, (_, array) in zip(arrays_of(request), given_tensors, strict=True):
        assert same(found, array)


@given(st.lists(tensors(IN_JSON), max_size=4))
def test_raw_and_typed_contents_give_equal_inputs(given_tensors: list[tuple[str, Any]]) -> None:
    raw, typed = parsed(raw_request(*given_tensors)), parsed(typed_request(*given_tensors))
    bind_request(raw)
    assert bind_request(typed).typed == any(array.size for _, array in given_tensors)
    for first, second in zip(arrays_of(raw), arrays_of(typed), strict=True):
        assert same(first, second)


@given(st.lists(tensors(), max_size=4), st.booleans())
def test_every_response_round_trips(given_tensors: list[tuple[str, Any]], typed: bool) -> None:
    outputs = [InferOutputTensor("y", datatype, list(array.shape), data=array) for datatype, array in given_tensors]
    sent = ModelInferResponse.parse(
        bytes(lower_response(ModelInferResponse("m", outputs=outputs), OutputForms(), typed=typed))
    )
    mirrored = ModelInferRequest(
        inputs=[InferInputTensor(y.name, y.datatype, y.shape, contents=y.contents) for y in sent.outputs],
        raw_input_contents=sent.raw_output_contents,
    )
    bind_request(mirrored)
    for found, (_, array) in zip(arrays_of(mirrored), given_tensors, strict=True):
        assert same(found, array)


def test_raw_inputs_are_read_only_views_of_the_message() -> None:
    buffer = bytearray(bytes(raw_request(("FP64", np.arange(64.0)))))
    request = ModelInferRequest.parse(buffer)
    bind_request(request)
    (array,) = arrays_of(request)
    assert np.shares_memory(array, np.frombuffer(buffer, np.uint8))
    assert not array.flags.writeable


def test_raw_outputs_are_views_of_the_runtimes_arrays() -> None:
    array = np.arange(64.0)
    response = ModelInferResponse("m", outputs=[NumpyCodec.encode_output("y", array)])
    lowered = lower_response(response, OutputForms(), typed=False)
    assert np.shares_memory(np.frombuffer(lowered.raw_output_contents[0], np.uint8), array)


def test_a_bound_request_can_be_sent_on() -> None:
    request = parsed(raw_request(("FP32", np.zeros(2, np.float32))))
    before = bytes(request)
    bind_request(request)
    assert bytes(request) == before


def test_empty_contents_beside_raw_ones_count_as_none() -> None:
    request = raw_request(("INT8", np.array([1, 2], np.int8)))
    request.inputs[0].contents = InferTensorContents()
    assert not bind_request(parsed(request)).typed


def test_a_response_keeps_all_that_is_not_a_tensor() -> None:
    response = ModelInferResponse("m", "1", "7", {"a": 1}, [InferOutputTensor("y", "INT8", [1], {"b": 2}, data=[1])])
    lowered = lower_response(response, OutputForms(), typed=True)
    assert (lowered.model_name, lowered.model_version, lowered.id, lowered.parameters) == ("m", "1", "7", {"a": 1})
    assert lowered.outputs[0].parameters == {"b": 2}
    assert lowered.outputs[0].contents == InferTensorContents(int_contents=[1])
    assert lowered.raw_output_contents == []
    assert response.outputs[0].contents is None


def test_one_output_without_typed_contents_makes_all_of_them_raw() -> None:
    outputs = [InferOutputTensor("a", "INT8", [1], data=[1]), InferOutputTensor("b", "FP16", [1], data=[0])]
    lowered = lower_response(ModelInferResponse("m", outputs=outputs), OutputForms(), typed=True)
    assert [output.contents for output in lowered.outputs] == [None, None]
    assert [bytes(raw) for raw in lowered.raw_output_contents] == [b"\1", b"\0\0"]


INTEGERS = InferTensorContents(int_contents=[1])


def request_of(*inputs: InferInputTensor, raw: list[bytes | memoryview] | None = None) -> ModelInferRequest:
    return ModelInferRequest("m", inputs=inputs, raw_input_contents=raw)


BAD: dict[str, tuple[ModelInferRequest, str]] = {
    "datatype": (request_of(InferInputTensor("x", "INT9", [1])), "inputs[0].datatype: expected one of BOOL, "),
    "no datatype": (request_of(InferInputTensor("x", "", [1])), "inputs[0].datatype: expected one of BOOL, "),
    "negative size": (request_of(InferInputTensor("x", "INT8", [-1])), "inputs[0].shape[0]: expected a size of 0 or"),
    "huge product": (
        request_of(InferInputTensor("x", "INT8", [1 << 62, 4])),
        "inputs[0].shape: [4611686018427387904,",
    ),
    "no data": (
        request_of(InferInputTensor("x", "INT8", [1])),
        "inputs[0].contents: expected 1 elements for",
    ),
    "another field": (
        request_of(InferInputTensor("x", "FP32", [1], contents=INTEGERS)),
        "inputs[0].contents.int_contents: unexpected data in 'int_contents': FP32 expects 'fp32_contents'",
    ),
    "another count": (
        request_of(InferInputTensor("x", "INT8", [2], contents=INTEGERS)),
        "inputs[0].contents: expected 2 elements for shape [2], got 1 (input 'x')",
    ),
    "contents beside raw ones": (
        request_of(InferInputTensor("x", "INT8", [1], contents=INTEGERS), raw=[b"\1"]),
        "contents field must not be specified when using raw_input_contents for input 'x' for model 'm'",
    ),
    "too few raw ones": (
        request_of(InferInputTensor("x", "INT8", [1]), InferInputTensor("z", "INT8", [1]), raw=[b"\1"]),
        "the number of inputs (2) does not match the expected number of raw input contents (1) for model 'm'.",
    ),
    "too many raw ones": (
        request_of(InferInputTensor("x", "INT8", [1]), raw=[b"\1", b"\2"]),
        "the number of inputs (1) does not match the expected number of raw input contents (2) for model 'm'.",
    ),
    "raw ones alone": (request_of(raw=[b"\1"]), "raw_input_contents: 1 entries, but there are no inputs"),
    "raw size": (
        request_of(InferInputTensor("x", "INT8", [2]), raw=[b"\1"]),
        "inputs[0].data: input byte size mismatch for",
    ),
    "raw framing": (
        request_of(InferInputTensor("x", "BYTES", [1]), raw=[b"\2\0\0\0a"]),
        "inputs[0].data[0]: incomplete string data for inference input 'x' for model 'm', expecting string of length 2",
    ),
    "raw BOOL": (
        request_of(InferInputTensor("x", "BOOL", [1]), raw=[b"\2"]),
        "inputs[0].data[0]: expected a BOOL",
    ),
    "second input": (
        request_of(InferInputTensor("x", "INT8", [1]), InferInputTensor("z", "INT8", [1]), raw=[b"\1", b""]),
        "inputs[1].data: input byte size mismatch for input 'z' for model 'm'. Expected 1, got 0 bytes for INT8 of",
    ),
}


@pytest.mark.parametrize(("request_", "text"), BAD.values(), ids=BAD)
def test_a_request_that_does_not_fit_is_an_error_that_names_the_place(request_: ModelInferRequest, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        bind_request(parsed(request_))
    assert str(caught.value).startswith(text)


def test_every_truncation_of_raw_contents_is_an_error() -> None:
    raw = bytes(encode_raw(np.array([b"ab", b"", b"c"], object), DATATYPES["BYTES"], PLACE))
    for size in range(len(raw)):
        with pytest.raises(InvalidInput, match=r"^inputs\[0\]\.data"):
            bind_request(parsed(request_of(InferInputTensor("x", "BYTES", [3]), raw=[raw[:size]])))


@pytest.mark.parametrize("typed", [False, True])
@pytest.mark.parametrize(
    ("output", "text"),
    [
        (InferOutputTensor("y", "FP32", [2], data=[1.0]), "outputs[0].data: expected 2 elements for shape [2], got 1"),
        (InferOutputTensor("y", "FP32", [1]), "outputs[0].data: there is none (output 'y')"),
        (InferOutputTensor("y", "FP32", [1], data=np.zeros(1)), "outputs[0].data: expected FP32, got an array of"),
        (InferOutputTensor("y", "FP99", [1], data=[1.0]), "outputs[0].datatype: expected one of BOOL"),
        (InferOutputTensor("y", "INT8", [1], data=[300]), "outputs[0].data[0]: 300 is beyond the range of INT8"),
        (
            InferOutputTensor("y", "BYTES", [1], data=np.array([1], object)),
            "outputs[0].data[0]: expected bytes",
        ),
    ],
)
def test_an_output_that_is_no_tensor_is_the_runtimes_fault(output: InferOutputTensor, text: str, typed: bool) -> None:
    with pytest.raises(InferenceError) as caught:
        lower_response(ModelInferResponse("m", outputs=[output]), OutputForms(), typed=typed)
    assert str(caught.value).startswith(text)

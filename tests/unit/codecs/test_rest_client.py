"""A client's bodies: what is sent is what the server reads, and what servers answer is understood."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import IN_JSON, same, tensors

from srv_codecs.arrays import output_place, tensor_array
from srv_codecs.grpc import bind_request, bind_response, lower_request, lower_response
from srv_codecs.rest import decode_request, decode_response, encode_request, encode_response
from srv_protocol.errors import InferenceError, InvalidInput
from srv_protocol.inference import (
    InferInputTensor,
    InferOutputTensor,
    InferRequestedOutputTensor,
    ModelInferRequest,
    ModelInferResponse,
)


def request_of(values: list[tuple[str, Any]]) -> ModelInferRequest:
    inputs = [
        InferInputTensor(f"x{index}", datatype, list(array.shape), data=array)
        for index, (datatype, array) in enumerate(values)
    ]
    return ModelInferRequest("m", id="i", parameters={"n": 1}, inputs=inputs)


def response_of(values: list[tuple[str, Any]]) -> ModelInferResponse:
    outputs = [
        InferOutputTensor(f"y{index}", datatype, list(array.shape), data=array)
        for index, (datatype, array) in enumerate(values)
    ]
    return ModelInferResponse("m", "1", "i", {"n": 1}, outputs)


def arrays_of(tensors: Any) -> list[Any]:
    return [tensor_array(each, output_place(index, each.name)) for index, each in enumerate(tensors)]


@given(st.lists(tensors(), max_size=3))
def test_what_is_sent_is_what_the_server_reads(values: list[tuple[str, Any]]) -> None:
    body = encode_request(request_of(values))
    header = None if body.header_length is None else str(body.header_length)
    found, forms = decode_request(b"".join(body.parts), header, model="m")

    assert all(same(a, b) for a, (_, b) in zip(arrays_of(found.inputs), values, strict=True))
    assert (found.id, dict(found.parameters), forms.default) == ("i", {"n": 1}, True)


@given(st.lists(tensors(IN_JSON, json=True), max_size=3))
def test_what_is_sent_as_json_is_what_the_server_reads(values: list[tuple[str, Any]]) -> None:
    body = encode_request(request_of(values), binary=False)
    found, forms = decode_request(b"".join(body.parts), model="m")

    assert body.header_length is None
    assert all(same(a, b) for a, (_, b) in zip(arrays_of(found.inputs), values, strict=True))
    assert not forms.default


@given(st.lists(tensors(), max_size=3))
def test_what_the_server_sends_is_what_is_read(values: list[tuple[str, Any]]) -> None:
    body = encode_response(response_of(values), decode_request(*_binary_wish())[1])
    header = None if body.header_length is None else str(body.header_length)
    found = decode_response(b"".join(body.parts), header)

    assert all(same(a, b) for a, (_, b) in zip(arrays_of(found.outputs), values, strict=True))
    assert (found.model_name, found.model_version, found.id, dict(found.parameters)) == ("m", "1", "i", {"n": 1})


def _binary_wish() -> tuple[bytes, str | None]:
    return b"".join(encode_request(ModelInferRequest("m")).parts), None


@given(st.lists(tensors(), max_size=3))
def test_grpc_there_and_back(values: list[tuple[str, Any]]) -> None:
    """The short way for plain tensors and the general one give the same message, which the server reads."""
    request = ModelInferRequest.parse(bytes(lower_request(request_of(values), typed=False)))
    bind_request(request)
    assert all(same(a, b) for a, (_, b) in zip(arrays_of(request.inputs), values, strict=True))

    forms = bind_request(ModelInferRequest("m"))
    response = ModelInferResponse.parse(bytes(lower_response(response_of(values), forms, typed=False)))
    bind_response(response)
    assert all(same(a, b) for a, (_, b) in zip(arrays_of(response.outputs), values, strict=True))


def test_arrays_are_not_copied() -> None:
    array = np.arange(8, dtype=np.float32)
    part = encode_request(request_of([("FP32", array)])).parts[1]
    assert np.shares_memory(np.frombuffer(part, np.float32), array)

    body = np.frombuffer(
        b'{"outputs":[{"name":"y","datatype":"FP32","shape":[2],"parameters":{"binary_data_size":8}}]}' + bytes(8),
        np.uint8,
    )
    found = decode_response(body.data, str(len(body) - 8))
    assert np.shares_memory(arrays_of(found.outputs)[0], body)
    assert not arrays_of(found.outputs)[0].flags.writeable


def test_a_request_to_the_byte() -> None:
    array = np.array([[1, 2]], "<i2")
    request = ModelInferRequest(
        "m", id="7", inputs=[InferInputTensor("x", "INT16", [1, 2], {"k": "v"}, data=array)],
        outputs=[InferRequestedOutputTensor("y"), InferRequestedOutputTensor("z", {"classification": 2})],
    )  # fmt: skip
    text = (
        b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"INT16","parameters":{"k":"v","binary_data_size":4}}],'
        b'"id":"7","outputs":[{"name":"y","parameters":{"binary_data":true}},'
        b'{"name":"z","parameters":{"binary_data":true,"classification":2}}]}'
    )
    body = encode_request(request)
    assert b"".join(body.parts) == text + b"\1\0\2\0"
    assert body.header_length == len(text)
    assert b"".join(encode_request(request, binary=False).parts) == (
        b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"INT16","parameters":{"k":"v"},"data":[1,2]}],'
        b'"id":"7","outputs":[{"name":"y"},{"name":"z","parameters":{"classification":2}}]}'
    )


def test_an_answer_of_mlserver() -> None:
    """All JSON, with a content type on the output, and null for what is not there."""
    found = decode_response(
        b'{"model_name":"m","model_version":null,"id":"a","parameters":{},"outputs":[{"name":"predict","shape":[2,1],'
        b'"datatype":"INT64","parameters":{"content_type":"np"},"data":[0,1]}]}'
    )
    (output,) = found.outputs
    assert arrays_of([output])[0].tolist() == [[0], [1]]
    assert output.parameters.content_type == "np"
    assert found.model_version == ""


def test_an_answer_of_triton() -> None:
    """JSON and binary outputs side by side; numbers that are no JSON."""
    text = (
        b'{"model_name":"m","model_version":"1","outputs":['
        b'{"name":"a","datatype":"FP32","shape":[3],"data":[NaN,1.0,-Infinity]},'
        b'{"name":"b","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":10}}]}'
    )
    found = decode_response(text + b"\1\0\0\0x\1\0\0\0y", str(len(text)))
    numbers, texts = arrays_of(found.outputs)
    assert np.array_equal(numbers, np.array([np.nan, 1, -np.inf], "f4"), equal_nan=True)
    assert texts.tolist() == [b"x", b"y"]


OUTPUT = b'{"outputs":[{"name":"y","datatype":"%s","shape":[%s]%s}]}'


@pytest.mark.parametrize(
    ("body", "header", "message"),
    [
        (b"", None, "the answer is no V2 JSON"),
        (b"{", None, "the answer is no V2 JSON"),
        (b"\xff", None, "the answer is no V2 JSON"),
        (b"[]", None, "expected `object`"),
        (b"{}", None, "missing required field `outputs`"),
        (OUTPUT % (b"FP31", b"1", b""), None, r"outputs\[0\].datatype: expected one of"),
        (OUTPUT % (b"FP32", b"-1", b""), None, r"outputs\[0\].shape\[0\]"),
        (OUTPUT % (b"FP32", b"2", b',"data":[1]'), None, r"outputs\[0\].data: expected 2 elements"),
        (OUTPUT % (b"INT8", b"1", b',"data":[300]'), None, r"outputs\[0\].data\[0\]"),
        (OUTPUT % (b"INT8", b"1", b',"data":["a"]'), None, r"outputs\[0\].data"),
        (OUTPUT % (b"INT8", b"1", b',"parameters":{"binary_data_size":1}'), None, "at most the 0 bytes"),
        (OUTPUT % (b"INT8", b"1", b',"parameters":{"binary_data_size":true}'), None, "expected an unsigned integer"),
        (OUTPUT % (b"INT8", b"1", b',"data":[1]') + b"xx", "48", "2 bytes stand behind"),
        (b"{}", "3", "expected the size of its JSON, 0 to 2"),
        (b"{}", "+1", "expected the size of its JSON"),
    ],
)  # fmt: skip
def test_answers_that_are_none(body: bytes, header: str | None, message: str) -> None:
    if header == "48":
        header = str(len(body) - 2)
    with pytest.raises(InferenceError, match=message):
        decode_response(body, header)


def test_what_has_no_json_form_names_the_input() -> None:
    for datatype, array in (("FP16", np.ones(1, "f2")), ("FP32", np.array([np.nan], "f4"))):
        with pytest.raises(InvalidInput, match=r"binary data format for input 'x0'$"):
            encode_request(request_of([(datatype, array)]), binary=False)
    with pytest.raises(InvalidInput, match=r"inputs\[0\].data: expected 2 elements"):
        encode_request(ModelInferRequest("m", inputs=[InferInputTensor("x", "INT8", [2], data=np.ones(1, "i1"))]))

"""V2 bodies of HTTP."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import IN_JSON, same, tensors

from srv_codecs._contents import decode_contents, encode_contents
from srv_codecs._place import input_place
from srv_codecs._raw import encode_raw
from srv_codecs.arrays import tensor_array
from srv_codecs.content_types import NumpyCodec
from srv_codecs.rest import (
    HEADER_LENGTH,
    EncodedBody,
    OutputForms,
    decode_request,
    encode_response,
    parse_header_length,
)
from srv_protocol.datatypes import DATATYPES
from srv_protocol.errors import InferenceError, InvalidInput, SrvError, Unsupported
from srv_protocol.inference import (
    InferInputTensor,
    InferOutputTensor,
    InferTensorContents,
    ModelInferRequest,
    ModelInferResponse,
)

PLACE = input_place(0, "x")
ALL_BINARY = OutputForms(default=True)


def json_input(datatype: str, shape: list[int], data: Any, **parameters: Any) -> dict[str, Any]:
    return {"name": "x", "datatype": datatype, "shape": shape, "data": data, "parameters": parameters}


def binary_input(datatype: str, shape: list[int], size: Any) -> dict[str, Any]:
    return {"name": "x", "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": size}}


def pack(*inputs: dict[str, Any], tail: bytes | None = None, **members: Any) -> tuple[bytes, str | None]:
    """Return a body and the value of its header."""
    header = json.dumps({"inputs": inputs, **members}).encode()
    return (header, None) if tail is None else (header + tail, str(len(header)))


def decode_one(body: bytes, header_length: str | None = None) -> InferInputTensor:
    (tensor,) = decode_request(body, header_length)[0].inputs
    return tensor


def unpack(body: EncodedBody) -> tuple[dict[str, Any], bytes]:
    """Return the JSON part of a response and its tail."""
    data = b"".join(body.parts)
    assert len(data) == body.size
    size = body.size if body.header_length is None else body.header_length
    return json.loads(data[:size]), data[size:]


@given(tensors(IN_JSON, json=True))
def test_json_binary_and_typed_tensors_give_equal_arrays(tensor: tuple[str, Any]) -> None:
    datatype, array = tensor
    spec, shape = DATATYPES[datatype], list(array.shape)
    texts = [item.decode() if isinstance(item, bytes) else item for item in array.reshape(-1).tolist()]
    raw = bytes(encode_raw(array, spec, PLACE))
    contents = InferTensorContents.parse(bytes(encode_contents(array, spec, PLACE)))
    from_json = NumpyCodec.decode_input(decode_one(*pack(json_input(datatype, shape, texts))))
    from_binary = NumpyCodec.decode_input(decode_one(*pack(binary_input(datatype, shape, len(raw)), tail=raw)))
    from_contents = decode_contents(contents, spec, shape, array.size, PLACE)
    assert same(from_json, array)
    assert same(from_binary, array)
    assert same(from_contents, array)


@given(st.lists(tensors(), max_size=4))
def test_every_response_round_trips_as_binary_data(given_tensors: list[tuple[str, Any]]) -> None:
    outputs = [
        InferOutputTensor(f"y{index}", datatype, list(array.shape), data=array)
        for index, (datatype, array) in enumerate(given_tensors)
    ]
    body = encode_response(ModelInferResponse("m", outputs=outputs), ALL_BINARY)
    header, tail = unpack(body)
    # A response's tensors have the form of a request's.
    request, _ = decode_request(*pack(*header["outputs"], tail=tail if outputs else None))
    for tensor, (_, array) in zip(request.inputs, given_tensors, strict=True):
        assert same(tensor_array(tensor, PLACE), array)


def test_a_request_has_all_that_the_body_says() -> None:
    body, _ = pack(
        json_input("FP32", [1], [1.5], content_type="np"),
        id="7",
        parameters={"temperature": 0.5, "binary_data_output": True},
        outputs=[{"name": "a"}, {"name": "b", "parameters": {"binary_data": True, "other": 1}}],
    )
    request, forms = decode_request(body)
    assert (request.id, request.parameters, request.inputs[0].parameters) == (
        "7",
        {"temperature": 0.5},
        {"content_type": "np"},
    )
    assert [(output.name, output.parameters) for output in request.outputs] == [("a", {}), ("b", {"other": 1})]
    assert (forms.is_binary("a"), forms.is_binary("b"), forms.is_binary("c")) == (False, True, False)
    assert decode_request(pack(parameters={"binary_data_output": True})[0])[1].is_binary("any")


def test_the_request_is_for_the_model_of_the_path_whatever_the_body_says() -> None:
    body, _ = pack(X, model_name="other")
    assert decode_request(body, model="m")[0].model_name == "m"
    assert decode_request(body)[0].model_name == ""


def test_the_reserved_parameter_that_every_client_may_send_is_kept() -> None:
    body, _ = pack(X, parameters={"triton_enable_empty_final_response": True})
    assert decode_request(body)[0].parameters == {"triton_enable_empty_final_response": True}


def test_binary_inputs_are_read_only_views_of_the_body() -> None:
    tail = np.arange(4.0).tobytes()
    body, length = pack(binary_input("FP64", [4], len(tail)), tail=tail)
    buffer = bytearray(body)
    array = tensor_array(decode_one(buffer, length), PLACE)  # type: ignore[arg-type]  # any buffer will do  # pyright: ignore[reportArgumentType]
    assert np.shares_memory(array, np.frombuffer(buffer, np.uint8))
    assert not array.flags.writeable


def test_binary_outputs_are_views_of_the_runtimes_arrays() -> None:
    array = np.arange(4.0)
    response = ModelInferResponse("m", outputs=[InferOutputTensor("y", "FP64", [4], data=array)])
    _, tail = encode_response(response, ALL_BINARY).parts
    assert np.shares_memory(np.frombuffer(tail, np.uint8), array)


def test_json_and_binary_inputs_may_be_mixed() -> None:
    first, second = binary_input("INT8", [2], 2), binary_input("INT8", [1], 1)
    body, length = pack(first, {**json_input("INT8", [1], [7]), "name": "j"}, second, tail=b"\1\2\3")
    request, _ = decode_request(body, length)
    assert [tensor_array(tensor, PLACE).tolist() for tensor in request.inputs] == [[1, 2], [7], [3]]


def test_an_empty_binary_input_needs_no_tail() -> None:
    empty = {**binary_input("FP32", [0], 0), "data": None}
    for body, length in (pack(empty), pack(empty, tail=b"")):
        assert decode_one(body, length).data.root == []


def test_nan_and_infinity_are_understood_where_clients_write_them() -> None:
    array = np.array([np.nan, np.inf, -np.inf, 1], np.float32)
    body, _ = pack(json_input("FP32", [2, 2], array.tolist()), {**json_input("INT8", [1], [2]), "name": "i"}, id="7")
    assert b"[NaN, Infinity, -Infinity, 1.0]" in body
    request, _ = decode_request(body)
    assert request.id == "7"
    assert [tensor_array(tensor, PLACE).tolist() for tensor in request.inputs[1:]] == [[2]]
    assert np.array_equal(tensor_array(request.inputs[0], PLACE).reshape(-1), array, equal_nan=True)


def test_one_string_as_long_as_its_shape_is_one_element() -> None:
    for data in ("hello", ["hello"]):
        tensor = decode_one(pack(json_input("BYTES", [5], data))[0])
        assert tensor.shape == [1]
        assert NumpyCodec.decode_input(tensor).tolist() == [b"hello"]


@pytest.mark.parametrize(("value", "expected"), [(None, None), ("5", 5), (" 5\t", 5), ("0", 0), ("10", 10)])
def test_the_header_says_how_long_the_json_is(value: str | None, expected: int | None) -> None:
    assert parse_header_length(value, 10) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", "Unable to parse Inference-Header-Content-Length, got: "),
        ("five", "Unable to parse Inference-Header-Content-Length, got: five"),
        ("5.0", "Unable to parse Inference-Header-Content-Length, got: 5.0"),
        ("\u0665", "Unable to parse Inference-Header-Content-Length, got: \u0665"),
        ("5_0", "Unable to parse Inference-Header-Content-Length, got: 5_0"),
        ("9" * 100, f"Unable to parse Inference-Header-Content-Length, got: {'9' * 64}"),
        ("-1", "inference header size should be in range (0, 10), got: -1"),
        ("11", "inference header size should be in range (0, 10), got: 11"),
    ],
)
def test_a_header_that_is_no_size_is_an_error(value: str, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_header_length(value, 10)
    assert str(caught.value) == text


X = json_input("INT8", [1], [1])
NAN = json_input("FP32", [1], [float("nan")])
ONE_FORM = (
    "Input must set only one of the following fields: 'data', 'binary_data_size' in 'parameters', "
    "'shared_memory_region' in 'parameters'. But"
)
BAD_BODIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "the request body is no valid JSON: "),
    "no JSON": (b"hello", "the request body is no valid JSON: "),
    "half of it": (b'{"inputs": [', "the request body is no valid JSON: "),
    "two of it": (b'{"inputs": []}{}', "the request body is no valid JSON: "),
    "no UTF-8": (b'{"inputs": [], "id": "\xff"}', "the request body is no valid JSON: "),
    "NaN misspelt": (pack(json_input("FP32", [1], "?"))[0].replace(b'"?"', b"[nan]"), "the request body is no valid"),
    "NaN and half of it": (b'{"inputs": [NaN', "the request body is no valid JSON: "),
    "NaN for a name": (pack({**X, "name": float("nan")})[0], "inputs[0].name: expected `str`, got `float`"),
    "NaN for a list": (pack({**X, "data": float("nan")})[0], "inputs[0].data: expected an array of integers, got nan"),
    "NaN for INT8": (
        pack({**X, "data": [float("nan")]})[0],
        "inputs[0].data[0]: expected integer values for INT8",
    ),
    "NaN for BYTES": (
        pack({**X, "datatype": "BYTES", "data": [float("nan")]})[0],
        "inputs[0].data[0]: expected bytes or text, got float",
    ),
    "too deep": (b'{"inputs": [{"data": ' + b"[" * 100_000, "the request body is no valid JSON: "),
    "a list": (b"[]", "the request body: expected `object`, got `array`"),
    "no inputs": (b"{}", "the request body: object missing required field `inputs`"),
    "inputs are an object": (b'{"inputs": {}}', "inputs: expected `array`, got `object`"),
    "an input is null": (b'{"inputs": [null]}', "inputs[0]: expected `object`, got `null`"),
    "no name": (b'{"inputs": [{"shape": [1], "datatype": "INT8", "data": [1]}]}', "inputs[0]: object missing required"),
    "no shape": (b'{"inputs": [{"name": "x", "datatype": "INT8", "data": [1]}]}', "inputs[0]: object missing required"),
    "no datatype": (b'{"inputs": [{"name": "x", "shape": [1], "data": [1]}]}', "inputs[0]: object missing required"),
    "a number for a name": (pack({**X, "name": 5})[0], "inputs[0].name: expected `str`, got `int`"),
    "a number for a shape": (pack({**X, "shape": 1})[0], "inputs[0].shape: expected `array`, got `int`"),
    "a negative size": (pack({**X, "shape": [-1]})[0], "inputs[0].shape[0]: expected `int` >= 0"),
    "a fraction of a size": (pack({**X, "shape": [1.5]})[0], "inputs[0].shape[0]: expected `int`, got `float`"),
    "a huge size": (pack({**X, "shape": [1 << 70]})[0], "inputs[0].shape[0]: "),
    "a huge product": (
        pack({**X, "shape": [1 << 40] * 2})[0],
        "inputs[0].shape: [1099511627776, 1099511627776] causes",
    ),
    "many dimensions": (pack({**X, "shape": [1] * 40})[0], "inputs[0].shape: expected at most 32 dimensions, got 40"),
    "an unknown datatype": (pack({**X, "datatype": "INT9"})[0], "inputs[0].datatype: expected one of BOOL, "),
    "no data": (pack({"name": "x", "shape": [1], "datatype": "INT8"})[0], f"inputs[0].data: {ONE_FORM} no field is"),
    "null data": (pack({**X, "data": None})[0], f"inputs[0].data: {ONE_FORM} no field is set (input 'x')"),
    "bad data": (pack({**X, "data": ["a"]})[0], "inputs[0].data[0]: expected `int`, got `str`"),
    "data twice": (
        pack({**X, "parameters": {"binary_data_size": 1}})[0],
        f"inputs[0].data: {ONE_FORM} set 'data' 'binary_data_size' (input 'x')",
    ),
    "binary data without a header": (
        pack(binary_input("INT8", [1], 1))[0],
        "inputs[0].parameters.binary_data_size: must specify valid 'Infer-Header-Content-Length' in request header and",
    ),
    "parameters are a list": (pack({**X, "parameters": []})[0], "inputs[0].parameters: expected `object | null`, got"),
    "an integer beyond 64 bits for a parameter": (
        pack(X, parameters={"a": 1 << 64})[0],
        "parameters.a: expected an integer of 64 bits, got one of 65",
    ),
    "a list for a parameter": (pack(X, parameters={"a": []})[0], "parameters.a: expected a string, number or boolean"),
    "a list for a parameter of an input": (
        pack(X, {**X, "parameters": {"b": 1, "a": []}})[0],
        "inputs[1].parameters.a: expected a string, number or boolean, got list",
    ),
    "a list for a parameter of an output": (
        pack(X, outputs=[{"name": "y", "parameters": {"a": []}}])[0],
        "outputs[0].parameters.a: expected a string, number or boolean, got list",
    ),
    "headers that are no text": (
        pack({**X, "parameters": {"headers": {"A": "1", "B": 2}}})[0],
        "inputs[0].parameters.headers: expected a name and a value that are strings, got 'B': 2",
    ),
    "headers that differ in case": (
        pack(X, parameters={"headers": {"A": "1", "a": 2}})[0],
        "parameters.headers: expected a name and a value that are strings, got 'a': 2",
    ),
    "NaN for a parameter": (pack(X, parameters={"a": float("nan")})[0], "parameters.a: expected a finite number, got"),
    "infinity for a parameter of an input": (
        pack(X, {**X, "parameters": {"a": float("-inf")}})[0],
        "inputs[1].parameters.a: expected a finite number, got -inf",
    ),
    "NaN for a parameter of an output": (
        pack(X, outputs=[{"name": "y", "parameters": {"a": float("nan")}}])[0],
        "outputs[0].parameters.a: expected a finite number, got nan",
    ),
    "NaN in a list for a parameter": (
        pack({**X, "parameters": {"a": [float("nan")]}})[0],
        "inputs[0].parameters.a: expected a string, number or boolean, got list",
    ),
    **{
        f"a lone surrogate and NaN, {place}": (body, "the request body is no valid JSON: 'utf-8' codec can't encode")
        for place, body in {
            "in the data": pack({**X, "datatype": "BYTES", "data": ["\ud800"]}, NAN)[0],
            "in a single string": pack({**X, "datatype": "BYTES", "shape": [3], "data": "\ud800"}, NAN)[0],
            "for a name": pack({**X, "name": "\udfff"}, NAN)[0],
            "for a parameter": pack(NAN, parameters={"a": "\ud800"})[0],
            "for a parameter's name": pack(NAN, parameters={"\ud800": 1})[0],
            "behind a huge integer": pack(NAN, {**X, "data": [10**40], "name": "\ud800"})[0],
        }.items()
    },
    "a surrogate's bytes and NaN": (
        pack(NAN, parameters={"a": "?"})[0].replace(b"?", b"\xed\xa0\x80"),
        "the request body is no valid JSON: 'utf-8' codec can't decode",
    ),
    "no flag": (pack(X, parameters={"binary_data_output": 1})[0], "parameters.binary_data_output: expected true or"),
    "no flag of an output": (
        pack(X, outputs=[{"name": "y", "parameters": {"binary_data": "yes"}}])[0],
        "outputs[0].parameters.binary_data: expected true or false, got 'yes'",
    ),
    "an output without a name": (pack(X, outputs=[{}])[0], "outputs[0]: object missing required field `name`"),
}


@pytest.mark.parametrize(("body", "text"), BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_body_that_is_no_request_is_an_error_that_names_the_place(body: bytes, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode_request(body)
    assert str(caught.value).startswith(text)


BAD_TAILS: dict[str, tuple[dict[str, Any], bytes, str]] = {
    "too short": (binary_input("INT8", [4], 4), b"123", "inputs[0].parameters.binary_data_size: unexpected size for"),
    "too long": (binary_input("INT8", [2], 2), b"123", "unexpected additional input data for model 'm': 1 bytes"),
    "not of the shape": (binary_input("INT8", [2], 3), b"123", "inputs[0].data: input byte size mismatch for"),
    "negative": (binary_input("INT8", [2], -1), b"", "inputs[0].parameters.binary_data_size: expected an"),
    "a fraction": (
        binary_input("INT8", [2], 2.0),
        b"12",
        "inputs[0].parameters.binary_data_size: expected an",
    ),
    "a flag": (binary_input("INT8", [1], True), b"1", "inputs[0].parameters.binary_data_size: expected an"),
    "text": (binary_input("INT8", [2], "2"), b"12", "inputs[0].parameters.binary_data_size: expected an"),
    "huge": (binary_input("INT8", [2], 1 << 62), b"12", "inputs[0].parameters.binary_data_size: unexpected size for"),
    "nobody's": (X, b"1", "unexpected additional input data for model 'm': 1 bytes behind the last binary input"),
}


@pytest.mark.parametrize(("tensor", "tail", "text"), BAD_TAILS.values(), ids=BAD_TAILS)
def test_a_tail_that_does_not_fit_is_an_error(tensor: dict[str, Any], tail: bytes, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode_request(*pack(tensor, tail=tail), model="m")
    assert str(caught.value).startswith(text)


def test_every_truncation_and_every_cut_between_the_parts_is_an_error() -> None:
    tail = b"\2\0\0\0ab\0\0\0\0" + bytes(4)
    first = {**binary_input("BYTES", [2], 10), "name": "a"}
    body, length = pack(first, binary_input("FP32", [1], 4), tail=tail)
    assert len(decode_request(body, length)[0].inputs) == 2
    for size in range(len(body)):
        with pytest.raises(InvalidInput):
            decode_request(body[:size], length)
    for cut in range(len(body) + 1):
        if str(cut) != length:
            with pytest.raises(SrvError):
                decode_request(body, str(cut))


@given(st.binary(max_size=64), st.none() | st.integers(-1, 80).map(str))
def test_no_body_whatever_raises_anything_else(body: bytes, length: str | None) -> None:
    with pytest.raises((InvalidInput, Unsupported)):
        decode_request(body, length)


def test_a_raw_request_is_no_json() -> None:
    with pytest.raises(InvalidInput, match=rf"^{HEADER_LENGTH}: 0 announces a raw request, which is no JSON$"):
        decode_request(b"\1", "0")


def test_a_json_response_is_plain() -> None:
    outputs = [
        InferOutputTensor("y", "FP32", [1, 2], {"content_type": "np"}, data=np.array([[1.5, 2]], np.float32)),
        InferOutputTensor("t", "BYTES", [1], data=["\u00e4"]),
    ]
    body = encode_response(ModelInferResponse("m", "1", "7", {"a": 1}, outputs), OutputForms())
    assert (body.header_length, body.content_type, len(body.parts)) == (None, "application/json", 1)
    assert unpack(body)[0] == {
        "model_name": "m",
        "model_version": "1",
        "id": "7",
        "parameters": {"a": 1},
        "outputs": [
            {"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [1.5, 2.0]},
            {"name": "t", "datatype": "BYTES", "shape": [1], "data": ["ä"]},
        ],
    }


def test_what_is_empty_is_left_out_of_a_response() -> None:
    assert unpack(encode_response(ModelInferResponse("m"), OutputForms()))[0] == {"model_name": "m", "outputs": []}


@pytest.mark.parametrize("binary", [False, True])
def test_a_shape_of_numpys_integers_is_as_good_as_one_of_pythons(binary: bool) -> None:
    shape: Any = [np.int64(2), np.uint8(1)]
    response = ModelInferResponse("m", outputs=[InferOutputTensor("y", "INT64", shape, data=[1, 2])])

    header, _ = unpack(encode_response(response, OutputForms(default=binary)))

    assert header["outputs"][0]["shape"] == [2, 1]


def test_each_output_has_the_form_that_was_asked_for() -> None:
    arrays = {"a": np.zeros(1, np.int8), "b": np.ones(1, np.int8), "c": np.array([b"z"], object)}
    outputs = [NumpyCodec.encode_output(name, array) for name, array in arrays.items()]
    body = encode_response(ModelInferResponse("m", outputs=outputs), OutputForms(default=True, listed=frozenset("bc")))
    header, tail = unpack(body)
    assert body.content_type == "application/octet-stream"
    assert [output.get("data") for output in header["outputs"]] == [[0], None, None]
    assert [output.get("parameters") for output in header["outputs"]] == [
        None,
        {"content_type": "np", "binary_data_size": 1},
        {"content_type": "np", "binary_data_size": 5},
    ]
    assert tail == b"\1\1\0\0\0z"


def test_a_response_does_not_change_with_its_encoding() -> None:
    response = ModelInferResponse("m", outputs=[NumpyCodec.encode_output("y", np.zeros(1))])
    first = unpack(encode_response(response, ALL_BINARY))
    assert unpack(encode_response(response, ALL_BINARY)) == first


@pytest.mark.parametrize(
    ("output", "error", "text"),
    [
        (InferOutputTensor("y", "FP16", [1], data=np.zeros(1, "e")), InvalidInput, "sending FP16 data via JSON is not"),
        (InferOutputTensor("y", "FP32", [1], data=[None]), InvalidInput, "outputs[0].data[0]: nan has no JSON form."),
        (InferOutputTensor("y", "BYTES", [1], data=[b"\xff"]), InvalidInput, "outputs[0].data[0]: the bytes are not"),
        (InferOutputTensor("y", "FP32", [2], data=[1.0]), InferenceError, "outputs[0].data: expected 2 elements for"),
        (InferOutputTensor("y", "FP32", [1]), InferenceError, "outputs[0].data: there is none (output 'y')"),
        (InferOutputTensor("y", "FP32", [1], data=np.zeros(1)), InferenceError, "outputs[0].data: expected FP32, got"),
        (InferOutputTensor("y", "FP99", [1], data=[1.0]), InferenceError, "outputs[0].datatype: expected one of"),
        (InferOutputTensor("y", "FP32", [-1], data=[1.0]), InferenceError, "outputs[0].shape[0]: expected a size of"),
        (
            InferOutputTensor("y", "BYTES", [1], data=np.array([1], object)),
            InferenceError,
            "outputs[0].data[0]: expect",
        ),
    ],
)
def test_an_output_without_a_json_form_is_an_error_that_tells_whose(
    output: InferOutputTensor, error: type[SrvError], text: str
) -> None:
    with pytest.raises(error) as caught:
        encode_response(ModelInferResponse("m", outputs=[output]), OutputForms())
    assert str(caught.value).startswith(text)


def test_nan_may_become_null() -> None:
    response = ModelInferResponse("m", outputs=[InferOutputTensor("y", "FP32", [2], data=[None, 1.0])])
    body = encode_response(response, OutputForms(), nonfinite_as_null=True)
    assert unpack(body)[0]["outputs"][0]["data"] == [None, 1.0]


def test_a_request_is_what_a_client_would_have_built() -> None:
    expected = ModelInferRequest(inputs=[InferInputTensor("x", "INT8", [1], data=[1])])
    assert decode_request(pack(X)[0])[0] == expected


def test_requests_may_carry_nan_and_infinity_as_python_and_rapidjson_write_them() -> None:
    body = b'{"inputs":[{"name":"x","shape":[4],"datatype":"FP32","data":[NaN,Infinity,-Infinity,1]}]}'
    request, _ = decode_request(body)

    np.testing.assert_array_equal(request.inputs[0].data.array, np.array([np.nan, np.inf, -np.inf, 1], np.float32))


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ('{"name":"x","shape":[1],"datatype":"INT32","data":[NaN]}', "inputs[0].data[0]: expected integer values"),
        ('{"name":"x","shape":[1],"datatype":"FP64","data":NaN}', "inputs[0].data: expected an array of numbers"),
        ('{"name":"x","shape":[2],"datatype":"FP64","data":[NaN,1e400]}', "number out of range: 1e400"),
        ('{"name":"x","shape":["a"],"datatype":"FP64","data":[NaN]}', "inputs[0].shape[0]: expected `int`, got `str`"),
        ("NaN", "inputs[0]: expected `object`"),
        ('{"name":"x","shape":[1],"datatype":"FP64","data":[NaN', "the request body is no valid JSON"),
    ],
)
def test_beside_nan_everything_is_as_strict_as_ever(inputs: str, text: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        decode_request(f'{{"inputs":[{inputs}]}}'.encode())

    assert text in str(raised.value)


def test_one_long_string_is_one_element_beside_nan_too() -> None:
    body = b'{"inputs":[{"name":"s","shape":[5],"datatype":"BYTES","data":"hello"},'
    body += b'{"name":"x","shape":[1],"datatype":"FP32","data":[NaN]}]}'
    request, _ = decode_request(body)

    assert (request.inputs[0].shape, list(request.inputs[0].data)) == ([1], ["hello"])

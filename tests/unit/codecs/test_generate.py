"""Free-form JSON of language models."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import IN_JSON, NOT_IN_JSON, same, tensors

from srv_codecs._place import input_place
from srv_codecs.arrays import tensor_array
from srv_codecs.generate import decode_generate, encode_generate, parse_generate
from srv_codecs.hints import ImpliedTensor
from srv_codecs.rest import OutputForms, decode_request, encode_response
from srv_protocol.errors import CodecError, InferenceError, InvalidInput
from srv_protocol.inference import (
    InferOutputTensor,
    ModelInferRequest,
    ModelInferResponse,
    Parameters,
    TensorMetadata,
)

TEXT = TensorMetadata("text_input", "BYTES", [1])
NUMBERS = TensorMetadata("numbers", "INT32", [-1])
ANY = ImpliedTensor("x", None, optional=False)


def decode(body: Any, *inputs: Any, batched: bool = False) -> ModelInferRequest:
    """Return the request of a body: JSON text, or what becomes it."""
    text = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return decode_generate(parse_generate(text), inputs, batched=batched)


def shape_of(count: int, shape: list[int], *, batched: bool = False) -> list[int]:
    """Return the shape that a list of so many numbers gets."""
    value: Any = list(range(count))
    (tensor,) = decode({"x": value}, TensorMetadata("x", "INT64", shape), batched=batched).inputs
    assert tensor_array(tensor, input_place(0, "x")).shape == tuple(tensor.shape)
    return tensor.shape


def error_of(body: Any, *inputs: Any) -> str:
    with pytest.raises(InvalidInput) as raised:
        decode(body, *inputs)
    return raised.value.message


def response(*outputs: tuple[str, str, list[int], Any], **parameters: Any) -> ModelInferResponse:
    made = [InferOutputTensor(name, datatype, shape, data=data) for name, datatype, shape, data in outputs]
    return ModelInferResponse("m", "1", outputs=made, parameters=Parameters(parameters))


def members(answer: ModelInferResponse, *, nonfinite_as_null: bool = False) -> dict[str, Any]:
    """Return an answer's JSON without what every answer has."""
    found: dict[str, Any] = json.loads(encode_generate(answer, nonfinite_as_null=nonfinite_as_null))
    assert (found.pop("model_name"), found.pop("model_version")) == ("m", "1")
    return found


# ---- Requests


@given(st.lists(tensors(IN_JSON, json=True), max_size=4), st.booleans())
def test_a_free_form_request_is_the_v2_request_of_the_same_tensors(
    given_tensors: list[tuple[str, Any]], nested: bool
) -> None:
    flat = [
        [item.decode() if isinstance(item, bytes) else item for item in array.reshape(-1).tolist()]
        for _, array in given_tensors
    ]
    rows = [
        TensorMetadata(f"x{index}", datatype, list(array.shape))
        for index, (datatype, array) in enumerate(given_tensors)
    ]
    v2 = {
        "id": "7",
        "inputs": [
            {"name": row.name, "datatype": row.datatype, "shape": row.shape, "data": data}
            for row, data in zip(rows, flat, strict=True)
        ],
        "parameters": {"temperature": 0.5, "stream": True},
    }
    values = {f"x{index}": data for index, data in enumerate(flat)}
    inner = {"temperature": 0.5, "stream": True} | (values if nested else {})
    free = {"id": "7", **({} if nested else values), "parameters": inner}
    found = decode(free, *rows)
    expected, _ = decode_request(json.dumps(v2).encode())

    assert found == expected
    for one, other in zip(found.inputs, expected.inputs, strict=True):
        place = input_place(0, one.name)
        assert same(tensor_array(one, place), tensor_array(other, place))


@given(st.lists(st.integers(-1, 4), max_size=5), st.integers(0, 30))
def test_a_padded_shape_has_the_elements_and_the_fixed_dimensions(shape: list[int], count: int) -> None:
    """Where there is such a shape: zeros divide nothing."""
    fixed = math.prod(size for size in shape if size >= 0)
    if count == fixed or (-1 in shape and fixed and count % fixed == 0):
        padded = shape_of(count, shape)
        assert math.prod(padded) == count
        assert all(expected in {-1, size} for size, expected in zip(padded, shape, strict=True))
    else:
        with pytest.raises(InvalidInput, match="The schema can not convert input 'x' to tensor with proper shape"):
            shape_of(count, shape)


@pytest.mark.parametrize(
    ("count", "shape", "batched", "padded"),
    [
        (1, [], False, []),
        (1, [1, 1], False, [1, 1]),
        (6, [2, 3], False, [2, 3]),
        (6, [-1], False, [6]),
        (6, [-1, -1], False, [1, 6]),
        (6, [-1, 2, -1, 3], False, [1, 2, 1, 3]),
        (6, [-1, 3], False, [2, 3]),
        (0, [-1], False, [0]),
        (0, [-1, 3], False, [0, 3]),
        (0, [0, -1], False, [0, 0]),
        (0, [0], False, [0]),
        (6, [-1, -1], True, [1, 6]),
        (6, [-1, 2, 3], True, [1, 2, 3]),
        (1, [], True, []),
        (1, [-1], True, [1]),
    ],
)
def test_the_innermost_variable_dimension_takes_the_rest(
    count: int, shape: list[int], batched: bool, padded: list[int]
) -> None:
    assert shape_of(count, shape, batched=batched) == padded


@pytest.mark.parametrize(
    ("count", "shape", "batched"),
    [(2, [], False), (5, [2, -1], False), (0, [2], False), (1, [0], False), (1, [0, -1], False), (2, [-1, 1], True)],
)
def test_a_number_of_elements_that_the_shape_does_not_take_is_refused(
    count: int, shape: list[int], batched: bool
) -> None:
    with pytest.raises(InvalidInput, match=f"input 'x': The schema can not convert .*, got {count} elements"):
        shape_of(count, shape, batched=batched)


def test_a_scalar_is_a_list_of_one() -> None:
    assert decode({"text_input": "a"}, TEXT) == decode({"text_input": ["a"]}, TEXT)


def test_members_that_are_no_inputs_are_parameters() -> None:
    found = decode({"text_input": "a", "stream": False, "parameters": {"top_k": 3, "id": "x"}, "none": None}, TEXT)

    assert found.parameters == {"stream": False, "top_k": 3, "id": "x"}
    assert found.id == ""
    assert [tensor.name for tensor in found.inputs] == ["text_input"]


def test_reserved_parameters_are_handed_on() -> None:
    reserved = {"sequence_id": 5, "sequence_start": True, "priority": 1, "timeout": 10, "triton_x": "y"}
    assert decode({"text_input": "a", **reserved}, TEXT).parameters == reserved


def test_an_input_may_be_called_id() -> None:
    found = decode({"id": 5}, TensorMetadata("id", "INT64", [1]))

    assert found.id == ""
    assert found.inputs[0].data.root == [5]


def test_nan_and_infinity_are_numbers_of_a_float_input() -> None:
    (tensor,) = decode('{"x": [NaN, -Infinity, null, 1]}', TensorMetadata("x", "FP32", [-1])).inputs
    np.testing.assert_array_equal(
        tensor_array(tensor, input_place(0, "x")), np.array([np.nan, -np.inf, np.nan, 1], np.float32)
    )


@pytest.mark.parametrize(
    ("value", "datatype", "shape"),
    [
        (True, "BOOL", [1]),
        ([1, 2], "INT64", [2]),
        ([1, 2.5], "FP64", [2]),
        ("a", "BYTES", [1]),
    ],
)
def test_an_implied_input_has_the_datatype_of_its_values(value: Any, datatype: str, shape: list[int]) -> None:
    (tensor,) = decode({"x": value}, ANY).inputs
    assert (tensor.datatype, tensor.shape) == (datatype, shape)


@pytest.mark.parametrize(
    ("value", "allowed", "datatype"),
    [(1, {"FP32", "FP64"}, "FP64"), (1, {"INT8", "INT64"}, "INT64"), ("a", {"BYTES", "INT8"}, "BYTES")],
)
def test_of_several_datatypes_one_is_taken_that_fits_the_values(value: Any, allowed: set[str], datatype: str) -> None:
    """An integer in JSON is a number to ``temperature: float``."""
    (tensor,) = decode({"x": value}, ImpliedTensor("x", frozenset(allowed))).inputs
    assert tensor.datatype == datatype


def test_values_that_no_allowed_datatype_has_are_named() -> None:
    with pytest.raises(CodecError, match=r"^input 'x': expected values of FP32 or FP64, got a string$"):
        decode({"x": "a"}, ImpliedTensor("x", frozenset({"FP32", "FP64"})))


def test_an_implied_datatype_counts_more_than_the_values() -> None:
    (tensor,) = decode({"x": 1}, ImpliedTensor("x", frozenset({"FP32"}), optional=True)).inputs
    assert (tensor.datatype, tensor.shape) == ("FP32", [1])


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('{"text_input": "a", "text_input": "b"}', "input 'text_input' already exists in request"),
        (
            '{"text_input": "a", "parameters": {"text_input": "b"}}',
            "input 'text_input' already exists in request",
        ),
        ('{"a": 1, "a": 1}', "parameter 'a' already exists in request"),
        ('{"parameters": {}, "parameters": {}}', "keyword 'parameters' already exists in request"),
        ({"id": 5}, "id: expected a string, got a number"),
        ({"parameters": 5}, "Expected JSON object for keyword: 'parameters', got a number"),
        ({"parameters": []}, "Expected JSON object for keyword: 'parameters', got an array"),
        (
            {"stop": ["a"]},
            "parameter 'stop' has invalid type: expected a string, number or boolean, got an array",
        ),
        ({"parameters": {"stop": {}}}, "parameter 'stop' has invalid type"),
        ('{"a": NaN}', "parameter 'a': expected a finite number, got nan"),
        ({"text_input": 5}, "input 'text_input': attempt to access JSON non-string as string: got a number"),
        ({"text_input": None}, "input 'text_input': attempt to access JSON non-string as string: got null"),
        ({"text_input": {"a": 1}}, "input 'text_input': attempt to access JSON non-string as string: got an object"),
        ({"text_input": [["a"]]}, "input 'text_input': attempt to access JSON non-string as string: got an array"),
        ({"numbers": None}, "input 'numbers': expected a value or a flat list of values, got null"),
        ({"numbers": [[1]]}, "input 'numbers': expected a value or a flat list of values, got a nested list"),
        ({"numbers": [1, 2.5]}, "input 'numbers': data[1]: expected integer values for INT32, got 2.5"),
        ({"numbers": [1, True]}, "input 'numbers': data[1]: expected integer values for INT32, got True"),
        ({"numbers": [1 << 31]}, "input 'numbers': data[0]: 2147483648 is beyond the range of INT32"),
        ({"numbers": ["1"]}, "expected integer values for INT32, got '1'"),
        ({"x": []}, "input 'x': expected numbers, strings or booleans, got no values"),
        ({"x": [1, "a"]}, "input 'x': expected numbers, strings or booleans, got a number and a string"),
        ({"x": [1, True]}, "input 'x': expected numbers, strings or booleans, got a boolean and a number"),
        ({"x": [1, None]}, "input 'x': expected numbers, strings or booleans, got a number and null"),
        ({"x": [1 << 63]}, "input 'x': data[0]: 9223372036854775808 is beyond the range of INT64"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(body: Any, text: str) -> None:
    assert text in error_of(body, TEXT, NUMBERS, ANY)


@pytest.mark.parametrize("datatype", NOT_IN_JSON)
def test_datatypes_without_json_form_are_refused(datatype: str) -> None:
    text = f"receiving {datatype} data via JSON is not supported. Please use the binary data format for input 'x'"
    assert text in error_of({"x": 1.5}, TensorMetadata("x", datatype, [1]))


def test_an_input_that_is_called_parameters_cannot_be_given() -> None:
    text = "Keyword 'parameters' for nested schema also given as input tensor name"
    assert error_of({}, TensorMetadata("parameters", "FP32", [1])) == text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "no valid JSON"),
        (b'{"a": 1} x', "no valid JSON"),
        (b'{"a": "\xff"}', "no valid JSON"),
        (rb'{"a": "\ud800"}', "no valid JSON"),
        (b'{"a": 1e400}', "no valid JSON: number out of range: 1e400"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "no valid JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "no valid JSON"),
        (b"[]", "the request body: expected an object, got an array"),
        (b"5", "expected an object, got a number"),
        (b"null", "expected an object, got null"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes, text: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_generate(body)
    assert text in raised.value.message


@pytest.mark.parametrize(
    ("body", "is_v2"),
    [
        (b'{"inputs": []}', True),
        (b'{"inputs": "a"}', False),
        (b'{"parameters": {"inputs": []}}', False),
        (b"{}", False),
    ],
)
def test_an_array_of_inputs_makes_a_v2_request(body: bytes, is_v2: bool) -> None:
    assert parse_generate(body).is_inference_request is is_v2


# ---- Responses


@given(tensors(IN_JSON, json=True))
def test_a_free_form_answer_has_the_values_of_the_v2_answer(tensor: tuple[str, Any]) -> None:
    datatype, array = tensor
    answer = response(("y", datatype, list(array.shape), array))
    v2 = json.loads(bytes(encode_response(answer, OutputForms()).parts[0]))["outputs"][0]["data"]

    assert members(answer)["y"] == (v2[0] if len(v2) == 1 else v2)


def test_an_answer_has_outputs_parameters_and_id() -> None:
    answer = response(("text", "BYTES", [1], [b"a"]), ("n", "INT32", [2, 1], [1, 2]), ("e", "FP32", [0], []), score=0.5)
    answer.id = "7"

    assert members(answer) == {"id": "7", "text": "a", "n": [1, 2], "e": [], "score": 0.5}


def test_parameters_between_model_and_server_are_left_out() -> None:
    assert members(response(triton_final_response=True, triton_other=1, other=2)) == {"other": 2}


def test_a_model_without_versions_has_an_empty_one() -> None:
    assert encode_generate(ModelInferResponse("m")) == b'{"model_name":"m","model_version":""}'


def test_what_json_cannot_carry_is_an_error_that_names_the_output() -> None:
    nan = response(("y", "FP32", [2], np.array([1, np.nan], np.float32)))
    with pytest.raises(InvalidInput, match=r"outputs\[0\]\.data\[1\]: nan has no JSON form.*output 'y'"):
        members(nan)
    assert members(nan, nonfinite_as_null=True) == {"y": [1.0, None]}
    with pytest.raises(InvalidInput, match=r"not valid UTF-8.*output 'y'"):
        members(response(("y", "BYTES", [1], [b"\xff"])))
    with pytest.raises(InvalidInput, match="sending FP16 data via JSON is not supported"):
        members(response(("y", "FP16", [1], np.ones(1, np.float16))))


@pytest.mark.parametrize("name", ["model_name", "model_version", "id"])
def test_no_member_of_an_answer_hides_another(name: str) -> None:
    taken = response((name, "INT32", [1], [1]))
    taken.id = "7"
    with pytest.raises(InferenceError, match=f"output '{name}': the generated answer has another member"):
        members(taken)
    with pytest.raises(InferenceError, match="parameter 'y': the generated answer has another member"):
        members(response(("y", "INT32", [1], [1]), y=2))

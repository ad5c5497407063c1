"""The pydantic spellings of the messages, as MLServer's users write them."""

from __future__ import annotations

import json
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srv_protocol.datatypes import Datatype
from srv_protocol.errors import InvalidInput, WireError
from srv_protocol.inference import (
    ErrorResponse,
    InferInputTensor,
    InferOutputTensor,
    InferRequestedOutputTensor,
    ModelIndex,
    ModelInferRequest,
    ModelInferResponse,
    ModelMetadataResponse,
    Parameters,
    RepositoryIndex,
    RepositoryIndexRequest,
    ServerMetadataResponse,
    State,
    TensorData,
    TensorMetadata,
)

X = InferInputTensor("x", "INT64", [2], {"content_type": "np", "low": 1}, data=[1, 2])
X_DUMPED = {
    "name": "x",
    "shape": [2],
    "datatype": "INT64",
    "parameters": {"content_type": "np", "low": 1},
    "data": [1, 2],
}
REQUEST = ModelInferRequest(
    "m", id="1", parameters=Parameters(headers={"a": "b"}), inputs=[X], outputs=[InferRequestedOutputTensor("y")]
)
REQUEST_DUMPED = {"id": "1", "parameters": {"headers": {"a": "b"}}, "inputs": [X_DUMPED], "outputs": [{"name": "y"}]}

# message, its dump: members in MLServer's order, without those that nobody set
DUMPS: list[tuple[Any, Any]] = [
    (X, X_DUMPED),
    (REQUEST, REQUEST_DUMPED),
    (ModelInferRequest(), {"inputs": []}),
    (ModelInferResponse("m"), {"model_name": "m", "outputs": []}),
    (
        ModelInferResponse("m", "1", "i", outputs=[InferOutputTensor("y", "FP32", [1], data=np.ones(1, np.float32))]),
        {
            "model_name": "m",
            "model_version": "1",
            "id": "i",
            "outputs": [{"name": "y", "shape": [1], "datatype": "FP32", "data": [1.0]}],
        },
    ),
    (
        InferInputTensor("s", Datatype.BYTES, [1], data=["é"]),
        {"name": "s", "shape": [1], "datatype": "BYTES", "data": ["é"]},
    ),
    (InferRequestedOutputTensor("y"), {"name": "y"}),
    (TensorMetadata("x", "FP32", [-1]), {"name": "x", "datatype": "FP32", "shape": [-1]}),
    (
        ModelMetadataResponse("m", ["1"], "p", inputs=[TensorMetadata("x", "FP32", [-1])]),
        {
            "name": "m",
            "versions": ["1"],
            "platform": "p",
            "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1]}],
        },
    ),
    (ServerMetadataResponse("srv", "1", []), {"name": "srv", "version": "1", "extensions": []}),
    (RepositoryIndexRequest(ready=True), {"ready": True}),
    (ModelIndex("m", state=State.READY), {"name": "m", "state": "READY", "reason": ""}),
    (RepositoryIndex([ModelIndex("m", state="READY")]), [{"name": "m", "state": "READY", "reason": ""}]),
    (ErrorResponse(error="no"), {"error": "no"}),
    (
        Parameters(content_type="str", foo=1, headers={"A": "b"}),
        {"content_type": "str", "headers": {"a": "b"}, "foo": 1},
    ),
    (TensorData(root=[[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
    (TensorData(np.ones((2, 1))), [1.0, 1.0]),
]


@pytest.mark.parametrize(("message", "dumped"), DUMPS, ids=map(str, range(len(DUMPS))))
def test_a_dump_has_the_members_that_were_set_in_mlservers_order(message: Any, dumped: Any) -> None:
    text = json.dumps(dumped, separators=(",", ":"), ensure_ascii=False)

    assert message.model_dump() == message.dict(exclude_unset=True) == dumped
    assert message.model_dump_json() == message.json(exclude_none=True) == text
    if isinstance(dumped, dict):
        assert list(message.model_dump()) == list(cast("dict[str, object]", dumped))


@pytest.mark.parametrize(("message", "dumped"), DUMPS, ids=map(str, range(len(DUMPS))))
def test_a_dump_makes_an_equal_message(message: Any, dumped: Any) -> None:
    kind: Any = cast("object", type(message))
    made = kind.model_validate(dumped)

    assert made.model_dump() == kind.parse_obj(dumped).model_dump() == dumped
    assert kind.model_validate_json(json.dumps(dumped)) == kind.parse_raw(json.dumps(dumped).encode()) == made
    assert kind.model_validate(message) is message


def test_a_dump_is_a_copy() -> None:
    dumped: Any = X.model_dump()
    dumped["data"].append(3)
    dumped["shape"].append(3)
    dumped["parameters"]["more"] = 1

    assert X.model_dump() == X_DUMPED


def test_members_that_nobody_set_are_none_when_nothing_is_left_out() -> None:
    shown = ModelInferResponse("m").model_dump(exclude_unset=False, exclude_none=False)

    assert shown == {"model_name": "m", "model_version": None, "id": None, "parameters": None, "outputs": []}
    assert ModelInferResponse("m").model_dump(exclude_none=False) == {"model_name": "m", "outputs": []}
    assert Parameters(a=1).model_dump(exclude_unset=False, exclude_none=False) == {
        "content_type": None,
        "headers": None,
        "a": 1,
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"exclude": {"id", "inputs", "outputs"}}, {"parameters": {"headers": {"a": "b"}}}),
        ({"include": {"id"}}, {"id": "1"}),
        ({"include": {"inputs": {0: {"name": True}}}}, {"inputs": [{"name": "x"}]}),
        (
            {
                "exclude": {
                    "parameters": {"_decoded_payload", "headers"},
                    "inputs": {"__all__": {"parameters": {"low"}, "data": ...}},
                    "outputs": True,
                }
            },
            {
                "id": "1",
                "parameters": {},
                "inputs": [{"name": "x", "shape": [2], "datatype": "INT64", "parameters": {"content_type": "np"}}],
            },
        ),
    ],
)
def test_include_and_exclude_reach_inside(options: dict[str, Any], expected: object) -> None:
    assert REQUEST.model_dump(**options) == expected
    assert json.loads(REQUEST.model_dump_json(**options)) == expected


def test_arguments_that_pydantic_does_not_have_are_refused() -> None:
    with pytest.raises(TypeError, match="nonsense"):
        X.dict(nonsense=True)


def test_bytes_stay_bytes_in_python_and_are_text_in_json() -> None:
    tensor = InferInputTensor("s", "BYTES", [1], data=["é".encode()])
    wrong = InferInputTensor("s", "BYTES", [1], data=[b"\xff"])

    assert tensor.model_dump()["data"] == ["é".encode()]
    assert tensor.model_dump(mode="json")["data"] == ["é"]
    with pytest.raises(WireError, match=r"InferInputTensor.data\[0\]: the bytes are not valid UTF-8"):
        wrong.json()


def test_nan_is_null_and_indent_indents() -> None:
    tensor = InferInputTensor("x", "FP64", [2], data=np.array([np.nan, np.inf]))

    assert json.loads(tensor.json())["data"] == [None, None]
    assert '\n    "name": "x"' in tensor.json(indent=4)


@pytest.mark.parametrize(
    ("kind", "document", "text"),
    [
        (ModelInferRequest, {}, "ModelInferRequest.inputs: expected a value, got nothing"),
        (ModelInferRequest, [], r"ModelInferRequest: expected an object, got \[\]"),
        (ModelInferRequest, {"inputs": {}}, "ModelInferRequest.inputs: expected an array, got {}"),
        (ModelInferRequest, {"inputs": [{"name": 1}]}, r"inputs\[0\].name: expected text, got 1"),
        (
            TensorMetadata,
            {"name": "x", "datatype": "FP32", "shape": [True]},
            r"shape\[0\]: expected an integer, got True",
        ),
        (
            TensorMetadata,
            {"name": "x", "datatype": "FP32", "shape": [1], "parameters": 1},
            "parameters: expected an object",
        ),
        (RepositoryIndex, {}, "RepositoryIndex: expected an array"),
        (ErrorResponse, {"error": 1}, "ErrorResponse.error: expected text, got 1"),
        (TensorData, {}, "TensorData: expected an array"),
    ],
)
def test_what_is_no_such_document_is_named_with_its_place(kind: Any, document: object, text: str) -> None:
    with pytest.raises((InvalidInput, WireError), match=text):
        kind.model_validate(document)


def test_what_is_no_json_says_so() -> None:
    with pytest.raises(InvalidInput, match="TensorMetadata: expected JSON"):
        TensorMetadata.model_validate_json("{")


def test_unknown_members_are_passed_over_as_in_mlserver() -> None:
    assert InferRequestedOutputTensor.model_validate({"name": "y", "more": 1}) == InferRequestedOutputTensor("y")


def test_a_copy_has_the_updates_and_shares_memory_unless_it_is_deep() -> None:
    array = np.ones(2)
    tensor = InferInputTensor("x", "FP64", [2], data=array)

    made = tensor.model_copy(update={"name": "z"})
    deep = tensor.copy(deep=True)

    assert (made.name, tensor.name) == ("z", "x")
    assert made.data.array is array
    assert deep == tensor
    assert not np.shares_memory(deep.data.array, array)
    with pytest.raises(TypeError, match="has no 'nonsense'"):
        tensor.copy(update={"nonsense": 1})


def test_nested_documents_become_messages_in_constructors() -> None:
    assert ModelInferRequest(**REQUEST_DUMPED) == ModelInferRequest.model_validate(REQUEST_DUMPED)  # type: ignore[arg-type]


def test_the_older_spellings_have_members_that_nobody_set() -> None:
    """As MLServer 1.7 has it: its types override the newer ones alone."""
    x = {"name": "x", "shape": [1], "datatype": "INT64", "parameters": None, "data": [1]}
    request = ModelInferRequest(inputs=[InferInputTensor("x", "INT64", [1], data=[1])])

    assert request.dict() == {"id": None, "parameters": None, "inputs": [x], "outputs": None}
    assert json.loads(request.json(exclude={"inputs"})) == {"id": None, "parameters": None, "outputs": None}
    assert Parameters(content_type="np", a=1).dict() == {"content_type": "np", "headers": None, "a": 1}


@pytest.mark.parametrize(
    ("given", "update", "dumped"),
    [
        (
            Parameters(a=1, headers={"b": "c"}),
            {"content_type": "np"},
            {"content_type": "np", "headers": {"b": "c"}, "a": 1},
        ),
        (Parameters(a=1, headers={"b": "c"}), {"headers": None, "new": True}, {"a": 1, "new": True}),
        (ErrorResponse("no"), {"error": "yes"}, {"error": "yes"}),
        (TensorData([1, 2]), None, [1, 2]),
        (RepositoryIndex([ModelIndex("m", state="READY")]), {"root": []}, []),
    ],
)
@pytest.mark.parametrize("deep", [False, True])
def test_what_is_no_message_is_copied_too(given: Any, update: Any, dumped: object, deep: bool) -> None:
    before = given.model_dump()

    assert given.model_copy(update=update, deep=deep).model_dump() == dumped
    assert given.copy(update=update, deep=deep).model_dump() == dumped
    assert given.copy() == given
    assert given.model_dump() == before


def test_what_mlservers_documentation_constructs() -> None:
    response = ModelInferResponse(
        model_name="m",
        outputs=[InferOutputTensor(name="y", shape=[1], datatype=Datatype.INT64, data=[1])],
        parameters=Parameters(headers={"foo": "bar"}),
    )

    assert response.outputs[0].datatype == Datatype("INT64") == "INT64"
    assert (1 in response.outputs[0].data, len(response.outputs[0].data), list(response.outputs[0].data)) == (
        True,
        1,
        [1],
    )
    assert response.parameters.headers == {"foo": "bar"}
    assert Parameters(content_type="str", foo=1).model_extra == {"foo": 1}
    index = RepositoryIndex([{"name": "m", "state": "READY", "reason": ""}])  # type: ignore[list-item]
    assert (len(index), index[0].name, index[:1], index == RepositoryIndex(index)) == (1, "m", index.root, True)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(JSON_VALUES, max_size=5))
def test_whatever_a_list_holds_is_dumped_as_it_is(values: list[object]) -> None:
    tensor = InferInputTensor("x", "BYTES", [1], data=values)

    assert tensor.model_dump()["data"] == values
    assert json.loads(tensor.model_dump_json())["data"] == values

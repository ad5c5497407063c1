"""1.4: the statuses of both protocols, and the texts that clients look for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from grpc_client import Grpc
from tensors import grpc_request, json_body

if TYPE_CHECKING:
    from serving import Server

A = np.array([[1, 2]], np.float32)
BOTH = {"a:FP32": A, "b:FP32": A}


def missing(numbers: str, given: str, names: str) -> str:
    """Return Triton's text about inputs that are not there."""
    return (
        f"{numbers} inputs for model 'declared'. Got input(s) {given}, but missing required input(s) {names}. "
        "Please provide all required input(s)."
    )


CASES: dict[str, tuple[str, dict[str, Any], list[str], tuple[int, str], str]] = {
    "unknown model": (
        "nobody", BOTH, [], (404, "NOT_FOUND"), "Request for unknown model: 'nobody' is not found",
    ),
    "no inputs": (
        "declared", {}, [], (400, "INVALID_ARGUMENT"),
        missing("expected 2 inputs but got 0", "[]", "['a','b']"),
    ),
    "missing input": (
        "declared", {"b:FP32": A}, [], (400, "INVALID_ARGUMENT"),
        missing("expected 2 inputs but got 1", "['b']", "['a']"),
    ),
    "unexpected input": (
        "declared", {**BOTH, "c:FP32": A}, [], (400, "INVALID_ARGUMENT"),
        "inputs[2]: unexpected inference input 'c' for model 'declared'",
    ),
    "unexpected output": (
        "declared", BOTH, ["sum", "c"], (400, "INVALID_ARGUMENT"),
        "outputs[1]: unexpected inference output 'c' for model 'declared'",
    ),
    "another datatype": (
        "declared", {"a:FP32": A, "b:FP64": A.astype("f8")}, [], (400, "INVALID_ARGUMENT"),
        "inputs[1].datatype: inference input 'b' data-type is 'FP64', but model 'declared' expects 'FP32'",
    ),
    "another shape": (
        "declared", {"a:FP32": A, "b:FP32": A[:, :1]}, [], (400, "INVALID_ARGUMENT"),
        "inputs[1].shape: unexpected shape for input 'b' for model 'declared'. Expected [-1,2], got [1,1].",
    ),
    "output twice": (
        "declared", BOTH, ["sum", "sum"], (400, "INVALID_ARGUMENT"),
        "outputs[1]: output 'sum' already exists in request. Duplicate output name 'sum' is not allowed in a request",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_1_4_both_protocols_have_the_same_text_and_their_own_status(server: Server, case: str) -> None:
    """Triton's words, behind the place."""
    model, arrays, outputs, (http, grpc), text = CASES[case]
    wanted = [{"name": name} for name in outputs]
    answer = server.post(f"/v2/models/{model}/infer", json_body(arrays, outputs=wanted))
    assert (answer.status, answer.error()) == (http, text)
    request = grpc_request(model, arrays)
    for name in outputs:
        request.outputs.add(name=name)
    with Grpc(server) as client:
        assert client.fails(request) == (grpc, text)


def test_1_4_an_input_that_comes_twice(server: Server) -> None:
    """In Triton's words."""
    text = "inputs[1]: input 'a' already exists in request"
    tensor = {"name": "a", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}
    answer = server.post("/v2/models/declared/infer", {"inputs": [tensor, tensor]})
    assert (answer.status, answer.error()) == (400, text)
    request = grpc_request("declared", BOTH)
    request.inputs[1].name = "a"
    with Grpc(server) as client:
        assert client.fails(request) == ("INVALID_ARGUMENT", text)


def test_1_4_an_unknown_version(server: Server) -> None:
    """In Triton's words."""
    text = "Request for unknown model: 'declared' version 9 is not found"
    answer = server.post("/v2/models/declared/versions/9/infer", json_body(BOTH))
    assert (answer.status, answer.error()) == (404, text)
    with Grpc(server) as client:
        assert client.fails(grpc_request("declared", BOTH, model_version="9")) == ("NOT_FOUND", text)


def test_1_4_a_batch_that_is_too_large(triton_server: Server) -> None:
    """In Triton's words, with the size that came."""
    text = "inference request batch-size must be <= 8 for 'simple', got 9"
    arrays = {f"INPUT{number}:INT32": np.zeros((9, 16), np.int32) for number in range(2)}
    answer = triton_server.post("/v2/models/simple/infer", json_body(arrays))
    assert (answer.status, answer.error()) == (400, text)
    with Grpc(triton_server) as client:
        assert client.fails(grpc_request("simple", arrays)) == ("INVALID_ARGUMENT", text)


def test_1_4_inputs_of_different_batches(triton_server: Server) -> None:
    """All inputs of a request have the same number of rows."""
    arrays = {f"INPUT{number}:INT32": np.zeros((1 + number, 16), np.int32) for number in range(2)}
    answer = triton_server.post("/v2/models/simple/infer", json_body(arrays))
    text = "inputs[1].shape: input 'INPUT1' batch size does not match other inputs for 'simple': expected 1, got 2"
    assert (answer.status, answer.error()) == (400, text)


def test_1_4_an_input_that_may_be_missing(server: Server) -> None:
    """A default in the signature of predict makes it optional; the others are not."""
    prompt = {"text_input:BYTES": np.array([b"ho"], object)}
    answer = server.post("/v2/models/llm/infer", json_body(prompt))
    assert answer.status == 200, answer.body
    answer = server.post("/v2/models/llm/infer", json_body({"times:INT64": np.ones(1, np.int64)}))
    text = (
        "expected number of inputs between 1 and 2 but got 1 inputs for model 'llm'. Got input(s) ['times'], but "
        "missing required input(s) ['text_input']. Please provide all required input(s)."
    )
    assert (answer.status, answer.error()) == (400, text)
    with Grpc(server) as client:
        empty = (
            "expected number of inputs between 1 and 2 but got 0 inputs for model 'llm'. Got input(s) [], but missing"
        )
        assert client.fails(grpc_request("llm", {}))[1].startswith(empty)

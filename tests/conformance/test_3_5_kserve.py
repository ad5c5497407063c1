"""3.5: KServe's clients, by the requests that they send and the members that they read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import pytest
from grpc_client import Grpc
from tensors import SAMPLES, binary_body, grpc_request, json_body, rest_outputs, same

if TYPE_CHECKING:
    from serving import Server

INFER = "/v2/models/identity/infer"


def test_3_5_a_json_request_of_the_rest_client(server: Server) -> None:
    """Compact, with ``model_name`` and an id; the result has all that it reads."""
    given = str(uuid4())
    body = json_body({"x:FP32": np.array([6.8, 2.8], np.float32)}, id=given, model_name="identity", parameters={})
    content = server.post(INFER, body, {"content-type": "application/json"}).json()
    assert isinstance(content, dict)
    assert (content["id"], content["model_name"]) == (given, "identity")
    (output,) = content["outputs"]
    assert set(output) >= {"name", "shape", "datatype", "data"}
    assert output["data"] == [6.800000190734863, 2.799999952316284]


def test_3_5_a_binary_request_of_the_rest_client(server: Server) -> None:
    """FP16 too, and ``"data":null`` beside an empty tensor."""
    body, headers = binary_body({"x:FP16": SAMPLES["FP16"]}, model_name="identity")
    headers = {name.lower(): value for name, value in headers.items()} | {"content-type": "application/octet-stream"}
    assert same(rest_outputs(server.post(INFER, body, headers))["x"], SAMPLES["FP16"])
    empty = {"name": "x", "shape": [0], "datatype": "FP32", "data": None, "parameters": {"binary_data_size": 0}}
    head = json.dumps({"model_name": "identity", "inputs": [empty]}).encode()
    answer = server.post(INFER, head, {"inference-header-content-length": str(len(head))})
    assert rest_outputs(answer)["x"].shape == (0,)


@pytest.mark.parametrize(
    ("path", "member", "expected"),
    [("health/live", "live", True), ("health/ready", "ready", True), ("models/identity/ready", "ready", True)],
)
def test_3_5_health_is_read_out_of_json(server: Server, path: str, member: str, expected: bool) -> None:
    """``response.json().get("ready")``."""
    content = server.get(f"/v2/{path}").json()
    assert isinstance(content, dict)
    assert content[member] is expected


def test_3_5_an_error_is_read_if_its_type_is_exactly_json(server: Server) -> None:
    """Without a charset."""
    answer = server.post("/v2/models/nobody/infer", json_body({}))
    assert answer.type == "application/json"
    assert answer.json() == {"error": "Request for unknown model: 'nobody' is not found"}


def test_3_5_typed_contents_are_answered_with_typed_contents(server: Server) -> None:
    """Its users read ``outputs[0].contents``."""
    with Grpc(server) as client:
        response = client.infer(grpc_request("identity", {"x:FP32": SAMPLES["FP32"]}, typed=True, id="7"))
    assert (response.model_name, response.id) == ("identity", "7")
    assert list(response.outputs[0].contents.fp32_contents) == SAMPLES["FP32"].ravel().tolist()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda request: request.raw_input_contents.pop(),
            "the number of inputs (2) does not match the expected number of raw input contents (1) for model 'iris'.",
        ),
        (
            lambda request: request.inputs[0].contents.int_contents.append(1),
            "contents field must not be specified when using raw_input_contents for input 'a' for model 'iris'",
        ),
    ],
)
def test_3_5_the_errors_of_raw_contents_have_kserves_words(server: Server, change: Any, text: str) -> None:
    """Its tests look for them."""
    request = grpc_request("iris", {"a:INT32": np.zeros(1, "i4"), "b:INT32": np.zeros(1, "i4")})
    change(request)
    with Grpc(server) as client:
        assert client.fails(request) == ("INVALID_ARGUMENT", text)

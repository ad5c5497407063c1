"""What MLServer gets wrong about types and errors, and what is answered here; the reference's sections 1.4 and 1.12."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from grpc_client import Grpc
from tensors import pb

from srv_protocol.errors import WireError
from srv_protocol.inference import Parameters

if TYPE_CHECKING:
    from serving import Server


def tensor(shape: list[int], datatype: str, data: object) -> dict[str, object]:
    return {"name": "x", "shape": shape, "datatype": datatype, "data": data}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        # In MLServer these reach the model, and fail there with 500, or are answered with other numbers.
        (tensor([3], "INT32", [1, 2]), "inputs[0].data: expected 3 elements for shape [3], got 2"),
        (tensor([1], "INT32", [1.5]), "inputs[0].data"),
        (tensor([1], "UINT8", [300]), "inputs[0].data"),
        (tensor([1], "INT32", [None]), "inputs[0].data"),
        (tensor([-1], "INT32", [1]), "inputs[0].shape"),
        (tensor([2, 2], "INT32", [[1, 2], [3]]), "inputs[0].data"),
        # There 422 and `detail`.
        (tensor([1], "FP99", [1]), "inputs[0].datatype"),
        ({"name": "x"}, "inputs[0]"),
    ],
)
def test_what_is_no_tensor_is_the_clients_fault_and_named(server: Server, body: object, text: str) -> None:
    answer = server.post("/v2/models/identity/infer", {"inputs": [body]})

    assert answer.status == 400
    assert text in answer.error()


def test_bf16_is_a_datatype(server: Server) -> None:
    described = {
        "inputs": [{"name": "x", "shape": [2], "datatype": "BF16", "parameters": {"binary_data_size": 4}}],
        "parameters": {"binary_data_output": True},
    }
    header = json.dumps(described).encode()

    answer = server.post(
        "/v2/models/identity/infer", header + b"\x80\x3f\x00\x40", {"Inference-Header-Content-Length": str(len(header))}
    )

    assert (answer.status, answer.body[-4:]) == (200, b"\x80\x3f\x00\x40")


def test_nested_data_is_the_tensor(server: Server) -> None:
    answer: Any = server.post("/v2/models/identity/infer", {"inputs": [tensor([2, 2], "INT32", [[1, 2], [3, 4]])]})

    assert answer.json()["outputs"][0]["data"] == [1, 2, 3, 4]


def test_parameters_that_grpc_cannot_carry_are_refused_and_not_dropped() -> None:
    with pytest.raises(WireError, match=r"parameters\.a: expected a string, number or boolean, got list"):
        Parameters({"a": [1]})


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v2/nothing", {}, 404),
        ("/v2/models/nobody/infer", {"inputs": []}, 404),
        # There 500 as plain text.
        ("/v2/models/nobody/infer_stream", {"inputs": []}, 404),
        ("/v2/models/identity/infer", b"no json", 400),
        ("/v2/models/identity/infer", b"[]", 400),
    ],
)
def test_every_error_of_rest_has_one_form(server: Server, path: str, body: object, status: int) -> None:
    answer = server.post(path, body)

    assert answer.status == status
    assert answer.error()


def test_errors_of_grpc_have_the_status_that_they_mean(server: Server) -> None:
    """In MLServer a wrong datatype or size is INTERNAL, and readiness of an unknown model UNKNOWN."""
    x = np.ones(2, np.float32).tobytes()
    wrong_type = pb.ModelInferRequest(model_name="identity", raw_input_contents=[x])
    wrong_type.inputs.add(name="x", datatype="FP99", shape=[2])
    wrong_size = pb.ModelInferRequest(model_name="identity", raw_input_contents=[x])
    wrong_size.inputs.add(name="x", datatype="FP32", shape=[3])

    with Grpc(server) as client:
        for request in (wrong_type, wrong_size):
            assert client.fails(request)[0] == "INVALID_ARGUMENT"
        answer = client.call("ModelReady", pb.ModelReadyRequest(name="nobody").SerializeToString())
        assert not pb.ModelReadyResponse.FromString(answer).ready

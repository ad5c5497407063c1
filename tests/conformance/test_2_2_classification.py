"""2.2: Triton's classification extension, as tritonclient asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tensors import binary_body, json_body, rest_outputs
from tritonclient.utils import InferenceServerException

if TYPE_CHECKING:
    from serving import Answer, Server

CLIENTS = [triton_http, triton_grpc]


def infer(server: Server, triton: Any, array: Any, datatype: str, **output: Any) -> Any:
    address = server.http_address if triton is triton_http else server.grpc_address
    tensor = triton.InferInput("x", list(array.shape), datatype)
    tensor.set_data_from_numpy(array)
    with triton.InferenceServerClient(address) as client:
        return client.infer("identity", [tensor], outputs=[triton.InferRequestedOutput("x", **output)]).as_numpy("x")


@pytest.mark.parametrize("triton", CLIENTS, ids=["http", "grpc"])
def test_2_2_the_top_classes_come_as_text(server: Server, triton: Any) -> None:
    found = infer(server, triton, np.array([1, 3.3, 2], np.float32), "FP32", class_count=2)

    assert found.tolist() == [b"3.300000:1", b"2.000000:2"]


def test_2_2_the_classes_may_be_json(server: Server) -> None:
    found = infer(server, triton_http, np.array([1, 3], np.int32), "INT32", class_count=5, binary_data=False)

    assert found.tolist() == ["3:1", "1:0"]


@pytest.mark.parametrize("triton", CLIENTS, ids=["http", "grpc"])
def test_2_2_a_datatype_without_order_has_no_classes(server: Server, triton: Any) -> None:
    with pytest.raises(InferenceServerException, match="class result not available for output due to unsupported type"):
        infer(server, triton, np.array([True]), "BOOL", class_count=1)


@pytest.mark.parametrize("count", [-1, "2", 1.5, True, []])
def test_2_2_a_count_that_is_none_is_400(server: Server, count: object) -> None:
    request = {
        "inputs": [{"name": "x", "shape": [1], "datatype": "INT32", "data": [1]}],
        "outputs": [{"name": "x", "parameters": {"classification": count}}],
    }

    assert server.post("/v2/models/identity/infer", request).status == 400


def classified(server: Server, model: str, array: Any, count: int, **parameters: Any) -> Answer:
    """Return the answer of a model that answers with its input."""
    wanted = [{"name": "x", "parameters": {"classification": count, **parameters}}]
    body = json_body({"x:INT32": array}, outputs=wanted)
    return server.post(f"/v2/models/{model}/infer", body)


def test_2_2_the_batch_dimension_stays_if_there_is_one(server: Server) -> None:
    """And the classes are those of a row."""
    array = np.arange(32, dtype=np.int32).reshape(2, 16)
    assert rest_outputs(classified(server, "batched", array, 2))["x"].tolist() == [
        [b"15:15", b"14:14"],
        [b"31:15", b"30:14"],
    ]
    assert rest_outputs(classified(server, "identity", array, 2))["x"].tolist() == [b"31:31", b"30:30"]


def test_2_2_there_are_no_more_classes_than_elements_and_equals_keep_their_order(server: Server) -> None:
    """As binary data the elements have their lengths in front."""
    array = np.array([5, 7, 5], np.int32)
    answer = classified(server, "identity", array, 10, binary_data=True)
    assert rest_outputs(answer)["x"].tolist() == [b"7:1", b"5:0", b"5:2"]


def test_2_2_an_output_of_more_than_a_million_elements_has_no_classes(server: Server) -> None:
    """Triton's limit."""
    array = np.zeros(1_000_001, np.int32)
    body, headers = binary_body(
        {"x:INT32": array}, outputs=[{"name": "x", "parameters": {"classification": 1, "binary_data": True}}]
    )
    answer = server.post("/v2/models/identity/infer", body, headers)
    assert (answer.status, "classification output tensor too large" in answer.error()) == (400, True)

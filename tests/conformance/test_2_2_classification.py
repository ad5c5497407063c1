"""Triton's classification extension, as tritonclient asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tritonclient.utils import InferenceServerException

if TYPE_CHECKING:
    from serving import Server

CLIENTS = [triton_http, triton_grpc]


def infer(server: Server, triton: Any, array: Any, datatype: str, **output: Any) -> Any:
    address = server.http_address if triton is triton_http else server.grpc_address
    tensor = triton.InferInput("x", list(array.shape), datatype)
    tensor.set_data_from_numpy(array)
    with triton.InferenceServerClient(address) as client:
        return client.infer("identity", [tensor], outputs=[triton.InferRequestedOutput("x", **output)]).as_numpy("x")


@pytest.mark.parametrize("triton", CLIENTS, ids=["http", "grpc"])
def test_the_top_classes_come_as_text(server: Server, triton: Any) -> None:
    found = infer(server, triton, np.array([1, 3.3, 2], np.float32), "FP32", class_count=2)

    assert found.tolist() == [b"3.300000:1", b"2.000000:2"]


def test_the_classes_may_be_json(server: Server) -> None:
    found = infer(server, triton_http, np.array([1, 3], np.int32), "INT32", class_count=5, binary_data=False)

    assert found.tolist() == ["3:1", "1:0"]


@pytest.mark.parametrize("triton", CLIENTS, ids=["http", "grpc"])
def test_a_datatype_without_order_has_no_classes(server: Server, triton: Any) -> None:
    with pytest.raises(InferenceServerException, match="class result not available for output due to unsupported type"):
        infer(server, triton, np.array([True]), "BOOL", class_count=1)


@pytest.mark.parametrize("count", [-1, "2", 1.5, True, []])
def test_a_count_that_is_none_is_400(server: Server, count: object) -> None:
    request = {
        "inputs": [{"name": "x", "shape": [1], "datatype": "INT32", "data": [1]}],
        "outputs": [{"name": "x", "parameters": {"classification": count}}],
    }

    assert server.post("/v2/models/identity/infer", request).status == 400

"""2.12: what Triton also has, and what a client sees who asks this server for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from grpc_client import Grpc
from tensors import grpc_outputs, grpc_request, json_body

if TYPE_CHECKING:
    from serving import Server

ONE = {"x:INT32": np.ones(1, np.int32)}


@pytest.mark.parametrize("value", ["", "secret"])
def test_2_12_no_api_is_restricted(server: Server, value: str) -> None:
    """The headers that Triton's restricted APIs want are headers like any other: there is no 403."""
    names = ("inference", "model-repository", "statistics")
    headers: dict[str, str] = dict.fromkeys(names, value)
    assert server.post("/v2/models/identity/infer", json_body(ONE), headers).status == 200
    assert server.post("/v2/repository/index", b"", headers).status == 200
    with Grpc(server) as client:
        metadata = tuple((f"triton-grpc-protocol-{name}", value) for name in names)
        assert grpc_outputs(client.infer(grpc_request("identity", ONE), metadata=metadata))["x"].tolist() == [1]


@pytest.mark.parametrize("form", ["text", "json"])
def test_2_12_no_load_is_reported(server: Server, form: str) -> None:
    """A client that asks for ORCA's metrics gets its answer without them."""
    headers = {"endpoint-load-metrics-format": form}
    answer = server.post("/v2/models/mock_llm/generate", {"PROMPT": "a", "STREAM": False}, headers)
    assert (answer.status, answer.headers.get("endpoint-load-metrics")) == (200, None)


@pytest.mark.parametrize(("method", "path"), [("GET", "/ping"), ("POST", "/invocations"), ("POST", "/predict")])
def test_2_12_the_routes_of_cloud_platforms_are_not_there(server: Server, method: str, path: str) -> None:
    """Those of SageMaker and Vertex AI."""
    with server.rest() as rest:
        answer = rest.request(method, path, json_body(ONE) if method == "POST" else b"")
    assert (answer.status, answer.error()) == (404, "Not Found")

"""The metrics' port."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
from grpc_client import Grpc
from prometheus_client.parser import text_string_to_metric_families
from serving import MODELS, Rest
from tensors import grpc_request, json_body

if TYPE_CHECKING:
    from serving import Serve, Server


def samples(server: Server) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return every sample by its name and labels."""
    with Rest(server.metrics_port) as rest:
        answer = rest.request("GET", "/metrics")
    assert answer.status == 200
    assert answer.type is not None
    assert answer.type.startswith("text/plain; version=")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


def test_requests_are_counted(serve: Serve) -> None:
    """By model and outcome, by route and status, by RPC and code; health is not, and unknown paths are one."""
    server = serve(MODELS / "shared").wait_started()
    arrays = {"x:INT32": np.zeros(1, np.int32)}
    for _ in range(3):
        assert server.post("/v2/models/identity/infer", json_body(arrays)).status == 200
    assert server.post("/v2/models/declared/infer", json_body(arrays)).status == 400
    for path in ("/a", "/b", "/v2/health/live"):
        server.get(path)
    with Grpc(server) as grpc:
        for _ in range(2):
            grpc.infer(grpc_request("identity", arrays))
        grpc.fails(grpc_request("nobody", arrays))
    found = samples(server)

    def value(name: str, **labels: str) -> float:
        return found[name, frozenset(labels.items())]

    assert value("model_infer_request_success_total", model="identity", version="") == 5
    assert value("model_infer_request_failure_total", model="declared", version="") == 1
    assert value("model_infer_request_duration_count", model="identity", version="") == 5
    assert value("rest_server_requests_in_progress") == 0
    call = {"grpc_type": "unary", "grpc_service": "inference.GRPCInferenceService", "grpc_method": "ModelInfer"}
    assert value("grpc_server_started_total", **call) == 3
    assert value("grpc_server_handled_total", **call, code="OK") == 2
    assert value("grpc_server_handled_total", **call, code="NOT_FOUND") == 1
    routes = {
        (labels["path"], labels["status_code"]): count
        for (name, pairs), count in found.items()
        if name == "rest_server_requests_total" and (labels := dict(pairs))
    }
    assert sum(count for (path, status), count in routes.items() if path.endswith("/infer") and status == "200") == 3
    assert sum(count for (path, status), count in routes.items() if path.endswith("/infer") and status == "400") == 1
    assert not any("health" in path or path in {"/a", "/b"} for path, _ in routes)
    assert [count for (_, status), count in routes.items() if status == "404"] == [2]
    assert sys.platform != "linux" or any(name == "process_resident_memory_bytes" for name, _ in found)


def test_other_paths_of_the_metrics_port_are_404(server: Server) -> None:
    """In the form of every other error."""
    with Rest(server.metrics_port) as rest:
        assert rest.request("GET", "/v2").status == 404
        assert rest.request("POST", "/metrics").error()

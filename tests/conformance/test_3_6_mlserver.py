"""3.6: MLServer's clients: its command, which is tritonclient with other headers, and its gRPC converters."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from grpc_client import Grpc
from tensors import SAMPLES, binary_body, grpc_outputs, grpc_request, json_body, pb, rest_outputs, same

if TYPE_CHECKING:
    from serving import Server


def test_3_6_a_binary_tail_may_come_as_json(server: Server) -> None:
    """``mlserver infer --binary-data`` sends that type, and headers of its own that reach the runtime."""
    body, headers = binary_body({"x:INT32": SAMPLES["INT32"]})
    headers |= {"content-type": "application/json", "seldon-puid": "5", "x-request-id": "6"}
    assert same(rest_outputs(server.post("/v2/models/identity/infer", body, headers))["x"], SAMPLES["INT32"])
    (text,) = rest_outputs(server.post("/v2/models/report/infer", body, headers))["report"]
    seen = json.loads(text)["headers"]
    assert (seen["seldon-puid"], seen["x-request-id"]) == ("5", "6")


def test_3_6_content_types_are_parameters_that_reach_the_runtime(server: Server) -> None:
    """Of a request and of a tensor."""
    body = json_body({"x:INT32": SAMPLES["INT32"]}, parameters={"content_type": "pd"})
    (text,) = rest_outputs(server.post("/v2/models/report/infer", body))["report"]
    assert json.loads(text)["parameters"] == {"content_type": "pd"}


def test_3_6_the_headers_of_a_response_come_back(server: Server) -> None:
    """As HTTP headers."""
    body = json_body({"x:INT32": SAMPLES["INT32"]})
    answer = server.post("/v2/models/headers/infer", body, {"x-echo": "again"})
    assert (answer.status, answer.headers["x-echo"]) == (200, "again")


def test_3_6_every_tensor_of_a_converted_request_has_contents(server: Server) -> None:
    """Empty ones, beside raw contents; and an empty ``parameters`` map."""
    request = grpc_request("identity", {"x:FP32": SAMPLES["FP32"], "none:FP32": np.zeros(0, "f4")})
    for tensor in request.inputs:
        tensor.contents.SetInParent()
    assert b"\x2a\x00" in request.SerializeToString()
    with Grpc(server) as client:
        found = grpc_outputs(client.infer(request))
    assert same(found["x"], SAMPLES["FP32"])


@pytest.mark.parametrize("text", ["np", "str"])
def test_3_6_a_parameter_of_an_output_is_text_over_grpc(server: Server, text: str) -> None:
    """A requested output may have parameters that nobody here knows."""
    request = grpc_request("identity", {"x:FP32": SAMPLES["FP32"]})
    request.outputs.add(name="x").parameters["content_type"].string_param = text
    with Grpc(server) as client:
        assert same(grpc_outputs(client.infer(request))["x"], SAMPLES["FP32"])


def test_3_6_its_second_service_answers_as_the_first(server: Server) -> None:
    """``inference.model_repository.ModelRepositoryService``; the messages are the same."""
    with Grpc(server) as client:
        first = client.call("RepositoryIndex", b"")
        second = client.call("/inference.model_repository.ModelRepositoryService/RepositoryIndex", b"")
    assert pb.RepositoryIndexResponse.FromString(first) == pb.RepositoryIndexResponse.FromString(second)

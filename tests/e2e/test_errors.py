"""Texts and headers that a protocol cannot carry as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from grpc_client import Grpc
from tensors import grpc_request, json_body

if TYPE_CHECKING:
    from pathlib import Path

    from serving import Serve, Server

RUNTIME = """
import base64
from srv import Headers, MLModel
from srv.errors import InvalidInput
from srv.types import InferenceResponse, Parameters

HEADERS = {{"user-agent": "me", "x-bytes-bin": {binary!r}, "x-empty": "", "x-plain": "1"}}

class Runtime(MLModel):
    async def predict(self, payload):
        if payload.id:
            raise InvalidInput({{"surrogate": "bad \\ud800", "long": "x" * 100_000}}[payload.id])
        return InferenceResponse(parameters=Parameters(headers=Headers(HEADERS)))
"""


@pytest.fixture(scope="module")
def server(serve_module: Serve, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """Return a server of models whose errors and headers are hard to send."""
    root: Path = tmp_path_factory.mktemp("models")
    for name, binary in (("good", "AAEC"), ("bad", "no base64!")):
        (root / name).mkdir()
        (root / name / "model-settings.json").write_text('{"implementation": "models.Runtime"}', encoding="utf-8")
        (root / name / "models.py").write_text(RUNTIME.format(binary=binary), encoding="utf-8")
    return serve_module(root).wait_started()


def test_a_lone_surrogate_in_an_error_is_escaped(server: Server) -> None:
    """No encoding has it, and the client gets its answer all the same."""
    answer = server.post("/v2/models/good/infer", {"id": "surrogate", "inputs": []})
    assert (answer.status, answer.error()) == (400, "bad \\ud800")
    request = grpc_request("good", {})
    request.id = "surrogate"
    with Grpc(server) as client:
        assert client.fails(request) == ("INVALID_ARGUMENT", "bad \\ud800")


def test_a_long_error_keeps_its_status(server: Server) -> None:
    """Over gRPC it is cut, since clients take a long header list for a fault of its own."""
    answer = server.post("/v2/models/good/infer", {"id": "long", "inputs": []})
    assert (answer.status, len(answer.error())) == (400, 100_000)
    request = grpc_request("good", {})
    request.id = "long"
    with Grpc(server) as client:
        status, text = client.fails(request)
    assert (status, text.startswith("xxx"), len(text) < 5000) == ("INVALID_ARGUMENT", True, True)


def test_a_runtimes_headers_become_trailing_metadata(server: Server) -> None:
    """Binary ones as bytes; what frames the message, or is empty, stays out."""
    with Grpc(server) as client:
        call = client.start(grpc_request("good", {}))
        call.result()
        found = dict(call.trailing_metadata())
    assert found == {"x-bytes-bin": b"\0\1\2", "x-plain": "1"}
    answer = server.post("/v2/models/good/infer", json_body({}))
    assert (answer.headers["x-bytes-bin"], answer.headers["x-plain"], answer.headers["user-agent"]) == (
        "AAEC",
        "1",
        None,
    )


def test_a_binary_header_that_is_none_is_the_models_fault(server: Server) -> None:
    """And it is found before anything is sent."""
    with Grpc(server) as client:
        status, text = client.fails(grpc_request("bad", {}))
    assert (status, "'x-bytes-bin' is no base64" in text) == ("INTERNAL", True)


def test_a_version_in_the_query_has_no_say(server: Server) -> None:
    """Only the path names it."""
    assert server.post("/v2/models/good/infer?version=9&name=bad", json_body({})).status == 200
    assert server.post("/v2/models/good/versions/9/infer", json_body({})).status == 404

"""What a large tensor costs the server: its own size once, where the protocol's library allows it."""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from grpc_client import SERVICE, Grpc
from serving import MODELS, PATIENCE, eventually, send_raw
from tensors import grpc_request, pb

if TYPE_CHECKING:
    from serving import Serve, Server

SIZE: Final = 256 << 20
SLACK: Final = 16 << 20


@pytest.fixture(scope="module")
def large(serve_module: Serve) -> Server:
    """Return a server of its own, whose memory no other test has touched."""
    return serve_module(MODELS / "shared").wait_started()


@pytest.fixture(scope="module")
def data() -> bytes:
    """Return the bytes of a large tensor, of which no two pages are equal."""
    return np.arange(SIZE // 8, dtype=np.int64).tobytes()


def growth(server: Server, before: int) -> float:
    """Return by how many times the tensor's size the peak lies above what was resident before."""
    grown = server.status("VmHWM") * 1024 - before
    return max(0, grown - SLACK) / SIZE


@pytest.mark.parametrize("run", ["first", "again"])
def test_a_tensor_over_rest_is_held_once(large: Server, data: bytes, run: str) -> None:
    """It is received into one buffer, of which the runtime has a view, and which the response is written from."""
    del run
    tensor = {"name": "x", "datatype": "INT64", "shape": [SIZE // 8], "parameters": {"binary_data_size": SIZE}}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    large.reset_peak()
    before = large.status("VmRSS") * 1024
    with large.rest() as rest:
        rest.connection.putrequest("POST", "/v2/models/memory/infer")
        rest.connection.putheader("Inference-Header-Content-Length", str(len(head)))
        rest.connection.putheader("Content-Length", str(len(head) + SIZE))
        rest.connection.endheaders(head)
        rest.connection.send(data)
        with rest.connection.getresponse() as response:
            assert response.status == 200
            size = int(response.headers["Inference-Header-Content-Length"])
            facts = json.loads(response.read(size))
            received = hashlib.sha256()
            while chunk := response.read(1 << 20):
                received.update(chunk)
    assert received.digest() == hashlib.sha256(data).digest()
    assert facts["parameters"] == {"beyond": len(head), "writeable": False}
    assert growth(large, before) <= 1.3


@pytest.mark.parametrize("run", ["first", "again"])
def test_a_tensor_over_grpc_is_held_a_few_times(large: Server, data: bytes, run: str) -> None:
    """The runtime has a view of the message; the response is joined into one."""
    del run
    request = grpc_request("memory", {})
    request.inputs.add(name="x", datatype="INT64", shape=[SIZE // 8])
    request.raw_input_contents.append(data)
    content = request.SerializeToString()
    request.Clear()
    large.reset_peak()
    before = large.status("VmRSS") * 1024
    with Grpc(large) as grpc:
        answer = grpc.channel.unary_unary(SERVICE + "ModelInfer")(content, timeout=PATIENCE)
    response = pb.ModelInferResponse.FromString(answer)
    assert response.raw_output_contents[0] == data
    assert response.parameters["beyond"].int64_param == len(content) - SIZE
    assert not response.parameters["writeable"].bool_param
    assert growth(large, before) <= 3


UNCOLLECTED: Final = """
import gc
from srv import MLModel
from srv.types import InferenceResponse, ResponseOutput

gc.disable()

class Identity(MLModel):
    async def predict(self, payload):
        outputs = [ResponseOutput(each.name, each.datatype, each.shape, data=each.data) for each in payload.inputs]
        return InferenceResponse(outputs=outputs)
"""
PART: Final = 8 << 20


@pytest.fixture(scope="module")
def uncollected(serve_module: Serve, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """Return a server whose garbage is never collected, so that what is held in a circle stays."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "models.py").write_text(UNCOLLECTED, encoding="utf-8")
    (folder / "model-settings.json").write_text(
        '{"name":"identity","implementation":"models.Identity"}', encoding="utf-8"
    )
    return serve_module(folder).wait_started()


def resident(server: Server) -> int:
    """Return how many bytes of memory a server has now."""
    return server.status("VmRSS") * 1024


def test_a_body_that_never_ends_is_given_back(uncollected: Server) -> None:
    """Once its client has left."""
    head = f"POST /v2/models/identity/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {SIZE}\r\n\r\n".encode()
    before = resident(uncollected)
    for _ in range(20):
        send_raw(uncollected.http_port, head + bytes(PART)).close()
    eventually(lambda: resident(uncollected) - before <= 4 * PART, lambda: resident(uncollected) - before)


def test_a_connection_that_waits_holds_nothing_of_its_last_request(uncollected: Server) -> None:
    """As clients keep many of them."""
    tensor = {"name": "x", "datatype": "INT64", "shape": [PART // 8], "parameters": {"binary_data_size": PART}}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    before = resident(uncollected)
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            rest = stack.enter_context(uncollected.rest())
            assert rest.request("POST", "/v2/models/identity/infer", head + bytes(PART), headers).status == 200
        eventually(lambda: resident(uncollected) - before <= 4 * PART, lambda: resident(uncollected) - before)


def test_memory_that_the_machine_has_not_is_no_reason_to_hang_up(serve: Serve) -> None:
    """A request that announces more than can be had is answered, however little of it has come."""
    server = serve(MODELS / "shared", max_request_size=1 << 60).wait_started()
    server.faults_expected = True
    head = f"POST /v2/models/identity/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {1 << 50}\r\n\r\n".encode()
    for part in (10, 100_000):
        with send_raw(server.http_port, head + bytes(part)) as connection:
            assert connection.recv(1 << 16).startswith(b"HTTP/1.1 500 Internal Server Error\r\n")


def test_the_memory_is_given_back(large: Server) -> None:
    """Nothing of the large requests stays."""
    assert large.status("VmRSS") * 1024 < SIZE

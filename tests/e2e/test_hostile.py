"""What clients and models do that nobody would wish for."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
from grpc_client import Grpc
from http2 import Http2, message
from serving import Gate, send_raw
from tensors import grpc_request, json_body

if TYPE_CHECKING:
    from serving import Serve, Server

BODY = b'{"inputs":[{"name":"x","shape":[1],"datatype":"INT32","data":[7]}]}'
REQUEST = grpc_request("identity", {"x:INT32": np.zeros(1, np.int32)}).SerializeToString()


def exchange(server: Server, *pieces: bytes) -> bytes:
    """Send pieces on one connection, and return all that comes back until it is closed, or reset."""
    received = b""
    with send_raw(server.http_port, pieces[0]) as connection, contextlib.suppress(ConnectionError):
        for piece in pieces[1:]:
            connection.sendall(piece)
        while chunk := connection.recv(1 << 16):
            received += chunk
    return received


def head(*headers: str) -> bytes:
    """Return the head of an inference request."""
    lines = ["POST /v2/models/identity/infer HTTP/1.1", "Host: x", f"Content-Length: {len(BODY)}", *headers]
    return "\r\n".join([*lines, "\r\n"]).encode()


UPGRADES = {
    "in one piece": [head("Connection: Upgrade, close", "Upgrade: h2c") + BODY],
    "in two pieces": [head("Connection: Upgrade, close", "upgrade: h2c"), BODY],
}


@pytest.mark.parametrize("pieces", UPGRADES.values(), ids=UPGRADES)
def test_an_upgrade_is_ignored_and_the_body_is_read(server: Server, pieces: list[bytes]) -> None:
    """Java's client asks for HTTP/2 with each first request."""
    answer = exchange(server, *pieces)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.count(b"HTTP/1.1") == 1
    assert b'"data":[7]' in answer


def test_what_follows_an_upgrade_is_never_taken_for_another_request(server: Server) -> None:
    """However the head is cut: either the header is ignored, or the connection ends."""
    whole = head("Connection: Upgrade, close", "Upgrade: h2c")
    cut = whole.index(b"grade: h2c")
    answer = exchange(server, whole[:cut], whole[cut:], BODY + b"GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.count(b"HTTP/1.1") <= 1
    assert b'"extensions"' not in answer


def test_a_head_without_end_is_refused(server: Server) -> None:
    """Nobody buffers it."""
    with socket.create_connection(("127.0.0.1", server.http_port), 30) as connection:
        connection.sendall(b"GET /v2 HTTP/1.1\r\n")
        answer = b""
        try:
            for number in range(2_000):
                connection.sendall(f"X-{number}: {'y' * 1000}\r\n".encode())
            while chunk := connection.recv(1 << 16):
                answer += chunk
        except OSError:
            pass  # the server has closed the connection while we were sending
    assert not answer or answer.startswith(b"HTTP/1.1 431 ")
    assert server.get("/v2/health/live").status == 200


@pytest.mark.parametrize("kind", [0x10, 0x99], ids=["PRIORITY_UPDATE", "unknown"])
def test_a_frame_of_an_unknown_type_is_ignored(server: Server, kind: int) -> None:
    """As the specification of HTTP/2 asks."""
    with Http2(server.ports["gRPC"]) as client:
        assert client.call(message(REQUEST)) == (0, "")
        client.socket.sendall(bytes((0, 0, 5, kind, 0, 0, 0, 0, 0)) + b"hello")
        assert client.call(message(REQUEST)) == (0, "")


def test_two_fronts_cannot_have_one_port(tmp_path: Path) -> None:
    """The command says so instead of serving one of them."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    environ = {"SRV_HTTP_PORT": port, "SRV_GRPC_PORT": port, "SRV_METRICS_PORT": "0", "PATH": ""}
    command = [str(Path(sys.executable).with_name("srv")), "start", str(tmp_path)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "gRPC cannot listen on" in done.stderr


RUNTIME = """
import asyncio, socket
from srv import MLModel
from srv.types import InferenceResponse, ResponseOutput

class Stubborn(MLModel):
    async def predict(self, payload):
        print("stubborn", flush=True)
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                pass

class Slow(MLModel):
    async def predict_stream(self, payloads):
        async for payload in payloads:
            with socket.create_connection(("127.0.0.1", int(payload.inputs[0].data[0]))):
                await asyncio.sleep(3600)
                yield

class Late(MLModel):
    async def predict(self, payload):
        with socket.create_connection(("127.0.0.1", int(payload.inputs[0].data[0]))):
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                return InferenceResponse(outputs=[ResponseOutput("late", "INT32", [1], data=[1])])

class Own(MLModel):
    async def predict(self, payload):
        asyncio.current_task().cancel()
        await asyncio.sleep(3600)

class Step(MLModel):
    def predict_stream(self, payloads):
        (payload,) = payloads
        with socket.create_connection(("127.0.0.1", int(payload.inputs[0].data[0]))) as connection:
            connection.recv(1)
            yield
"""


def write_models(root: Path) -> None:
    """Write models that are slow, or do not want to end."""
    for name in ("Stubborn", "Slow", "Late", "Own", "Step"):
        folder = root / name
        folder.mkdir()
        (folder / "model-settings.json").write_text(f'{{"implementation": "models.{name}"}}', encoding="utf-8")
        (folder / "models.py").write_text(RUNTIME, encoding="utf-8")


@pytest.mark.parametrize("front", ["rest", "grpc"])
def test_model_code_that_swallows_cancellation_is_abandoned(serve: Serve, tmp_path: Path, front: str) -> None:
    """A stop ends within its bound."""
    write_models(tmp_path)
    server = serve(tmp_path, shutdown_timeout=0.2).wait_started()
    if front == "rest":
        body = json_body({})
        head_ = f"POST /v2/models/Stubborn/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        connection = send_raw(server.http_port, head_.encode() + body)
        server.wait_for_line("stubborn")
        server.signal()
        assert server.wait_exit() == 0
        connection.close()
        return
    with Grpc(server) as client:
        call = client.start(grpc_request("Stubborn", {}))
        server.wait_for_line("stubborn")
        server.signal()
        assert server.wait_exit() == 0
        call.cancel()


def test_a_stream_that_is_left_before_its_first_event_ends(serve: Serve, tmp_path: Path, gate: Gate) -> None:
    """Its model can be unloaded."""
    write_models(tmp_path)
    server = serve(tmp_path).wait_started()
    body = json_body({"port:INT32": np.array([gate.port], np.int32)})
    head_ = f"POST /v2/models/Slow/infer_stream HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    connection = send_raw(server.http_port, head_.encode() + body)
    visit = gate.wait()
    connection.close()
    visit.wait_closed()
    assert server.post("/v2/repository/models/Slow/unload").status == 200


def test_an_answer_to_a_client_that_has_gone_is_dropped(serve: Serve, tmp_path: Path, gate: Gate) -> None:
    """The model did not want to be cancelled, which is no fault of the server."""
    write_models(tmp_path)
    server = serve(tmp_path).wait_started()
    with Grpc(server) as client:
        call = client.start(grpc_request("Late", {"port:INT32": np.array([gate.port], np.int32)}))
        visit = gate.wait()
        call.cancel()
        visit.wait_closed()
    assert "ERROR" not in server.log


@pytest.mark.parametrize("front", ["rest", "grpc"])
def test_a_plain_stream_is_answered_in_time_whatever_its_step_takes(
    serve: Serve, tmp_path: Path, gate: Gate, front: str
) -> None:
    """The thread keeps its turn until the step ends; the client knows before."""
    write_models(tmp_path)
    server = serve(tmp_path).wait_started()
    port = {"port:INT32": np.array([gate.port], np.int32)}
    if front == "rest":
        answer = server.post("/v2/models/Step/infer_stream", json_body(port, parameters={"timeout": 200_000}))
        assert answer.status == 504
        text = answer.error()
    else:
        request = grpc_request("Step", port)
        request.parameters["timeout"].int64_param = 200_000
        with Grpc(server) as client:
            (response,) = client.stream([request])
        text = response.error_message
    assert text == "Request timeout expired: the request took longer than its timeout parameter says"
    gate.wait().release()
    assert server.post("/v2/repository/models/Step/unload").status == 200


def test_a_model_that_cancels_its_own_task_is_told_of(serve: Serve, tmp_path: Path) -> None:
    """A call or a stream that just ended would look as if nothing had been asked."""
    write_models(tmp_path)
    server = serve(tmp_path).wait_started()
    assert server.post("/v2/models/Own/infer", json_body({})).status == 500
    with Grpc(server) as client:
        assert client.fails(grpc_request("Own", {})) == ("INTERNAL", "the request was cancelled")
        with pytest.raises(grpc.RpcError) as caught:
            list(client.stream([grpc_request("Own", {})]))
    error: Any = caught.value
    assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "a request of the stream was cancelled")

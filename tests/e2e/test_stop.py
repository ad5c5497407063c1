"""How a server ends: what runs may finish, what idles delays nothing, and nobody waits for ever."""

from __future__ import annotations

import json
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
from grpc_client import Grpc
from http2 import Http2, message
from serving import MODELS, Gate, receive_all, send_raw
from tensors import grpc_request, json_body

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from serving import Answer, Serve, Server, Visit

STOPPING = "stopping"


def port_of(gate: Gate) -> dict[str, Any]:
    """Return the input of the gate models."""
    return {"port:INT32": np.array([gate.port], np.int32)}


def post_gate(pool: ThreadPoolExecutor, server: Server, gate: Gate, model: str = "gate") -> Future[Answer]:
    """Start a request that waits at the gate."""
    return pool.submit(server.post, f"/v2/models/{model}/infer", json_body(port_of(gate)))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("model", ["gate", "gate_plain"])
def test_running_requests_finish(serve: Serve, gate: Gate, number: signal.Signals, model: str) -> None:
    """On a signal the server turns not ready; who was served before gets the answer; the exit status is 0."""
    server = serve(MODELS / "shared", shutdown_delay=0.2).wait_started()
    with ThreadPoolExecutor() as pool, Grpc(server) as client, server.rest() as rest:
        over_grpc = client.start(grpc_request(model, port_of(gate)))
        visits: list[Visit] = [gate.wait()]
        over_rest = post_gate(pool, server, gate, model)
        if model == "gate":
            visits.append(gate.wait())
        server.signal(number)
        server.wait_for_line(STOPPING)
        answer = rest.request("GET", "/v2/health/ready")
        assert answer.status == 503
        assert answer.json() == {"live": True, "ready": False, "error": "the server is not ready"}
        for visit in visits:
            visit.release()
        if model == "gate_plain":
            # One call at a time: the second comes to the gate after the first has left.
            gate.wait().release()
        assert over_rest.result().status == 200
        assert list(over_grpc.result(timeout=60))
    assert server.wait_exit() == 0


def test_idle_connections_delay_nothing(serve: Serve) -> None:
    """Keep-alive connections, open channels and connections that never sent a request are closed."""
    server = serve(MODELS / "shared", shutdown_timeout=3600).wait_started()
    with server.rest() as rest, Grpc(server) as client:
        assert rest.request("GET", "/v2/health/ready").status == 200
        client.call("ServerReady", b"")
        silent = [send_raw(server.http_port, b""), send_raw(server.http_port, b"GET /v2 HT")]
        silent += [send_raw(server.ports["gRPC"], b""), send_raw(server.ports["metrics"], b"")]
        server.signal()
        assert server.wait_exit() == 0
        for connection in silent:
            connection.close()


@pytest.mark.parametrize("model", ["gate", "gate_plain"])
@pytest.mark.parametrize("front", ["rest", "grpc"])
def test_shutdown_timeout_bounds_the_wait(serve: Serve, gate: Gate, model: str, front: str) -> None:
    """A request that never ends is answered with an error that says so, and the server exits all the same."""
    server = serve(MODELS / "shared", shutdown_timeout=0.3).wait_started()
    with ThreadPoolExecutor() as pool, Grpc(server) as client:
        over_rest = over_grpc = None
        if front == "rest":
            over_rest = post_gate(pool, server, gate, model)
        else:
            over_grpc = client.start(grpc_request(model, port_of(gate)))
        visit = gate.wait()
        server.signal()
        assert server.wait_exit() == 0
        visit.close()
        if over_rest is not None:
            answer = over_rest.result()
            assert answer.status == 503
            assert answer.error()
        if over_grpc is not None:
            assert over_grpc.code() is grpc.StatusCode.UNAVAILABLE
            assert over_grpc.details() == "the server is shutting down"


@pytest.mark.parametrize("model", ["stream", "stream_plain"])
def test_a_stream_of_events_that_is_cut_short_says_so(serve: Serve, gate: Gate, model: str) -> None:
    """Its last event is the error; it would look whole otherwise."""
    server = serve(MODELS / "shared", shutdown_timeout=0.3).wait_started()
    body = json_body(
        {**port_of(gate), "count:INT32": np.array([1_000_000], np.int32)} if model == "stream" else port_of(gate)
    )
    head = f"POST /v2/models/{model}/infer_stream HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    connection = send_raw(server.http_port, head.encode() + body)
    visit = gate.wait()
    server.signal()
    received = receive_all(connection)
    visit.wait_closed()
    assert received.endswith(b'data: {"error":"the server is shutting down"}\n\n\r\n0\r\n\r\n')
    assert server.wait_exit() == 0


@pytest.mark.parametrize("model", ["gate", "gate_plain"])
def test_a_second_signal_hastens(serve: Serve, gate: Gate, model: str) -> None:
    """Nothing is waited for any more."""
    server = serve(MODELS / "shared", shutdown_timeout=3600, shutdown_delay=3600).wait_started()
    with ThreadPoolExecutor() as pool, Grpc(server) as client:
        over_grpc = client.start(grpc_request(model, port_of(gate)))
        visit = gate.wait()
        over_rest = post_gate(pool, server, gate, "gate")
        other = gate.wait()
        server.signal()
        server.wait_for_line(STOPPING)
        server.signal()
        assert server.wait_exit() == 0
        assert over_grpc.exception(timeout=60) is not None
        assert over_rest.exception(timeout=60) is not None or over_rest.result().status == 503
        visit.close()
        other.close()


def test_a_signal_while_models_load_ends_the_start(serve: Serve, tmp_path: Any, gate: Gate) -> None:
    """Also when the load waits on a thread, which ends with the process."""
    folder = tmp_path / "slow"
    folder.mkdir()
    (folder / "model-settings.json").write_text('{"implementation": "models.Slow"}', encoding="utf-8")
    (folder / "models.py").write_text(
        "import socket\nfrom srv import MLModel\nclass Slow(MLModel):\n    def load(self):\n"
        f"        with socket.create_connection(('127.0.0.1', {gate.port})) as connection:\n"
        "            connection.recv(1)\n",
        encoding="utf-8",
    )
    server = serve(tmp_path, shutdown_timeout=0.3)
    visit = gate.wait()
    server.signal()
    assert server.wait_exit() == 0
    visit.close()


def test_a_connection_that_opened_before_the_signal_is_told_to_close(serve: Serve, gate: Gate) -> None:
    """The answer of a request that was running says ``Connection: close``."""
    server = serve(MODELS / "shared").wait_started()
    with ThreadPoolExecutor() as pool:
        running = post_gate(pool, server, gate)
        visit = gate.wait()
        server.signal()
        server.wait_for_line(STOPPING)
        # The metrics' listener closes in the same step as that of REST.
        closed = threading.Event()

        def watch() -> None:
            while True:
                try:
                    send_raw(server.http_port, b"").close()
                except OSError:
                    closed.set()
                    return

        watcher = threading.Thread(target=watch)
        watcher.start()
        assert closed.wait(60)
        watcher.join()
        visit.release()
        answer = running.result()
    assert answer.status == 200
    assert json.loads(answer.body)["model_name"] == "gate"
    assert server.wait_exit() == 0


def test_open_streams_that_wait_for_their_clients_delay_nothing(serve: Serve) -> None:
    """A health watch learns that the server is not ready; an idle inference stream ends without an error."""
    server = serve(MODELS / "shared", shutdown_timeout=3600).wait_started()
    more = threading.Event()

    def requests() -> Iterator[Any]:
        yield grpc_request("identity", {"x:INT32": np.zeros(1, np.int32)})
        more.wait(60)

    with Grpc(server) as client:
        watch = client.channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
        stream = client.stream(requests())
        assert next(watch) == b"\x08\x01"
        assert not next(stream).error_message
        server.signal()
        assert list(watch) == [b"\x08\x02"]
        assert list(stream) == []
        more.set()
    assert server.wait_exit() == 0


def test_a_stream_that_ends_before_its_client_has_sent_all_is_closed_both_ways(serve: Serve) -> None:
    """Otherwise clients of gRPC's C core that meet the connection's end right behind may take the call for lost."""
    server = serve(MODELS / "shared").wait_started()
    with Http2(server.ports["gRPC"]) as http2:
        stream = http2.open("/inference.GRPCInferenceService/ModelStreamInfer")
        request = grpc_request("identity", {"x:INT32": np.zeros(1, np.int32)})
        http2.send(stream, message(request.SerializeToString()), end=False)
        http2.flush()
        while stream not in http2.data:
            http2.receive()
        server.signal()
        assert http2.status(stream) == (0, "")
        while not http2.closed:
            http2.receive()
        assert http2.resets == {stream: 0}
    assert server.wait_exit() == 0


GATED = """
import asyncio
from srv import MLModel
from srv.types import InferenceResponse, ResponseOutput

class Gated(MLModel):
    async def predict_stream(self, payloads):
        payload = await anext(aiter(payloads))
        reader, writer = await asyncio.open_connection("127.0.0.1", int(payload.inputs[0].data[0]))
        await reader.read(1)
        writer.close()
        yield InferenceResponse(outputs=[ResponseOutput("y", "INT32", [1], data=[1])])
"""


def test_requests_that_a_stream_gets_after_the_signal_are_errors(serve: Serve, tmp_path: Path, gate: Gate) -> None:
    """None is lost: what was running gets its answer, and the stream ends after that."""
    (tmp_path / "model-settings.json").write_text('{"name": "gated", "implementation": "models.Gated"}', "utf-8")
    (tmp_path / "models.py").write_text(GATED, encoding="utf-8")
    server = serve(tmp_path).wait_started()
    stopping = threading.Event()

    def requests() -> Iterator[Any]:
        yield grpc_request("gated", port_of(gate), id="early")
        stopping.wait(60)
        yield grpc_request("gated", port_of(gate), id="late")

    with Grpc(server) as client:
        watch = client.channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
        call = client.stream(requests())
        visit = gate.wait()
        server.signal()
        assert list(watch)[-1] == b"\x08\x02"
        stopping.set()
        refused = next(call)
        assert (refused.infer_response.id, refused.error_message) == ("late", "the server is shutting down")
        visit.release()
        assert [(each.infer_response.id, each.error_message) for each in call] == [("early", "")]
    assert server.wait_exit() == 0


STUCK = """
import time
from srv import MLModel
class Runtime(MLModel):
    def predict_stream(self, payloads):
        print("stuck", flush=True)
        time.sleep(3600)
        yield
"""


def test_a_plain_stream_that_is_stuck_is_abandoned(serve: Serve, tmp_path: Path) -> None:
    """Over gRPC too, where its call never ends."""
    folder = tmp_path / "stuck"
    folder.mkdir()
    (folder / "model-settings.json").write_text('{"implementation": "models.Runtime"}', encoding="utf-8")
    (folder / "models.py").write_text(STUCK, encoding="utf-8")
    server = serve(tmp_path, shutdown_timeout=0.2).wait_started()
    with Grpc(server) as client:
        call = client.stream([grpc_request("stuck", {})])
        server.wait_for_line("stuck")
        server.signal()
        assert server.wait_exit() == 0
        call.cancel()

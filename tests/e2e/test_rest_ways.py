"""Requests for inference on real sockets: the short way past ASGI and routing does what the general way does.

A letter of the model's name that is escaped leads to the general way.
"""

from __future__ import annotations

import random
import re
import socket
import threading
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from serving import MODELS, PATIENCE, Rest, eventually, parse_answer, receive_all, send_raw
from tensors import binary_body, json_body

if TYPE_CHECKING:
    from pathlib import Path

    from serving import Gate, Serve, Server

WAYS: Final = ("short", "general")
LAST: Final = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def looping(loop: str, serve_module: Serve) -> Server:
    """Return a server on that event loop."""
    del loop
    return serve_module(MODELS / "shared").wait_started()


def infer(way: str, model: str, body: bytes, **headers: str) -> bytes:
    """Return a request for inference."""
    name = model if way == "short" else f"%{ord(model[0]):x}{model[1:]}"
    lines = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
    head = f"POST /v2/models/{name}/infer HTTP/1.1\r\nHost: x\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
    return head.encode("latin-1") + body


def large(way: str, size: int) -> bytes:
    """Return a request that is answered with what it has: so many integers."""
    body, headers = binary_body({"x:INT64": np.arange(size)})
    return infer(way, "identity", body, **headers)


def waiting(way: str, gate: Gate) -> bytes:
    """Return a request whose model waits at a gate."""
    return infer(way, "gate", json_body({"port:INT32": np.array([gate.port], np.int32)}))


def statuses(server: Server) -> dict[str, float]:
    """Return how many requests for inference without a version had which status."""
    with Rest(server.metrics_port) as rest:
        text = rest.request("GET", "/metrics").body.decode()
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "rest_server_requests_total" and re.search(r"\{name[^/]*/infer$", sample.labels["path"]):
                status = sample.labels["status_code"]
                found[status] = found.get(status, 0) + sample.value
    return found


def send_all(connection: socket.socket, pieces: list[bytes]) -> None:
    """Send pieces one by one."""
    for piece in pieces:
        connection.sendall(piece)


def wait_for_status(server: Server, status: str, count: float) -> None:
    """Return once so many requests have had a status."""
    eventually(lambda: statuses(server).get(status, 0) == count, lambda: statuses(server))


@pytest.mark.parametrize("seed", range(3))
def test_large_requests_in_pieces_get_the_same_answers(looping: Server, seed: int) -> None:
    """With others before and behind them, in pieces that know nothing of where they end."""
    draw = random.Random(seed)  # noqa: S311  # nobody has to guess it
    sizes = [draw.choice([1, 5_000, 300_000]) for _ in range(5)]
    received: list[bytes] = []
    for way in WAYS:
        whole = b"".join(large(way, size) for size in sizes) + LAST
        pieces: list[bytes] = []
        while whole:
            size = draw.choice([1, 100, 70_000, 2_000_000])
            pieces.append(whole[:size])
            whole = whole[size:]
        connection = socket.create_connection(("127.0.0.1", looping.http_port), PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sender = threading.Thread(target=send_all, args=(connection, pieces))
        sender.start()
        received.append(receive_all(connection))
        sender.join()
    short, general = received
    assert short == general
    assert short.count(b"HTTP/1.1 200 OK\r\n") == len(sizes) + 1
    assert np.arange(max(sizes)).tobytes() in short


@pytest.mark.parametrize("rest", [1, (1 << 15) - 1, 1 << 15, (1 << 15) + 1, 1 << 20])
def test_the_rest_of_a_body_may_come_with_the_next_request(looping: Server, rest: int) -> None:
    """Nothing of either is lost."""
    received: list[bytes] = []
    for way in WAYS:
        first = large(way, 200_000)
        connection = send_raw(looping.http_port, first[:-rest])
        # Another answer says that the server has had the time to read that.
        assert looping.get("/v2/health/live").status == 200
        connection.sendall(first[-rest:] + large(way, 3) + large(way, 9_000) + LAST)
        received.append(receive_all(connection))
    short, general = received
    assert short == general
    assert short.count(b"HTTP/1.1 200 OK\r\n") == 4


def test_a_client_that_leaves_while_its_model_runs_is_counted_alike(looping: Server, gate: Gate) -> None:
    """And its model is told."""
    before = statuses(looping).get("499", 0)
    for count, way in enumerate(WAYS, start=1):
        connection = send_raw(looping.http_port, waiting(way, gate))
        visit = gate.wait()
        connection.close()
        visit.wait_closed()
        wait_for_status(looping, "499", before + count)


@pytest.mark.parametrize("part", [10, 10_000, 1_000_000])
def test_a_client_that_leaves_in_its_body_is_counted_alike(looping: Server, part: int) -> None:
    before = statuses(looping).get("499", 0)
    for count, way in enumerate(WAYS, start=1):
        request = large(way, 200_000)
        send_raw(looping.http_port, request[: request.index(b"\r\n\r\n") + 4 + part]).close()
        wait_for_status(looping, "499", before + count)


HEADERS: Final = {
    "X-One": "a, b",
    "x_two": "\xe9 and \xff",
    "X-Three": "",
    "Cookie": "a=b; c=d",
    "Authorization": "Basic eDp5",
    "X-Four": "a\r\nx-four: b",
    "Accept": "text/html;q=0.5",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}


def test_models_see_the_same_request(looping: Server) -> None:
    """All its headers, as they were sent, and its tensors."""
    body, headers = binary_body({"x:INT64": np.arange(20_000)}, id="7", parameters={"a": 1})
    short, general = (exchange(looping, infer(way, "report", body, **headers, **HEADERS)) for way in WAYS)
    assert short == general
    assert b"x-four" in short


def test_a_request_that_follows_one_that_runs_waits_for_it(looping: Server, gate: Gate) -> None:
    """Whatever their ways, and however large they are."""
    for way in WAYS:
        for other in WAYS:
            connection = send_raw(looping.http_port, waiting(way, gate))
            visit = gate.wait()
            connection.sendall(large(other, 100_000) + waiting(way, gate) + LAST)
            visit.release()
            gate.wait().release()
            received = receive_all(connection)
            assert [*map(len, re.findall(rb'"name":"(port|x)"', received))] == [4, 1, 4]
            assert received.count(b"HTTP/1.1 200 OK\r\n") == 4


def test_a_body_that_is_announced_takes_no_memory_before_it_comes(looping: Server) -> None:
    """Of many clients that say much and send little."""
    looping.reset_peak()
    before = looping.status("VmHWM")
    connections: list[socket.socket] = []
    for way in WAYS:
        head, _, _ = infer(way, "identity", b"").partition(b"Content-Length")
        text = head + b"Content-Length: 1000000000\r\n\r\n" + b"x" * 10
        connections += [send_raw(looping.http_port, text) for _ in range(20)]
    assert looping.get("/v2/health/live").status == 200
    assert looping.status("VmHWM") - before < 100_000
    for connection in connections:
        connection.close()


def test_answers_that_nobody_reads_hold_the_next_requests_back(looping: Server) -> None:
    """Many requests in a row, whose answers are read at last, do not fill the memory."""
    looping.reset_peak()
    before = looping.status("VmHWM")
    count, size = 40, 500_000
    for way in WAYS:
        whole = large(way, size)
        with socket.create_connection(("127.0.0.1", looping.http_port), PATIENCE) as connection:
            connection.settimeout(0.5)
            sent = 0
            try:
                while sent < count:
                    connection.sendall(whole)
                    sent += 1
            except TimeoutError:
                pass  # as it should be: the server reads no more
        assert sent < count
    assert looping.status("VmHWM") - before < 10 * size * 8 // 1024


def test_a_stop_answers_what_runs_alike(loop: str, serve: Serve, gate: Gate) -> None:
    del loop
    server = serve(MODELS / "shared", shutdown_timeout=0.2).wait_started()
    half = large("short", 200_000)[:-1000]
    connections = [send_raw(server.http_port, waiting(way, gate)) for way in WAYS]
    for _ in WAYS:
        gate.wait()
    connections += [send_raw(server.http_port, part) for part in (half, half.replace(b"/identity", b"/%69dentity"))]
    eventually(lambda: server.get("/v2/health/live").status == 200, lambda: "")
    server.signal()
    received = [receive_all(connection) for connection in connections]
    assert server.wait_exit() == 0
    assert len(set(received)) == 1
    answer = parse_answer(received[0])
    assert (answer.status, answer.headers["connection"]) == (503, "close")
    assert "shutting down" in answer.error()


STATS: Final = """
from srv import MLModel
from srv.types import InferenceResponse, ResponseOutput

class Model(MLModel):
    async def predict(self, payload):
        return InferenceResponse(outputs=[ResponseOutput("x", "INT32", [1], data=[1])])
"""


def test_a_model_may_have_any_name_that_a_route_has(serve: Serve, tmp_path: Path) -> None:
    """Where requests for inference go does not depend on their way."""
    names = ("stats", "models", "infer", "versions", "v2")
    for name in names:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "models.py").write_text(STATS, encoding="utf-8")
        (folder / "model-settings.json").write_text('{"implementation": "models.Model"}', encoding="utf-8")
    server = serve(tmp_path).wait_started()
    body = json_body({})
    for name in names:
        assert [parse_answer(exchange(server, infer(way, name, body))).status for way in WAYS] == [200, 200]


def exchange(server: Server, request: bytes) -> bytes:
    """Return the answer to a request, and that to one behind it."""
    return receive_all(send_raw(server.http_port, request + LAST))

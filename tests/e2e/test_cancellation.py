"""Clients that leave at every stage: nothing of them stays in the server."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from grpc_client import Grpc
from serving import MODELS, eventually, send_raw
from tensors import binary_body, grpc_outputs, grpc_request, json_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving import Gate, Serve, Server

ROUNDS = 30


@pytest.fixture(scope="module")
def quiet(serve_module: Serve) -> Server:
    """Return a server that nobody else uses, so that its tasks and files can be counted."""
    server = serve_module(MODELS / "shared").wait_started()
    # What is made once, at the first request.
    tasks(server)
    with Grpc(server) as grpc:
        grpc.infer(grpc_request("identity", {"x:INT32": np.zeros(1, np.int32)}))
    return server


def tasks(server: Server) -> int:
    """Return the number of tasks in the server, that of the question among them."""
    answer: Any = server.post("/v2/models/tasks/infer", json_body({})).json()
    return int(answer["outputs"][0]["data"][0])


def reset(connection: socket.socket) -> None:
    """Close a connection with RST rather than FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def big_request() -> bytes:
    """Return an HTTP request of some megabytes, whose response is as large."""
    body, headers = binary_body({"x:INT64": np.zeros(1 << 19, np.int64)})
    head = "POST /v2/models/identity/infer HTTP/1.1\r\nHost: x\r\n" + "".join(
        f"{k}: {v}\r\n" for k, v in headers.items()
    )
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


BIG = big_request()
HALF = BIG[: len(BIG) // 2]
CHUNKED = b"POST /v2/models/identity/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n"


@pytest.mark.parametrize("leave", [socket.socket.close, reset], ids=["close", "reset"])
@pytest.mark.parametrize(
    "part", [b"", b"POST /v2/mod", HALF, CHUNKED, BIG], ids=["nothing", "line", "half", "chunks", "all"]
)
def test_http_clients_that_leave_are_forgotten(
    quiet: Server, part: bytes, leave: Callable[[socket.socket], None]
) -> None:
    """Before, during and after their request; without a traceback, which the fixture looks for."""
    before, files = tasks(quiet), quiet.open_files()
    for _ in range(ROUNDS):
        leave(send_raw(quiet.http_port, part))
    eventually(lambda: tasks(quiet) <= before, lambda: f"{before} tasks became {tasks(quiet)}")
    eventually(lambda: quiet.open_files() <= files, lambda: f"{files} files became {quiet.open_files()}")


@pytest.mark.parametrize("leave", [socket.socket.close, reset], ids=["close", "reset"])
def test_http_clients_that_leave_in_the_middle_of_a_response_are_forgotten(
    quiet: Server, leave: Callable[[socket.socket], None]
) -> None:
    """The rest of it is dropped."""
    before, files = tasks(quiet), quiet.open_files()
    for _ in range(ROUNDS):
        connection = send_raw(quiet.http_port, BIG)
        assert connection.recv(12) == b"HTTP/1.1 200"
        leave(connection)
    eventually(lambda: tasks(quiet) <= before, lambda: f"{before} tasks became {tasks(quiet)}")
    eventually(lambda: quiet.open_files() <= files, lambda: f"{files} files became {quiet.open_files()}")


def test_http_clients_that_leave_answers_behind_are_forgotten(quiet: Server, gate: Gate) -> None:
    """Of three requests in one piece, while the first is answered; nothing of the others is a fault."""
    before, files = tasks(quiet), quiet.open_files()
    body = json_body({"port:INT32": np.array([gate.port], np.int32)})
    head = f"POST /v2/models/gate/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    connection = send_raw(quiet.http_port, (head.encode() + body) * 3)
    visit = gate.wait()
    connection.close()
    visit.release()
    eventually(lambda: tasks(quiet) <= before, lambda: f"{before} tasks became {tasks(quiet)}")
    eventually(lambda: quiet.open_files() <= files, lambda: f"{files} files became {quiet.open_files()}")


def test_grpc_calls_that_are_cancelled_are_forgotten(quiet: Server, gate: Gate) -> None:
    """In the runtime's code, all at once; the connection goes on."""
    before = tasks(quiet)
    with Grpc(quiet) as grpc:
        calls = [
            grpc.start(grpc_request("gate", {"port:INT32": np.array([gate.port], np.int32)})) for _ in range(ROUNDS)
        ]
        visits = [gate.wait() for _ in calls]
        for call in calls:
            call.cancel()
        for visit in visits:
            visit.wait_closed()
        eventually(lambda: tasks(quiet) <= before, lambda: f"{before} tasks became {tasks(quiet)}")
        assert grpc_outputs(grpc.infer(grpc_request("identity", {"x:INT32": np.array([5], np.int32)})))["x"][0] == 5


def test_grpc_channels_that_are_closed_are_forgotten(quiet: Server, gate: Gate) -> None:
    """With their calls and their connections."""
    before, files = tasks(quiet), quiet.open_files()
    for _ in range(5):
        with Grpc(quiet) as grpc:
            calls = [
                grpc.start(grpc_request("gate", {"port:INT32": np.array([gate.port], np.int32)})) for _ in range(4)
            ]
            visits = [gate.wait() for _ in calls]
        for visit in visits:
            visit.wait_closed()
    eventually(lambda: tasks(quiet) <= before, lambda: f"{before} tasks became {tasks(quiet)}")
    eventually(lambda: quiet.open_files() <= files, lambda: f"{files} files became {quiet.open_files()}")


def test_grpc_calls_that_are_cancelled_at_any_time_are_forgotten(quiet: Server) -> None:
    """During the request and the response of large messages too."""
    before = tasks(quiet)
    request = grpc_request("identity", {"x:INT64": np.zeros(1 << 19, np.int64)})
    with Grpc(quiet) as grpc:
        for round_ in range(ROUNDS):
            calls = [grpc.start(request) for _ in range(4)]
            for index, call in enumerate(calls):
                if (round_ + index) % 3:
                    call.cancel()
            for index, call in enumerate(calls):
                if not (round_ + index) % 3:
                    call.result(timeout=60)
        eventually(lambda: tasks(quiet) <= before, lambda: f"{before} tasks became {tasks(quiet)}")


def test_connections_that_break_off_inside_http_2_are_forgotten(quiet: Server) -> None:
    """After the preface, and inside a frame."""
    before, files = tasks(quiet), quiet.open_files()
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    for part in (
        preface,
        preface[:10],
        preface + bytes(9),
        preface + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\x00\xff",
    ):
        for leave in (socket.socket.close, reset):
            for _ in range(5):
                leave(send_raw(quiet.ports["gRPC"], part))
    eventually(lambda: tasks(quiet) <= before, lambda: f"{before} tasks became {tasks(quiet)}")
    eventually(lambda: quiet.open_files() <= files, lambda: f"{files} files became {quiet.open_files()}")

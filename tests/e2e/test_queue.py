"""Requests that wait for a model: their order, their number, and how long they may."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from grpc_client import Grpc
from serving import MODELS, Rest, eventually
from tensors import grpc_request, json_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving import Answer, Gate, Serve, Server


@pytest.fixture(scope="module")
def bounded(serve_module: Serve) -> Server:
    """Return a server in which two requests may wait for a model, and none may take longer than a minute."""
    return serve_module(MODELS / "shared", max_queue_size=2, request_timeout=60).wait_started()


def in_background(work: Callable[[], Answer]) -> Future[Answer]:
    """Start something on a thread of its own, and return its outcome."""
    outcome: Future[Answer] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001  # the test that asks for the result gets it
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return outcome


def ask(
    server: Server, gate: Gate, model: str = "gate_plain", request_id: str = "", **parameters: Any
) -> Future[Answer]:
    """Send a request that waits at the gate."""
    body = json_body({"port:INT32": np.array([gate.port], np.int32)}, id=request_id, parameters=parameters)
    return in_background(lambda: server.post(f"/v2/models/{model}/infer", body))


def waiting(server: Server, gate: Gate, **parameters: Any) -> Future[Answer]:
    """Send a request that has to wait for its model, and return when it does."""
    before = queued(server)
    outcome = ask(server, gate, **parameters)
    eventually(lambda: outcome.done() or queued(server) > before, lambda: "the request never waited")
    return outcome


def queued(server: Server) -> int:
    """Return how many REST requests run in the server."""
    with Rest(server.metrics_port) as rest:
        text = rest.request("GET", "/metrics").body.decode()
    (line,) = [line for line in text.splitlines() if line.startswith("rest_server_requests_in_progress ")]
    return int(float(line.split()[1]))


def test_the_lowest_priority_number_comes_first_and_none_comes_last(serve: Serve, gate: Gate) -> None:
    """Of those that wait; the one that runs goes on."""
    server = serve(MODELS / "shared").wait_started()
    running = ask(server, gate, request_id="running")
    visit = gate.wait()
    outcomes = {name: waiting(server, gate, request_id=name) for name in ("none",)}
    for name, priority in (("third", 3), ("first", 1), ("second", 2)):
        outcomes[name] = waiting(server, gate, request_id=name, priority=priority)
    visit.release()
    assert running.result().status == 200
    order: list[str] = []
    while outcomes:
        gate.wait().release()
        eventually(lambda: any(each.done() for each in outcomes.values()), lambda: "no request was answered")
        (name,) = [name for name, each in outcomes.items() if each.done()]
        order.append(name)
        del outcomes[name]
    assert order == ["first", "second", "third", "none"]


def test_more_than_may_wait_are_refused(bounded: Server, gate: Gate) -> None:
    """With 503 and UNAVAILABLE, in the words that clients look for; the others are answered."""
    running = ask(bounded, gate)
    visit = gate.wait()
    patient = [waiting(bounded, gate), waiting(bounded, gate)]

    refused = ask(bounded, gate).result()
    assert refused.status == 503
    assert "Exceeds maximum queue size" in refused.error()
    with Grpc(bounded) as grpc:
        status, text = grpc.fails(grpc_request("gate_plain", {"port:INT32": np.array([gate.port], np.int32)}))
    assert status == "UNAVAILABLE"
    assert "Exceeds maximum queue size" in text

    visit.release()
    for _ in patient:
        gate.wait().release()
    assert [each.result().status for each in (running, *patient)] == [200, 200, 200]


def test_a_request_that_waits_for_longer_than_its_timeout_is_refused(bounded: Server, gate: Gate) -> None:
    """With 503 and UNAVAILABLE: the model has not seen it."""
    running = ask(bounded, gate)
    visit = gate.wait()

    late = ask(bounded, gate, timeout=1000).result()
    assert late.status == 503
    assert late.error() == "Request timeout expired"
    request = grpc_request("gate_plain", {"port:INT32": np.array([gate.port], np.int32)})
    request.parameters["timeout"].int64_param = 1000
    with Grpc(bounded) as grpc:
        assert grpc.fails(request) == ("UNAVAILABLE", "Request timeout expired")

    visit.release()
    assert running.result().status == 200


def test_a_request_that_runs_for_longer_than_its_timeout_is_cancelled(bounded: Server, gate: Gate) -> None:
    """With 504 and DEADLINE_EXCEEDED; the model's code is told."""
    late = ask(bounded, gate, "gate", timeout=200_000)
    gate.wait().wait_closed()
    assert late.result().status == 504
    assert late.result().error().startswith("Request timeout expired")

    request = grpc_request("gate", {"port:INT32": np.array([gate.port], np.int32)})
    request.parameters["timeout"].int64_param = 200_000
    with Grpc(bounded) as grpc:
        status, text = grpc.fails(request)
    gate.wait().wait_closed()
    assert status == "DEADLINE_EXCEEDED"
    assert text.startswith("Request timeout expired")


def test_a_request_that_takes_longer_than_the_server_allows_is_cancelled(serve: Serve, gate: Gate) -> None:
    """Over both protocols, and in a stream, whose responses so far have gone out."""
    server = serve(MODELS / "shared", request_timeout=0.3).wait_started()
    late = ask(server, gate, "gate")
    gate.wait().wait_closed()
    assert late.result().status == 504
    with Grpc(server) as grpc:
        status, _ = grpc.fails(grpc_request("gate", {"port:INT32": np.array([gate.port], np.int32)}))
    assert status == "DEADLINE_EXCEEDED"
    assert server.post("/v2/models/identity/infer", json_body({"x:INT32": np.zeros(1, np.int32)})).status == 200


def test_a_thread_that_cannot_be_stopped_keeps_its_turn(bounded: Server, gate: Gate) -> None:
    """The client has its answer; the next request begins when the model has really ended."""
    late = ask(bounded, gate, timeout=200_000)
    visit = gate.wait()
    assert late.result().status == 504
    patient = waiting(bounded, gate)
    visit.release()
    gate.wait().release()
    assert patient.result().status == 200


def test_an_http_client_that_leaves_cancels_its_request(bounded: Server, gate: Gate) -> None:
    """The model's code is told, and whoever waits in the queue leaves it."""
    body = json_body({"port:INT32": np.array([gate.port], np.int32)})
    with bounded.rest() as rest:
        rest.connection.request("POST", "/v2/models/gate/infer", body)
        visit = gate.wait()
    visit.wait_closed()

    running = ask(bounded, gate)
    visit = gate.wait()
    for _ in range(5):
        _wait_and_leave(bounded, body)
    visit.release()
    assert running.result().status == 200


def _wait_and_leave(server: Server, body: bytes) -> None:
    before = queued(server)
    with server.rest() as rest:
        rest.connection.request("POST", "/v2/models/gate_plain/infer", body)
        eventually(lambda: queued(server) > before, lambda: "the request never waited")
    eventually(lambda: queued(server) <= before, lambda: "the request never left")

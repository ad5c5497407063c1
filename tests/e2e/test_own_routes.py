"""Custom handlers, metrics, logs and context variables of models, in a real server."""

from __future__ import annotations

import json
import re
import shutil
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from grpc_client import Grpc
from prometheus_client.parser import text_string_to_metric_families
from serving import MODELS, Rest, eventually, parse_answer, receive_all, send_raw
from tensors import grpc_outputs, grpc_request

if TYPE_CHECKING:
    from pathlib import Path

    from serving import Answer, Gate, Serve, Server

OWN = MODELS / "own"


@pytest.fixture(scope="module", params=[0, 1], ids=["in process", "in a worker"])
def own(serve_module: Serve, request: pytest.FixtureRequest) -> Server:
    """Return a server of the models with routes of their own."""
    return serve_module(OWN, parallel_workers=request.param).wait_started()


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Return a copy of the models, to be changed."""
    return shutil.copytree(OWN, tmp_path / "own", ignore=shutil.ignore_patterns("__pycache__"))


def edit(folder: Path, edition: str) -> None:
    path = folder / "left" / "models.py"
    path.write_text(re.sub('EDITION = ".*"', f'EDITION = "{edition}"', path.read_text("utf-8")), encoding="utf-8")


def later(server: Server, path: str) -> tuple[threading.Thread, list[Answer]]:
    """Send a request whose answer takes until somebody lets it."""
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(server.post(path)))
    thread.start()
    return thread, answers


def text(value: str) -> dict[str, object]:
    return {"inputs": [{"name": "x", "datatype": "BYTES", "shape": [1], "data": [value]}]}


def samples(server: Server) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    with Rest(server.metrics_port) as rest:
        answer = rest.request("GET", "/metrics")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


# ---- Routes


def test_two_models_with_one_path_each_have_their_own(own: Server) -> None:
    assert own.get("/v2/models/left/hello").json() == "first"
    assert own.get("/v2/models/right/hello").json() == "right"
    assert own.get("/v2/models/right/versions/2/hello").json() == "right"
    answer = own.get("/hello")
    assert answer.status == 404
    assert answer.error() == (
        "GET /hello: 2 models have a route of this path; expected one of /v2/models/left/hello, /v2/models/right/hello"
    )


def test_routes_are_found_behind_a_proxy_and_counted_by_their_templates(serve: Serve) -> None:
    server = serve(OWN, root_path="/proxy").wait_started()
    assert server.get("/v2/models/left/hello").json() == "first"
    assert server.post("/mine", "a").json() == ["unset", "a"]
    counted = {
        dict(labels)["path"]: count
        for (name, labels), count in samples(server).items()
        if name == "rest_server_requests_total"
    }
    assert counted == {"/v2/models/{name}/hello": 1, "/mine": 1}


def test_a_client_that_leaves_with_the_whole_answer_has_its_status(serve: Serve) -> None:
    server = serve(OWN).wait_started()
    for path in ("/v2/models/left/hello", "/nowhere", "/v2"):
        receive_all(send_raw(server.http_port, f"GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".encode()))
    found = samples(server)
    counted = {
        (labels["path"], labels["status_code"])
        for name, labels in ((name, dict(pairs)) for name, pairs in found)
        if name == "rest_server_requests_total"
    }
    assert counted == {("/v2/models/{name}/hello", "200"), ("unmatched", "404"), ("/v2", "200")}


def test_head_is_get_without_its_body(own: Server) -> None:
    request = b"HEAD /v2/models/left/hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    data = receive_all(send_raw(own.http_port, request))

    head, end, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"content-length: 7" in head.lower()
    assert (end, body) == (b"\r\n\r\n", b"")


def test_connections_stay_in_use_behind_every_kind_of_answer(own: Server) -> None:
    """Also where a body came that nobody reads."""
    with own.rest() as rest:
        for method, path, body, status in (
            ("GET", "/v2/models/left/hello", b"", 200),
            ("GET", "/v2/models/left/hello", b"x" * 100_000, 200),
            ("DELETE", "/v2/models/left/hello", b"x" * 100_000, 405),
            ("POST", "/nowhere", b"x" * 100_000, 404),
            ("POST", "/mine?value=a", b"", 200),
            ("POST", "/mine?value=a", b"x" * 100_000, 400),
            ("OPTIONS", "/mine", b"", 204),
        ):
            assert rest.request(method, path, body).status == status, path


def test_a_body_may_come_in_chunks(own: Server) -> None:
    head = b"POST /v2/models/left/mine HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = parse_answer(receive_all(send_raw(own.http_port, head + b'2\r\n"a\r\n2\r\nb"\r\n0\r\n\r\n')))

    assert answer.json() == ["unset", "ab"]


@pytest.mark.parametrize("route", ["wait", "wait-plain"])
def test_a_request_ends_on_the_version_that_it_began_with(route: str, serve: Serve, copied: Path, gate: Gate) -> None:
    server = serve(copied).wait_started()
    thread, answers = later(server, f"/v2/models/left/{route}/{gate.port}")
    visit = gate.wait()
    edit(copied, "second")
    assert server.post("/v2/repository/models/left/load").status == 200
    assert server.get("/v2/models/left/hello").json() == "second"
    # The old one waits for its last request.
    assert "unload" not in [line.rpartition(" - ")[2] for line in server.log.splitlines()]
    visit.release()
    thread.join()
    assert answers[0].json() == "first"
    server.wait_for_line("INFO - unload")


def test_an_unload_waits_for_the_running_handler(serve: Serve, gate: Gate) -> None:
    server = serve(OWN).wait_started()
    thread, answers = later(server, f"/wait/{gate.port}")
    visit = gate.wait()
    unloading, unloaded = later(server, "/v2/repository/models/left/unload")
    eventually(lambda: server.get("/wait/1").status == 404, lambda: server.log)
    assert not unloaded
    visit.release()
    for each in (thread, unloading):
        each.join()
    assert (answers[0].json(), unloaded[0].status) == ("first", 200)
    # What only the other model claims now is its own.
    assert server.get("/hello").json() == "right"


def test_a_client_that_leaves_cancels_its_handler(own: Server, gate: Gate) -> None:
    request = f"POST /wait/{gate.port} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode()
    connection = send_raw(own.http_port, request)
    visit = gate.wait()
    connection.close()
    visit.wait_closed()


def test_handlers_have_the_queue_and_the_time_limit_of_inference(serve: Serve, gate: Gate) -> None:
    server = serve(OWN, max_queue_size=0, request_timeout=0.5).wait_started()
    thread, answers = later(server, f"/wait-plain/{gate.port}")
    visit = gate.wait()
    refused = server.get("/v2/models/left/hello")
    assert (refused.status, refused.error()) == (503, "Exceeds maximum queue size: 0 requests are waiting")
    thread.join()
    assert answers[0].status == 504
    visit.release()


def test_a_model_whose_handler_cannot_be_served_does_not_load(serve: Serve, copied: Path) -> None:
    server = serve(copied).wait_started()
    path = copied / "right" / "models.py"
    path.write_text(path.read_text("utf-8").replace("def hello(self)", "def hello(self, x: Right)"), encoding="utf-8")

    answer = server.post("/v2/repository/models/right/load")

    assert answer.status == 400
    assert "Right.hello(): argument 'x': expected a hint that JSON can be read into" in answer.error()
    assert server.get("/v2/models/right/hello").json() == "right"


def test_many_requests_at_once_get_their_own_answers(own: Server) -> None:
    wrong: list[object] = []

    def send(number: int) -> None:
        with own.rest() as rest:
            for index in range(20):
                value = f"{number}-{index}"
                answer = rest.request("POST", "/v2/models/left/mine", value)
                if answer.json() != ["unset", value]:
                    wrong.append(answer)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# ---- Context variables


def outputs(answer: Answer) -> list[str]:
    content: Any = answer.json()
    data: list[str] = content["outputs"][0]["data"]
    return data


def test_variables_are_those_of_one_request(own: Server) -> None:
    """Tasks and threads of the request see them, and the next request does not, on the same connection either."""
    with own.rest() as rest:
        for value in "ab":
            answer = rest.request("POST", "/v2/models/left/infer", text(value))
            assert outputs(answer) == ["unset", value, value, value, "left:"]
            answer = rest.request("POST", "/v2/models/plain/infer", text(value))
            assert outputs(answer) == ["unset", value]


def test_variables_are_those_of_one_request_over_grpc_too(own: Server) -> None:
    with Grpc(own) as grpc:
        for value in (b"a", b"b"):
            answer = grpc.infer(grpc_request("left", {"x:BYTES": np.array([value], object)}))
            assert grpc_outputs(answer)["y"].tolist() == [b"unset", value, value, value, b"left:"]


@pytest.mark.parametrize("model", ["left", "plain"])
def test_variables_of_a_stream_are_there_for_all_its_items(own: Server, model: str) -> None:
    with own.rest() as rest:
        for value in "ab":
            answer = rest.request("POST", f"/v2/models/{model}/infer_stream", text(value))
            events = [json.loads(line[6:]) for line in answer.body.decode().splitlines() if line]
            assert [event["outputs"][0]["data"] for event in events] == [["unset", value, model]] * 3


# ---- Logs


def test_lines_carry_the_model_wherever_its_code_runs(serve: Serve) -> None:
    server = serve(OWN).wait_started()
    server.post("/v2/models/left/infer", text("a"))
    server.get("/v2/models/left/hello")
    server.post("/v2/repository/models/left/unload")
    found = dict(re.findall(r"\[([\w.]+)\]\[left\] \w+ - (load|in a thread|in a task|hello|unload)\b", server.log))
    lines = re.findall(r"\[([\w.]+)\]\[left\] \w+ - (load|in a thread|in a task|hello|unload)\b", server.log)

    assert [line for _, line in lines] == ["load", "in a thread", "in a task", "hello", "unload"]
    assert found["srv.model"] == "unload"
    assert any(name.startswith("srv_models.left") for name, _ in lines)


def test_structured_lines_are_json_whatever_the_message_holds(serve: Serve) -> None:
    server = serve(OWN, use_structured_logging="true").wait_started()
    lines = [json.loads(line) for line in server.log.splitlines() if line.startswith("{")]

    (line,) = [line for line in lines if line["message"].startswith("load {")]
    assert line["message"] == 'load {"quoted"}'
    assert (line["logger"], line["model"], line["level"]) == ("srv.model", "left", "INFO")


# ---- Metrics


@pytest.mark.parametrize("workers", [0, 1])
def test_a_models_metrics_carry_its_name_and_go_with_it(serve: Serve, workers: int) -> None:
    server = serve(OWN, parallel_workers=workers).wait_started()
    labels = {"model_name": "left", "model_version": ""}

    def value(name: str, **more: str) -> float | None:
        return samples(server).get((name, frozenset({**labels, **more}.items())))

    server.post("/v2/models/left/infer", text("a"))
    server.get("/v2/models/left/hello")
    assert value("left_seen_total", by="predict") == 1
    assert value("left_seen_total", by="handler") == 1
    assert value("left_loads_sum") == 1
    assert server.post("/v2/repository/models/left/load").status == 200
    assert value("left_seen_total", by="predict") == 1
    assert value("left_loads_sum") == 2
    server.post("/v2/repository/models/left/unload")
    eventually(lambda: value("left_loads_sum") is None, lambda: server.log)
    assert not any(name.startswith("left_") for name, _ in samples(server))


def test_a_cancelled_request_is_a_failure(serve: Serve, gate: Gate) -> None:
    server = serve(MODELS / "shared").wait_started()
    body = json.dumps(text(str(gate.port))).encode()
    head = f"POST /v2/models/gate/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    connection = send_raw(server.http_port, head + body)
    visit = gate.wait()
    connection.close()
    visit.wait_closed()
    key = "model_infer_request_failure_total", frozenset({"model": "gate", "version": ""}.items())

    eventually(lambda: samples(server).get(key) == 1, lambda: samples(server))

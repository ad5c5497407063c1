"""Free-form JSON of language models, one answer or a stream of them."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from serving import MODELS, send_raw
from tensors import json_body

if TYPE_CHECKING:
    from serving import Answer, Gate, Serve, Server

ONCE = "/v2/models/mock_llm/generate"
STREAM = "/v2/models/mock_llm/generate_stream"
BOTH = pytest.mark.parametrize("path", [ONCE, STREAM])


def events(answer: Answer) -> list[Any]:
    """Return the data of server-sent events."""
    assert (answer.status, answer.type) == (200, "text/event-stream; charset=utf-8")
    assert answer.headers.get("content-encoding") is None
    blocks = answer.body.split(b"\n\n")
    assert blocks.pop() == b""
    assert all(block.startswith(b"data: ") for block in blocks)
    return [json.loads(block.removeprefix(b"data: ")) for block in blocks]


def test_a_model_under_decode_args_takes_its_arguments_as_members(server: Server) -> None:
    """Those of predict are its inputs, whatever else there is its parameters."""
    body = {"text_input": "ho", "id": "7", "parameters": {"times": 3, "temperature": 0.5}, "stream": False}
    answer = server.post("/v2/models/llm/generate", body)
    assert (answer.status, answer.type) == (200, "application/json")
    assert answer.json() == {
        "model_name": "llm",
        "model_version": "",
        "id": "7",
        "text_output": "ho ho ho",
        "parameters_seen": ["temperature=0.5", "stream=False"],
    }


def test_a_model_that_streams_too_sends_words(server: Server) -> None:
    """Each with its parameters; the headers are those of the first."""
    answer = server.post("/v2/models/llm/generate_stream", {"text_input": "rain on the island"})
    assert [(event["text_output"], event["index"]) for event in events(answer)] == [
        ("rain", 0),
        ("on", 1),
        ("the", 2),
        ("island", 3),
    ]
    assert answer.headers["x-tokens"] == "all"


def test_headers_of_the_runtime_are_sent(server: Server) -> None:
    """As for any other inference."""
    body = {"inputs": [{"name": "x", "datatype": "INT32", "shape": [1], "data": [1]}]}
    answer = server.post("/v2/models/headers/generate", body, {"X-Echo": "said"})
    plain = server.post("/v2/models/headers/infer", body, {"X-Echo": "said"})
    assert answer.body == plain.body
    own = {name: value for name, value in plain.headers.items() if name.startswith("x-")}
    assert own
    assert own.items() <= dict(answer.headers.items()).items()


def test_versions_are_served(server: Server) -> None:
    """A path without one has the highest."""
    body = json_body({"x:INT32": np.zeros(1, np.int32)})
    for path, version in (("versions/2/generate", "2"), ("generate", "10")):
        found: Any = server.post(f"/v2/models/versions/{path}", body).json()
        assert found["model_version"] == version


def test_a_batched_model_gets_one_row(server: Server) -> None:
    """The first dimension is that of the batch."""
    answer: Any = server.post("/v2/models/batched/generate", {"x": list(range(16))}).json()
    assert answer["x"] == list(range(16))
    error = server.post("/v2/models/batched/generate", {"x": list(range(32))}).error()
    assert "The schema can not convert input 'x' to tensor with proper shape: expected [-1, 16], got 32" in error


def test_a_v2_request_is_answered_in_v2(server: Server) -> None:
    """MLServer's form: both routes say what ``infer`` and ``infer_stream`` say."""
    body = json_body({"x:INT32": np.arange(3, dtype=np.int32)}, id="7")
    once = server.post("/v2/models/identity/generate", body)
    assert once.body == server.post("/v2/models/identity/infer", body).body
    streamed = server.post("/v2/models/identity/generate_stream", body)
    assert streamed.body == server.post("/v2/models/identity/infer_stream", body).body
    assert events(streamed) == [once.json()]


def test_a_v2_request_with_nan_is_understood(server: Server) -> None:
    """As by infer; the answer cannot carry it."""
    body = b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [NaN]}]}'
    assert "nan has no JSON form" in server.post("/v2/models/identity/generate", body).error()


def test_nan_is_null_where_the_settings_say_so(serve: Serve) -> None:
    """In free-form answers as in others."""
    server = serve(MODELS / "shared", json_nonfinite="null").wait_started()
    body = b'{"a": [NaN, 1], "b": [0, 1]}'
    answer: Any = server.post("/v2/models/declared/generate", body).json()
    assert answer["sum"] == [None, 2.0]


@BOTH
def test_a_compressed_request_is_refused(server: Server, path: str) -> None:
    """As by Triton; and no answer is ever compressed."""
    body = json.dumps({"PROMPT": "a", "STREAM": False}).encode()
    answer = server.post(path, gzip.compress(body), {"Content-Encoding": "gzip"})
    assert answer.error() == "Unsupported content-encoding, only 'identity' is supported."
    assert answer.status == 400
    answer = server.post(path, body, {"Content-Encoding": "identity", "Accept-Encoding": "gzip, deflate"})
    assert (answer.status, answer.headers.get("content-encoding")) == (200, None)


@BOTH
@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "the request body is empty"),
        (b"[]", "expected an object, got an array"),
        (b"{", "no valid JSON"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "no valid JSON"),
        (b'{"PROMPT": "a", "STREAM": true, "STREAM": true}', "input 'STREAM' already exists in request"),
        (b'{"inputs": []}', "expected 2 inputs but got 0 inputs for model 'mock_llm'"),
        (b'{"inputs": [5]}', "inputs[0]: expected `object`, got `int`"),
    ],
)
def test_a_body_that_is_no_request_is_refused(server: Server, path: str, body: bytes, text: str) -> None:
    """With 400, before the model sees anything."""
    answer = server.post(path, body)
    assert (answer.status, text in answer.error()) == (400, True), answer.body


@pytest.mark.parametrize("path", ["/v2/models/nobody/generate", "/v2/models/versions/versions/9/generate_stream"])
def test_an_unknown_model_is_not_found(server: Server, path: str) -> None:
    """With free-form JSON and with V2."""
    bodies: list[dict[str, object]] = [{"text_input": "a"}, {"inputs": []}]
    for body in bodies:
        answer = server.post(path, body)
        assert (answer.status, "is not found" in answer.error()) == (404, True)


def test_a_model_that_says_nothing_of_its_inputs_takes_v2_only(server: Server) -> None:
    """Nobody could say what is an input and what a parameter."""
    answer = server.post("/v2/models/identity/generate", {"x": 1})
    assert answer.status == 400
    assert "model 'identity' declares no inputs" in answer.error()


def test_an_error_after_the_first_event_is_the_last_event(server: Server) -> None:
    """The status has gone out by then; one before it has a status."""
    body = {"PROMPT": "a", "STREAM": True, "FAIL_LAST": True, "REPETITION": 2}
    found = events(server.post(STREAM, body))
    assert [event.get("TEXT") for event in found] == ["a", "a", None]
    assert found[2] == {"error": "An Error Occurred"}
    answer = server.post(STREAM, {**body, "REPETITION": 0})
    assert (answer.status, answer.error()) == (500, "An Error Occurred")


def test_a_client_that_leaves_closes_the_generator(server: Server, gate: Gate) -> None:
    """Although it would go on for a million responses."""
    body = json.dumps({"PROMPT": "a", "STREAM": True, "REPETITION": 1_000_000, "port": gate.port})
    head = f"POST {STREAM} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    connection = send_raw(server.http_port, (head + body).encode())
    visit = gate.wait()
    assert connection.recv(12) == b"HTTP/1.1 200"
    connection.close()
    visit.wait_closed()


def test_one_answer_too_many_closes_the_generator(server: Server, gate: Gate) -> None:
    """Nobody reads the rest of a million responses."""
    body = {"PROMPT": "a", "STREAM": True, "REPETITION": 1_000_000, "port": gate.port}
    answer = server.post(ONCE, body)
    assert (answer.status, "exactly 1 response" in answer.error()) == (500, True)
    gate.wait().wait_closed()

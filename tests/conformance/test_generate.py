"""Triton's generate extension, as clients of its documentation and of its own tests use it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving import Server

BOTH = pytest.mark.parametrize("route", ["generate", "generate_stream"])


class Client:
    """Posts with ``httpx``."""

    def __init__(self, server: Server) -> None:
        self._address = f"http://{server.http_address}/v2/models/mock_llm"
        self._session = httpx.Client(timeout=60)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def post(self, route: str, body: dict[str, Any] | str) -> httpx.Response:
        """Return the response to a body: JSON text, or what becomes it."""
        text = body if isinstance(body, str) else json.dumps(body)
        return self._session.post(f"{self._address}/{route}", content=text, headers={"Accept": "text/event-stream"})

    def fails(self, route: str, body: dict[str, Any] | str, text: str, status: int = 400) -> None:
        """Check that a body is an error of this text."""
        response = self.post(route, body)
        assert response.headers["Content-Type"] == "application/json"
        assert text in response.json()["error"]
        assert response.status_code == status

    def stream(self, body: dict[str, Any]) -> list[Any]:
        """Return the events of a stream."""
        response = self.post("generate_stream", body)
        response.raise_for_status()
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        lines = [line for line in response.iter_lines() if line]
        assert all(line.startswith("data: ") for line in lines)
        return [json.loads(line[6:]) for line in lines]


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    """Return a client."""
    made = Client(server)
    yield made
    made.close()


def test_an_answer_has_the_outputs_by_name(client: Client) -> None:
    """One element is a bare value."""
    response = client.post("generate", {"PROMPT": "hello world", "STREAM": False})
    assert response.headers["Content-Type"] == "application/json"
    assert response.json() == {"model_name": "mock_llm", "model_version": "", "TEXT": "hello world"}


def test_a_stream_has_an_event_for_each_response(client: Client) -> None:
    """Parameters stand at the top or among the parameters, and the end has no event."""
    expected = [{"model_name": "mock_llm", "model_version": "", "TEXT": "hello world"}] * 3
    inputs = {"PROMPT": ["hello world"], "STREAM": True}
    assert client.stream({**inputs, "REPETITION": 3}) == expected
    assert client.stream({**inputs, "parameters": {"REPETITION": 3}}) == expected
    assert client.stream({"parameters": {**inputs, "REPETITION": 3}}) == expected


def test_the_id_comes_back(client: Client) -> None:
    """In each event too."""
    inputs = {"PROMPT": "a", "STREAM": True, "id": "7"}
    assert client.post("generate", inputs).json()["id"] == "7"
    assert [event["id"] for event in client.stream({**inputs, "REPETITION": 2})] == ["7", "7"]


def test_one_response_is_one_however_the_stream_ends(client: Client) -> None:
    """With the response itself, or with a mark behind it."""
    for stream in (True, False):
        assert client.post("generate", {"PROMPT": "a", "STREAM": stream}).json()["TEXT"] == "a"
        assert [event["TEXT"] for event in client.stream({"PROMPT": "a", "STREAM": stream})] == ["a"]


@pytest.mark.parametrize("count", [0, 2])
def test_generate_needs_exactly_one_response(client: Client, count: int) -> None:
    """The text is that of Triton; a stream takes any number."""
    inputs = {"PROMPT": "a", "STREAM": True, "REPETITION": count}
    client.fails("generate", inputs, "generate expects model to produce exactly 1 response", 500)
    assert len(client.stream(inputs)) == count


@BOTH
@pytest.mark.parametrize(
    ("body", "count"),
    [({}, 0), ({"abc": 123}, 0), ({"PROMPT": "hello"}, 1), ({"STREAM": False, "other": "param"}, 1)],
)
def test_missing_inputs_are_an_error(client: Client, route: str, body: dict[str, Any], count: int) -> None:
    """Whatever parameters there are."""
    client.fails(route, body, f"expected 2 inputs but got {count}")


@BOTH
@pytest.mark.parametrize(
    ("body", "name"),
    [
        ('{"PROMPT": "hello", "STREAM": false, "PROMPT": "duplicate"}', "PROMPT"),
        ('{"PROMPT": "hello", "STREAM": false, "STREAM": false}', "STREAM"),
        ('{"PROMPT": "hello", "STREAM": false, "PROMPT": "duplicate", "STREAM": true}', "PROMPT"),
        ('{"PROMPT": "hello", "STREAM": false, "STREAM": true, "PROMPT": "duplicate"}', "STREAM"),
        ('{"PROMPT": "hello", "STREAM": false, "parameters": {"PROMPT": "duplicate"}}', "PROMPT"),
    ],
)
def test_duplicate_inputs_are_an_error(client: Client, route: str, body: str, name: str) -> None:
    """The first of them is named."""
    client.fails(route, body, f"input '{name}' already exists in request")


@BOTH
@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"PROMPT": 123, "STREAM": False}, "'PROMPT': attempt to access JSON non-string as string"),
        ({"PROMPT": "hello", "STREAM": "false"}, "'STREAM': attempt to access JSON non-boolean as boolean"),
        ({"PROMPT": True, "STREAM": 123}, "'PROMPT': attempt to access JSON non-string as string"),
        ({"STREAM": 123, "PROMPT": True}, "'STREAM': attempt to access JSON non-boolean as boolean"),
        ({"PROMPT": {"USER": "hello"}, "STREAM": True}, "'PROMPT': attempt to access JSON non-string as string"),
        ({"PROMPT": ["a", "b"], "STREAM": True}, "The schema can not convert input 'PROMPT' to tensor with"),
        ({"PROMPT": "a", "STREAM": True, "PARAMS": {"PARAM_0": 0}}, "parameter 'PARAMS' has invalid type"),
        ({"PROMPT": "a", "STREAM": True, "PARAMS": [1]}, "parameter 'PARAMS' has invalid type"),
        ({"PROMPT": "a", "STREAM": True, "parameters": 1}, "Expected JSON object for keyword: 'parameters'"),
        ({"PROMPT": "a", "STREAM": True, "parameters": {"nested": {}}}, "parameter 'nested' has invalid type"),
    ],
)  # fmt: skip
def test_values_of_another_type_are_an_error(client: Client, route: str, body: dict[str, Any], text: str) -> None:
    """In the order of the text; nothing is converted."""
    client.fails(route, body, text)


@BOTH
def test_an_error_before_the_first_response_has_its_status(client: Client, route: str) -> None:
    """It is JSON, not an event."""
    client.fails(route, {"PROMPT": "a", "STREAM": True, "REPETITION": 0, "FAIL_LAST": True}, "An Error Occurred", 500)


def test_a_later_error_is_an_event(client: Client) -> None:
    """Under the status of the first response."""
    found = client.stream({"PROMPT": "a", "STREAM": True, "REPETITION": 1, "FAIL_LAST": True})
    assert [event.get("TEXT") for event in found] == ["a", None]
    assert found[1] == {"error": "An Error Occurred"}


def test_the_server_lives_on_when_a_client_leaves(server: Server) -> None:
    """In the middle of a stream."""
    body: dict[str, Any] = {"PROMPT": "a", "STREAM": True, "REPETITION": 1_000_000}
    address = f"http://{server.http_address}"
    with httpx.stream("POST", f"{address}/v2/models/mock_llm/generate_stream", json=body, timeout=60) as response:
        assert next(response.iter_lines()).startswith("data: ")
    assert httpx.get(f"{address}/v2/health/live", timeout=60).status_code == 200

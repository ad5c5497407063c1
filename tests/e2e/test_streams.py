"""Streams of responses: ModelStreamInfer over gRPC, server-sent events over REST."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
from grpc_client import Grpc
from serving import send_raw
from tensors import grpc_outputs, grpc_request, json_body, pb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving import Gate, Server


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Grpc]:
    """Return a client."""
    with Grpc(server) as made:
        yield made


def int32(**values: int) -> dict[str, Any]:
    """Return inputs of one number each."""
    return {f"{name}:INT32": np.array([value], np.int32) for name, value in values.items()}


def events(body: bytes) -> list[Any]:
    """Return the data of server-sent events."""
    blocks = body.split(b"\n\n")
    assert blocks.pop() == b""
    assert all(block.startswith(b"data: ") for block in blocks)
    return [json.loads(block.removeprefix(b"data: ")) for block in blocks]


def test_grpc_gives_all_that_predict_stream_yields(client: Grpc) -> None:
    """One message for each, raw, with the request's id."""
    responses = list(client.stream([grpc_request("stream", int32(count=5), id="s")]))
    assert [response.error_message for response in responses] == [""] * 5
    assert [grpc_outputs(response.infer_response)["number"].tolist() for response in responses] == [
        [number] for number in range(5)
    ]
    assert {response.infer_response.id for response in responses} == {"s"}
    assert {response.infer_response.model_name for response in responses} == {"stream"}


def test_grpc_gives_the_one_response_of_predict(client: Grpc) -> None:
    """A model without predict_stream streams one response for each request, in the requests' order."""
    requests = [grpc_request("identity", int32(x=number), id=str(number)) for number in range(20)]
    responses = list(client.stream(requests))
    assert [response.infer_response.id for response in responses] == [str(number) for number in range(20)]
    assert [grpc_outputs(response.infer_response)["x"][0] for response in responses] == list(range(20))


def test_a_grpc_stream_without_requests_ends_well(client: Grpc) -> None:
    """With no response."""
    assert list(client.stream([])) == []


def test_errors_in_a_grpc_stream_are_messages(client: Grpc) -> None:
    """They carry the request's id, and the stream goes on: with a bad request, and with an error of the runtime."""
    bad = grpc_request("identity", int32(x=1), id="bad")
    bad.raw_input_contents[0] = b"123"
    requests = [
        grpc_request("stream", int32(count=-2), id="half"),
        bad,
        grpc_request("nobody", int32(x=1), id="none"),
        grpc_request("identity", int32(x=7), id="good"),
    ]
    responses = list(client.stream(requests))
    # Requests run side by side: the order is that of the responses to each.
    errors: dict[str, list[str]] = {}
    for response in responses:
        errors.setdefault(response.infer_response.id, []).append(response.error_message)
    assert errors.keys() == {"half", "bad", "none", "good"}
    assert errors["half"][:2] == ["", ""]
    (half,) = errors["half"][2:]
    assert "the end is at 2" in half
    (wrong,) = errors["bad"]
    assert "Expected 4, got 3 bytes" in wrong
    (unknown,) = errors["none"]
    assert "unknown model: 'nobody'" in unknown
    assert errors["good"] == [""]


def test_a_runtime_that_yields_none_is_at_fault(client: Grpc, server: Server) -> None:
    """The client is told: a stream that just ended would look whole."""
    inputs = int32(count=1, mistake=1)
    message = "model 'stream' returned no inference response, but NoneType: None"
    first, second = client.stream([grpc_request("stream", inputs)])
    assert (first.error_message, second.error_message) == ("", message)
    _, event = events(server.post("/v2/models/stream/infer_stream", json_body(inputs)).body)
    assert event == {"error": message}


def test_a_malformed_message_in_a_grpc_stream_ends_it(client: Grpc) -> None:
    """Nobody can say which request it was."""
    call: Any = client.channel.stream_stream("/inference.GRPCInferenceService/ModelStreamInfer")
    with pytest.raises(grpc.RpcError) as caught:
        list(call(iter([b"\xff"]), timeout=60))
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_what_is_owed_comes_before_the_end_of_a_grpc_stream(client: Grpc, gate: Gate) -> None:
    """By a message that nobody can read, and by an error where the client wants it as the status of the call."""
    call: Any = client.channel.stream_stream(
        "/inference.GRPCInferenceService/ModelStreamInfer",
        response_deserializer=pb.ModelStreamInferResponse.FromString,
    )
    slow = grpc_request("gate", int32(port=gate.port), id="slow").SerializeToString()
    wrong = grpc_request("nobody", int32(x=1)).SerializeToString()
    for last, metadata, code in (
        (b"\xff", (), grpc.StatusCode.INVALID_ARGUMENT),
        (wrong, (("triton_grpc_error", "true"),), grpc.StatusCode.NOT_FOUND),
    ):
        responses = call(iter([slow, last]), timeout=60, metadata=metadata)
        gate.wait().release()
        assert next(responses).infer_response.id == "slow"
        with pytest.raises(grpc.RpcError) as caught:
            next(responses)
        error: Any = caught.value
        assert error.code() is code


def test_a_cancelled_grpc_stream_closes_the_generator(client: Grpc, gate: Gate) -> None:
    """Although it would go on for a million responses."""
    call = client.stream([grpc_request("stream", int32(count=1_000_000, port=gate.port))])
    assert next(call).error_message == ""
    visit = gate.wait()
    call.cancel()
    visit.wait_closed()


def test_a_closed_channel_closes_the_generator(server: Server, gate: Gate) -> None:
    """The connection's end is the end of its streams."""
    with Grpc(server) as client:
        call = client.stream([grpc_request("stream", int32(count=1_000_000, port=gate.port))])
        next(call)
        visit = gate.wait()
    visit.wait_closed()


def test_a_cancelled_grpc_stream_closes_a_plain_generator(client: Grpc, gate: Gate) -> None:
    """It runs on the model's thread, which is free afterwards."""
    call = client.stream([grpc_request("stream_plain", int32(port=gate.port))])
    next(call)
    visit = gate.wait()
    call.cancel()
    visit.wait_closed()
    assert grpc_outputs(client.infer(grpc_request("stream_plain", int32(port=3))))["number"].tolist() == [3]


def test_rest_gives_all_that_predict_stream_yields(server: Server) -> None:
    """As server-sent events; each is a whole response."""
    answer = server.post("/v2/models/stream/infer_stream", json_body(int32(count=3), id="s"))
    assert (answer.status, answer.type) == (200, "text/event-stream; charset=utf-8")
    found = events(answer.body)
    assert [event["outputs"][0]["data"] for event in found] == [[0], [1], [2]]
    assert {(event["id"], event["model_name"]) for event in found} == {("s", "stream")}


def test_rest_gives_the_one_response_of_predict(server: Server) -> None:
    """For a model without predict_stream."""
    (event,) = events(server.post("/v2/models/identity/infer_stream", json_body(int32(x=7))).body)
    assert event["outputs"] == [{"name": "x", "datatype": "INT32", "shape": [1], "data": [7]}]


def test_rest_gives_no_event_for_no_response(server: Server) -> None:
    """The stream is there, and empty."""
    answer = server.post("/v2/models/stream/infer_stream", json_body(int32(count=0)))
    assert (answer.status, answer.body) == (200, b"")


def test_an_error_before_the_first_event_has_a_status(server: Server) -> None:
    """Like that of any other request."""
    answer = server.post("/v2/models/nobody/infer_stream", json_body(int32(x=1)))
    assert (answer.status, "unknown model" in answer.error()) == (404, True)
    answer = server.post("/v2/models/stream/infer_stream", b"{")
    assert (answer.status, "no valid JSON" in answer.error()) == (400, True)


def test_an_error_after_the_first_event_is_the_last_event(server: Server) -> None:
    """The status has gone out by then."""
    answer = server.post("/v2/models/stream/infer_stream", json_body(int32(count=-2)))
    found = events(answer.body)
    assert [event.get("outputs", [{}])[0].get("data") for event in found[:2]] == [[0], [1]]
    assert found[2] == {"error": "the end is at 2"}


@pytest.mark.parametrize(("model", "inputs"), [("stream", {"count": 1_000_000}), ("stream_plain", {})])
def test_a_client_that_leaves_closes_the_generator(
    server: Server, gate: Gate, model: str, inputs: dict[str, int]
) -> None:
    """Although writing into a closed connection is no error to the HTTP library."""
    body = json_body(int32(port=gate.port, **inputs))
    head = f"POST /v2/models/{model}/infer_stream HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    connection = send_raw(server.http_port, head.encode() + body)
    visit = gate.wait()
    assert connection.recv(12) == b"HTTP/1.1 200"
    connection.close()
    visit.wait_closed()


def test_a_client_that_reads_nothing_does_not_fill_the_server(server: Server, gate: Gate) -> None:
    """The generator waits when the client does; the server answers others."""
    body = json_body(int32(port=gate.port, count=1_000_000))
    head = f"POST /v2/models/stream/infer_stream HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    before = server.status("VmRSS")
    connection = send_raw(server.http_port, head.encode() + body)
    visit = gate.wait()
    for _ in range(200):
        assert server.get("/v2/health/live").status == 200
    assert server.status("VmRSS") - before < 64 << 10
    connection.close()
    visit.wait_closed()

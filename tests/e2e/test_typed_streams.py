"""``predict_stream`` under decode_args, over both protocols."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from grpc_client import Grpc
from serving import send_raw
from tensors import grpc_outputs, grpc_request, json_body

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from serving import Gate, Serve, Server

MODELS = """
import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from srv import MLModel, Output, decode_args


class Async(MLModel):
    @decode_args
    def predict(self, times: int) -> int:
        return times

    @decode_args
    async def predict_stream(self, word: str, count: int = 3, port: int | None = None) -> AsyncIterator[
        Annotated[str, Output("letter")]
    ]:
        writer = None
        try:
            if port is not None:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            for letter in word * count:
                yield 5 if letter == "!" else letter
                await asyncio.sleep(0)
        finally:
            if writer is not None:
                writer.close()


class Plain(MLModel):
    @decode_args
    def predict_stream(self, word: str, count: int = 3, port: int | None = None) -> Iterator[
        Annotated[str, Output("letter")]
    ]:
        connection = None if port is None else socket.create_connection(("127.0.0.1", port))
        try:
            for letter in word * count:
                yield 5 if letter == "!" else letter
        finally:
            if connection is not None:
                connection.close()
"""

KINDS = ("async", "plain")


@pytest.fixture(scope="module")
def streams(serve_module: Serve, tmp_path_factory: pytest.TempPathFactory) -> Server:
    folder: Path = tmp_path_factory.mktemp("streams")
    (folder / "models.py").write_text(MODELS, encoding="utf-8")
    for name in KINDS:
        (folder / name).mkdir()
        settings = {"name": name, "implementation": f"models.{name.title()}"}
        (folder / name / "model-settings.json").write_text(json.dumps(settings), encoding="utf-8")
    return serve_module(folder).wait_started()


@pytest.fixture(scope="module")
def client(streams: Server) -> Iterator[Grpc]:
    with Grpc(streams) as made:
        yield made


def inputs(word: bytes, **numbers: int) -> dict[str, Any]:
    text = np.empty(1, object)
    text[0] = word
    return {"word:BYTES": text, **{f"{name}:INT64": np.array([number]) for name, number in numbers.items()}}


def letters(responses: list[Any]) -> list[str]:
    return [grpc_outputs(each.infer_response)["letter"][0].decode() for each in responses]


@pytest.mark.parametrize("model", KINDS)
def test_each_item_is_a_response_to_its_request(client: Grpc, streams: Server, model: str) -> None:
    """Over gRPC, several requests in one stream; over REST, as events; what has a default may miss."""
    assert letters(list(client.stream([grpc_request(model, inputs(b"ab", count=2))]))) == list("abab")
    assert sorted(letters(list(client.stream([grpc_request(model, inputs(each)) for each in (b"a", b"b")])))) == [
        *"aaa",
        *"bbb",
    ]
    answer = streams.post(f"/v2/models/{model}/infer_stream", json_body(inputs(b"xy", count=1)))
    events = [json.loads(each.removeprefix(b"data: ")) for each in answer.body.split(b"\n\n")[:-1]]
    assert [each["outputs"][0]["data"] for each in events] == [["x"], ["y"]]
    answer = streams.post(f"/v2/models/{model}/generate_stream", {"word": "xy", "count": 1})
    events = [json.loads(each.removeprefix(b"data: ")) for each in answer.body.split(b"\n\n")[:-1]]
    assert [each["letter"] for each in events] == ["x", "y"]


@pytest.mark.parametrize("model", KINDS)
@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"count:INT64": np.array([1])}, "missing required input(s) ['word']"),
        ({**inputs(b"a"), "extra:INT64": np.array([1])}, "unexpected inference input 'extra'"),
        ({**inputs(b"a"), "count:FP64": np.array([1.0])}, "input 'count' data-type is 'FP64', but"),
        (inputs(b"a") | {"count:INT64": np.array([1, 2])}, "input 'count': expected one element, got 2, of shape [2]"),
    ],
    ids=["missing", "unexpected", "datatype", "shape"],
)
def test_requests_are_checked_against_the_streams_own_signature(
    client: Grpc, streams: Server, model: str, arrays: dict[str, Any], text: str
) -> None:
    """Not that of ``predict``; before the first item the error has a status."""
    (response,) = client.stream([grpc_request(model, arrays)])
    assert text in response.error_message
    answer = streams.post(f"/v2/models/{model}/infer_stream", json_body(arrays))
    assert answer.status == 400
    assert text in answer.error()


@pytest.mark.parametrize("model", KINDS)
def test_an_item_that_does_not_fit_is_the_last_event(client: Grpc, streams: Server, model: str) -> None:
    text = "output 'letter': expected str, got int"
    first, second = client.stream([grpc_request(model, inputs(b"a!", count=1))])
    assert letters([first]) == ["a"]
    assert second.error_message == text
    answer = streams.post(f"/v2/models/{model}/infer_stream", json_body(inputs(b"a!", count=1)))
    assert json.loads(answer.body.split(b"\n\n")[1].removeprefix(b"data: ")) == {"error": text}


@pytest.mark.parametrize("model", KINDS)
@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_the_generator_is_closed_when_its_client_leaves(
    client: Grpc, streams: Server, gate: Gate, model: str, protocol: str
) -> None:
    arrays = inputs(b"abcdefgh", count=1_000_000, port=gate.port)
    if protocol == "grpc":
        call = client.stream([grpc_request(model, arrays)])
        next(iter(call))
        visit = gate.wait()
        call.cancel()
        visit.wait_closed()
        return
    body = json_body(arrays)
    head = f"POST /v2/models/{model}/infer_stream HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    connection = send_raw(streams.http_port, head.encode() + body)
    assert connection.recv(1)
    visit = gate.wait()
    connection.close()
    visit.wait_closed()


def test_a_class_may_have_both(client: Grpc, streams: Server) -> None:
    """Each method has its own signature; the metadata is that of ``predict``."""
    assert grpc_outputs(client.infer(grpc_request("async", {"times:INT8": np.array([3], np.int8)}))) == {"output-0": 3}
    answer = streams.get("/v2/models/async").json()
    assert isinstance(answer, dict)
    assert [each["name"] for each in answer["inputs"]] == ["times"]
    answer = streams.get("/v2/models/plain").json()
    assert isinstance(answer, dict)
    assert [each["name"] for each in answer["inputs"]] == ["word", "count", "port"]

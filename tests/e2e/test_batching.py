"""Requests of many clients, answered together."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from grpc_client import Grpc
from serving import PATIENCE, eventually, parse_answer
from tensors import binary_body, grpc_outputs, grpc_request, json_body, rest_outputs, same

if TYPE_CHECKING:
    from pathlib import Path

    from serving import Serve, Server

CODE = """
import asyncio
import time

import numpy as np
from srv import MLModel, decode_args

class Plain(MLModel):
    @decode_args
    def predict(self, x: np.ndarray, text: list[str]) -> tuple[np.ndarray, list[str]]:
        time.sleep(0.005)
        if (x < 0).any():
            raise ValueError(f"negative: {x.min()}")
        return x * 2, [each * 2 for each in text]

class Async(MLModel):
    @decode_args
    async def predict(self, x: np.ndarray, text: list[str]) -> tuple[np.ndarray, list[str]]:
        await asyncio.sleep(0.005)
        if (x < 0).any():
            raise ValueError(f"negative: {x.min()}")
        return x * 2, [each * 2 for each in text]
"""
MODELS = ("plain", "async")


@pytest.fixture
def server(serve: Serve, tmp_path: Path) -> Server:
    """Return a server of a model whose cost is per call, in both kinds."""
    for name in MODELS:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "models.py").write_text(CODE, encoding="utf-8")
        settings = {"implementation": f"models.{name.title()}", "max_batch_size": 64, "max_batch_time": 0.02}
        (folder / "model-settings.json").write_text(json.dumps(settings), encoding="utf-8")
    return serve(tmp_path).wait_started()


def arrays_of(number: int) -> dict[str, Any]:
    """Return the inputs of a client's request: one to three rows that nobody else has."""
    rows = number % 3 + 1
    x = np.arange(number, number + rows, dtype=np.float32).reshape(rows, 1)
    text = np.empty(rows, object)
    text[:] = [f"{number}.{row}".encode() for row in range(rows)]
    return {"x:FP32": x, "text:BYTES": text}


def check(number: int, outputs: dict[str, Any]) -> None:
    """Fail unless an answer is that to the client's own request."""
    asked = arrays_of(number)
    assert same(outputs["output-0"], asked["x:FP32"] * 2)
    assert outputs["output-1"].ravel().tolist() == [each * 2 for each in asked["text:BYTES"]]


def statistics(server: Server, model: str) -> Any:
    """Return what a model has counted."""
    (found,) = server.get(f"/v2/models/{model}/stats").json()["model_stats"]  # type: ignore[index]
    return found


@pytest.mark.parametrize("model", MODELS)
def test_clients_of_both_protocols_have_their_own_answers(server: Server, model: str) -> None:
    """In every form, with their ids; some of them send what fails."""
    clients, turns = 24, 6
    start = threading.Barrier(clients)

    def client(number: int) -> None:
        start.wait(PATIENCE)
        with server.rest() as rest, Grpc(server) as grpc:
            for turn in range(turns):
                mine = number * 100 + turn
                arrays = arrays_of(mine)
                if number % 8 == 7 and turn == 3:
                    arrays["x:FP32"] = -1 - arrays["x:FP32"]
                    answer = rest.request("POST", f"/v2/models/{model}/infer", json_body(arrays))
                    assert (answer.status, answer.error()) == (500, "internal server error")
                elif number % 4 == 0:
                    found = grpc.infer(grpc_request(model, arrays, id=f"{mine}"))
                    assert found.id == f"{mine}"
                    check(mine, grpc_outputs(found))
                else:
                    body, headers = binary_body(arrays, id=f"{mine}")
                    if number % 4 == 1:
                        body, headers = json_body(arrays, id=f"{mine}"), {"x-client": f"{number}"}
                    answer = rest.request("POST", f"/v2/models/{model}/infer", body, headers)
                    check(mine, rest_outputs(answer))
                    assert f'"id":"{mine}"'.encode() in answer.body

    server.faults_expected = True
    with ThreadPoolExecutor(clients) as pool:
        for each in [pool.submit(client, number) for number in range(clients)]:
            each.result()
    found = statistics(server, model)
    assert found["inference_stats"]["fail"]["count"] == 3
    assert found["inference_stats"]["success"]["count"] == clients * turns - 3
    assert found["execution_count"] < found["inference_count"] / 2
    sizes = {each["batch_size"]: each["compute_infer"]["count"] for each in found["batch_stats"]}
    assert max(sizes) > 3
    assert sum(sizes.values()) == found["execution_count"]


@pytest.mark.parametrize("model", MODELS)
def test_a_thousand_clients_some_of_whom_leave(server: Server, model: str) -> None:
    """Who stays has its own answer, in time or with the error of its deadline; nothing is left of anybody."""
    asyncio.run(_crowd(server, model, 1000))

    def at_rest() -> bool:
        stats = statistics(server, model)["inference_stats"]
        return int(stats["success"]["count"] + stats["fail"]["count"]) == 1000

    eventually(at_rest, lambda: statistics(server, model))
    assert server.post(f"/v2/models/{model}/infer", json_body(arrays_of(1))).status == 200
    assert server.post(f"/v2/repository/models/{model}/unload").status == 200
    eventually(lambda: server.open_files() < 100, server.open_files)


async def _crowd(server: Server, model: str, clients: int) -> None:
    async def client(number: int) -> None:
        parameters = {"timeout": 1} if number % 10 == 1 else {}
        body = json_body(arrays_of(number), id=f"{number}", parameters=parameters)
        head = f"POST /v2/models/{model}/infer HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: {len(body)}"
        reader, writer = await asyncio.open_connection("127.0.0.1", server.http_port)
        writer.write(f"{head}\r\n\r\n".encode() + body)
        await writer.drain()
        if number % 10 != 0:
            answer = parse_answer(await asyncio.wait_for(reader.read(), PATIENCE))
            if answer.status == 200:
                check(number, rest_outputs(answer))
            else:
                assert parameters
                assert answer.status in {503, 504}
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(client(number) for number in range(clients)))


@pytest.mark.parametrize("model", MODELS)
def test_a_model_that_is_loaded_anew_answers_all_that_came_before(server: Server, model: str) -> None:
    """Each request by one load or the other, and none is lost."""
    done = threading.Event()

    def client(number: int) -> int:
        answered = 0
        with server.rest() as rest:
            while not done.is_set():
                answer = rest.request("POST", f"/v2/models/{model}/infer", json_body(arrays_of(number)))
                check(number, rest_outputs(answer))
                answered += 1
        return answered

    with ThreadPoolExecutor(16) as pool:
        clients = [pool.submit(client, number) for number in range(16)]
        try:
            for _ in range(5):
                assert server.post(f"/v2/repository/models/{model}/load").status == 200
        finally:
            done.set()
        assert all(each.result() > 0 for each in clients)

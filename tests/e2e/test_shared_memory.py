"""Shared memory with clients that mean no good, or leave."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from memory_objects import memory_object, needs_folder
from serving import MODELS

if TYPE_CHECKING:
    from serving import Gate, Serve, Server

pytestmark = needs_folder

SYSTEM = "/v2/systemsharedmemory"
REGISTER = f"{SYSTEM}/region/r/register"


@pytest.fixture(scope="module")
def own(serve_module: Serve) -> Server:
    """Return a server on which clients may register memory."""
    return serve_module(MODELS / "shared", allow_client_shm="true").wait_started()


def inside(size: int, offset: int = 0) -> dict[str, Any]:
    """Return the parameters of a tensor in region ``r``."""
    return {"shared_memory_region": "r", "shared_memory_byte_size": size, "shared_memory_offset": offset}


def tensor(name: str, offset: int = 0) -> dict[str, Any]:
    """Return an INT32 input in region ``r``."""
    return {"name": name, "datatype": "INT32", "shape": [1], "parameters": inside(4, offset)}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "the request body is no valid JSON"),
        (b"[]", "the request body"),
        ({"byte_size": 1}, "`key`"),
        ({"key": "k"}, "`byte_size`"),
        ({"key": 7, "byte_size": 1}, "key"),
        ({"key": "k", "byte_size": -1}, "byte_size"),
        ({"key": "k", "byte_size": 1.5}, "byte_size"),
        ({"key": "k", "byte_size": "1"}, "byte_size"),
        ({"key": "k", "byte_size": 1, "offset": -1}, "offset"),
        ({"key": "/", "byte_size": 1}, "Unable to open shared memory region: 'r'"),
        ({"key": "/../etc/passwd", "byte_size": 1}, "Unable to open shared memory region: 'r'"),
        ({"key": "nobody-has-made-this", "byte_size": 2**64}, "Unable to open shared memory region: 'r'"),
    ],
)
def test_a_wrong_registration_is_400(own: Server, body: object, text: str) -> None:
    """It says what is wrong, and registers nothing."""
    answer = own.post(REGISTER, body)
    assert answer.status == 400
    assert text in answer.error()
    assert own.get(f"{SYSTEM}/status").json() == []


def test_the_clients_memory_outlives_the_server(serve: Serve) -> None:
    """The server never makes nor removes an object."""
    with memory_object(8) as memory:
        server = serve(MODELS / "shared", allow_client_shm="true").wait_started()
        assert server.post(REGISTER, {"key": memory.name, "byte_size": 8}).json() == {}
        assert server.get(f"{SYSTEM}/region/r/status").json() == [
            {"name": "r", "key": memory.name, "offset": 0, "byte_size": 8}
        ]
        server.close()
        assert memory.size == 8


def test_memory_that_the_client_has_shortened_is_an_error(own: Server) -> None:
    """As an input it is refused before the model runs, as an output behind it; the server goes on."""
    with memory_object(8) as memory:
        own.post(REGISTER, {"key": memory.name, "byte_size": 8})
        plain = {"name": "x", "datatype": "INT32", "shape": [1], "data": [7]}
        memory.resize(4)
        for body in (
            {"inputs": [tensor("x", 4)]},
            {"inputs": [plain], "outputs": [{"name": "x", "parameters": inside(4, 4)}]},
        ):
            answer = own.post("/v2/models/identity/infer", body)
            assert answer.status == 400
            assert "expected a memory object of 8 bytes or more, it has 4 by now" in answer.error()
        body = {"inputs": [plain], "outputs": [{"name": "x", "parameters": inside(4)}]}
        assert own.post("/v2/models/identity/infer", body).status == 200
        assert memory.content[:4] == np.int32(7).tobytes()
        assert own.post(f"{SYSTEM}/region/r/unregister").status == 200


def test_memory_that_is_shortened_while_the_model_runs_is_an_error(own: Server, gate: Gate) -> None:
    """The size is looked at again before the output is written."""
    with memory_object(4) as memory, ThreadPoolExecutor() as pool:
        own.post(REGISTER, {"key": memory.name, "byte_size": 4})
        port = {"name": "port", "datatype": "INT32", "shape": [1], "data": [gate.port]}
        body = {"inputs": [port], "outputs": [{"name": "port", "parameters": inside(4)}]}
        running = pool.submit(own.post, "/v2/models/gate/infer", body)
        visit = gate.wait()
        memory.resize(0)
        visit.release()
        answer = running.result()
        assert (answer.status, "it has 0 by now" in answer.error()) == (400, True)
        own.post(f"{SYSTEM}/unregister")


def test_events_leave_out_what_is_written_to_memory(own: Server) -> None:
    """Each response is written as it comes."""
    with memory_object(8) as memory:
        memory.content[:4] = np.int32(2).tobytes()
        own.post(REGISTER, {"key": memory.name, "byte_size": 8})
        body = {"inputs": [tensor("count")], "outputs": [{"name": "number", "parameters": inside(4, 4)}]}
        answer = own.post("/v2/models/stream/infer_stream", body)
        event = b'data: {"model_name":"stream","outputs":[{"name":"number","shape":[1],"datatype":"INT32"}]}\n\n'
        assert answer.body == event * 2
        assert memory.content[4:] == np.int32(1).tobytes()
        own.post(f"{SYSTEM}/unregister")

"""srv.client against a real server: threads and asyncio, REST and gRPC."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from certificates import Certificates
from client_kinds import KINDS
from serving import MODELS, PATIENCE
from strategies import same
from tensors import NOT_IN_JSON, SAMPLES, variants

from srv.client import AsyncClient, Client, ConnectError, ConnectionLost, Input, Retry, ServerError
from srv.errors import (
    DeadlineExceeded,
    InvalidInput,
    NotFound,
    OutputNotFound,
    QueueFull,
    RequestTooLarge,
    Unavailable,
    Unsupported,
)
from srv.types import RequestOutput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from serving import Gate, Serve, Server

WAYS = [(kind, scheme) for kind in KINDS for scheme in ("http", "grpc")]
ONCE = Retry(attempts=1)


def url(server: Server, scheme: str) -> str:
    return f"{scheme}://{server.http_address if scheme.startswith('http') else server.grpc_address}"


@pytest.fixture(scope="module", params=WAYS, ids="-".join)
def way(request: pytest.FixtureRequest) -> tuple[str, str]:
    found: tuple[str, str] = request.param
    return found


@pytest.fixture(scope="module")
def client(server: Server, way: tuple[str, str]) -> Iterator[Any]:
    kind, scheme = way
    with KINDS[kind](url(server, scheme), timeout=PATIENCE) as made:
        yield made


@pytest.fixture(scope="module", params=WAYS, ids="-".join)
def plain(server: Server, request: pytest.FixtureRequest) -> Iterator[Any]:
    kind, scheme = request.param
    with KINDS[kind](url(server, scheme), timeout=PATIENCE, binary=False) as made:
        yield made


@pytest.mark.parametrize("datatype", SAMPLES)
def test_tensors_of_every_datatype_there_and_back(client: Any, datatype: str) -> None:
    for array in variants(datatype).values():
        answer = client.infer("identity", {"x": array})

        assert same(answer["x"], array)
        assert answer.tensor("x").datatype == datatype


@pytest.mark.parametrize("datatype", [each for each in SAMPLES if each not in {*NOT_IN_JSON, "BYTES"}])
def test_tensors_without_binary_data(plain: Any, datatype: str) -> None:
    for array in variants(datatype).values():
        assert same(plain.infer("identity", {"x": array})["x"], array)


def test_text_without_binary_data(plain: Any) -> None:
    assert plain.infer("identity", {"x": ["a", "é€😀", "nul\0inside"]}).text("x") == ["a", "é€😀", "nul\0inside"]


def test_large_tensors(client: Any) -> None:
    """Of 64 MiB, beyond every window and buffer; and several, behind one another."""
    large = np.arange(1 << 24, dtype=np.uint32).reshape(1, -1)
    assert same(client.infer("identity", {"x": large})["x"], large)
    parts = {f"x{index}": np.full((1, 1 << 17), index, np.float64) for index in range(8)}
    answer = client.infer("identity", parts)
    assert list(answer) == list(parts)
    assert all(same(answer[name], array) for name, array in parts.items())


def test_what_is_received_is_read_only(client: Any) -> None:
    assert not client.infer("identity", {"x": np.ones(4)})["x"].flags.writeable


def test_arrays_of_any_layout(client: Any) -> None:
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    for each in (array.T, array[:, ::2], np.asfortranarray(array), array.astype(">i2")):
        assert np.array_equal(client.infer("identity", {"x": each})["x"], each)


def test_lists_numbers_and_text(client: Any) -> None:
    given = {"a": [[1, 2], [3, 4]], "b": [1.5, 2], "c": [True, False], "d": ["x", b"\xff"], "e": 3, "f": "one"}
    answer = client.infer("identity", given)

    assert {name: (answer.tensor(name).datatype, answer.tensor(name).shape) for name in answer} == {
        "a": ("INT64", [2, 2]),
        "b": ("FP64", [2]),
        "c": ("BOOL", [2]),
        "d": ("BYTES", [2]),
        "e": ("INT64", [1]),
        "f": ("BYTES", [1]),
    }
    assert answer.list("a") == [[1, 2], [3, 4]]
    assert answer.list("d") == [b"x", b"\xff"]
    assert answer.text("f") == ["one"]


def test_inputs_that_say_what_they_are(client: Any) -> None:
    answer = client.infer("identity", {"x": Input([1, 2, 3], "FP16", [3, 1]), "y": Input(np.ones(6), shape=[2, 3])})

    assert answer["x"].dtype == np.float16
    assert answer["x"].shape == (3, 1)
    assert answer["y"].shape == (2, 3)


def test_arrow_and_pandas(client: Any) -> None:
    numbers = pa.array([1, 2, 3], pa.int32())
    answer = client.infer("identity", {"x": numbers, "s": pd.Series([1.5, 2.5, 3.5])})
    assert answer.arrow("x") == numbers
    assert answer["s"].ravel().tolist() == [1.5, 2.5, 3.5]

    frame = pd.DataFrame({"a": [1, 2], "b": [0.5, 1.5]})
    pd.testing.assert_frame_equal(client.infer("identity", frame).pandas(), frame)
    table = pa.table({"a": pa.array([1, 2], pa.int8()), "b": pa.array([0.5, 1.5], pa.float32())})
    assert client.infer("identity", table).table() == table


def test_what_goes_with_a_request(client: Any) -> None:
    answer = client.infer(
        "report",
        {"x": Input([1], parameters={"content_type": "np"})},
        id="mine",
        parameters={"n": 1, "b": True, "s": "x", "f": 1.5},
        headers={"X-Mine": "yes"},
    )

    (report,) = answer.text("report")
    assert '"id": "mine"' in report
    assert '"x-mine": "yes"' in report
    assert '"n": 1' in report
    assert '"content_type": "np"' in report
    assert answer.id == "mine"
    assert answer.model_name == "report"


def test_what_comes_with_an_answer(client: Any) -> None:
    answer = client.infer("headers", {"x": [1]}, headers={"x-echo": "echo"})

    assert dict(answer.parameters) == {"echo": "echo", "flag": True, "number": 7}
    assert answer.headers["X-Echo"] == "echo"


def test_outputs_that_are_asked_for(client: Any) -> None:
    answer = client.infer("identity", {"x": [1.0, 3.0, 2.0], "y": [1], "z": [2]}, outputs=["z", "x"])
    assert set(answer) == {"x", "z"}
    assert "y" not in answer
    assert answer.get("y") is None
    with pytest.raises(OutputNotFound, match="output 'y': the model has answered"):
        answer["y"]
    best = client.infer("identity", {"x": [1.0, 3.0, 2.0]}, outputs=[RequestOutput("x", {"classification": 1})])
    assert best.text("x") == ["3.000000:1"]


def test_versions(client: Any) -> None:
    assert client.infer("versions", {"x": [1]}, version="2").model_version == "2"
    with pytest.raises(NotFound, match="version nope"):
        client.infer("versions", {"x": [1]}, version="nope")


def test_errors_have_the_servers_text_and_status(client: Any) -> None:
    with pytest.raises(NotFound, match="Request for unknown model: 'no such' is not found") as found:
        client.infer("no such", {"x": [1]})
    assert found.value.status_code == 404
    with pytest.raises(InvalidInput, match="unexpected inference output 'y'") as found_other:
        client.infer("identity", {"x": [1]}, outputs=["y"])
    assert found_other.value.status_code == 400
    with pytest.raises(Unsupported, match="decoupled"):
        client.infer("stream", {"count": [1]})


def test_streams(client: Any) -> None:
    answers = list(client.infer_stream("stream", {"count": [5]}, id="s"))
    assert [answer["number"].tolist() for answer in answers] == [[each] for each in range(5)]
    assert {answer.id for answer in answers} == {"s"}
    assert [answer["x"].tolist() for answer in client.infer_stream("identity", {"x": [7]})] == [[7]]


def test_a_stream_that_ends_in_an_error(client: Any) -> None:
    answers = client.infer_stream("stream", {"count": [-2]})
    assert [next(answers)["number"].item(), next(answers)["number"].item()] == [0, 1]
    with pytest.raises((InvalidInput, ServerError), match="the end is at 2"):
        next(answers)
    with pytest.raises(NotFound):
        next(client.infer_stream("nope", {"count": [1]}))
    assert client.is_live()


def test_a_stream_that_is_left_ends_at_the_server(client: Any, gate: Gate) -> None:
    answers = client.infer_stream("stream", {"count": [1 << 30], "port": [gate.port]})
    next(answers)
    visit = gate.wait()
    next(answers)
    answers.close()
    visit.wait_closed()
    assert client.is_live()


def test_health_and_metadata(client: Any) -> None:
    assert client.is_live()
    assert client.is_ready()
    assert client.is_model_ready("identity")
    assert not client.is_model_ready("nope")
    assert client.server_metadata().name == "srv"
    assert "binary_tensor_data" in client.server_metadata().extensions
    metadata = client.model_metadata("declared")
    assert metadata.name == "declared"
    assert metadata.inputs
    assert metadata.inputs[0].datatype
    assert client.model_config("declared").name == "declared"
    with pytest.raises(NotFound):
        client.model_metadata("nope")


def test_statistics_count_what_was_asked(client: Any) -> None:
    def count() -> int:
        (found,) = client.statistics("batched")
        number: int = found.inference_count
        return number

    before = count()
    client.infer("batched", {"x": np.ones((1, 16), np.int32)})
    assert count() == before + 1
    assert {each.name for each in client.statistics()} >= {"batched", "identity"}


def test_the_repository(serve: Serve, way: tuple[str, str]) -> None:
    kind, scheme = way
    server = serve(MODELS / "own").wait_started()
    with KINDS[kind](url(server, scheme), retry=ONCE) as client:
        assert {each.name for each in client.repository_index()} == {"left", "plain", "right"}
        client.unload_model("plain")
        assert {each.name for each in client.repository_index(ready=True)} == {"left", "right"}
        assert not client.is_model_ready("plain")
        client.load_model("plain")
        assert client.is_model_ready("plain")
        with pytest.raises(InvalidInput, match="failed to load"):
            client.load_model("nope")
        assert client.log_settings(changes={"log_verbose_level": 1})["log_verbose_level"] == 1
        assert client.log_settings()["log_verbose_level"] == 1
        assert client.trace_settings(changes={"trace_rate": ["5"]})["trace_rate"] == ["5"]
        assert client.trace_settings("plain", changes={"trace_level": ["OFF"]})["trace_level"] == ["OFF"]
        assert client.trace_settings("plain", changes={"trace_level": None})["trace_rate"] == ["5"]


def test_a_timeout_ends_the_call_at_the_server(client: Any, gate: Gate) -> None:
    with pytest.raises(DeadlineExceeded, match=r"timeout|DEADLINE"):
        client.infer("gate", {"port": [gate.port]}, timeout=0.3)
    gate.wait().wait_closed()
    assert client.is_live()


def test_a_request_that_is_too_large(serve: Serve, way: tuple[str, str]) -> None:
    """The server refuses it before it has all of it; the client goes on."""
    kind, scheme = way
    server = serve(MODELS / "shared", max_request_size=1 << 20).wait_started()
    with KINDS[kind](url(server, scheme), retry=ONCE) as client:
        for size in (1 << 21, 1 << 24):
            with pytest.raises((RequestTooLarge, ConnectionLost), match=r"the server accepts 1048576|broke"):
                client.infer("identity", {"x": np.zeros(size, np.int8)})
        assert client.infer("identity", {"x": [1]})["x"].tolist() == [1]


def test_uvloop(server: Server) -> None:
    """Another event loop than asyncio's own."""
    uvloop = pytest.importorskip("uvloop")
    array = np.arange(1 << 20, dtype=np.float32)

    async def run(scheme: str) -> None:
        async with AsyncClient(url(server, scheme)) as client:
            answers = await asyncio.gather(*(client.infer("identity", {"x": array}) for _ in range(8)))
            assert all(same(answer["x"], array) for answer in answers)

    for scheme in ("http", "grpc"):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(scheme))


def test_a_server_that_dies(serve: Serve, gate: Gate, way: tuple[str, str]) -> None:
    kind, scheme = way
    server = serve(MODELS / "shared").wait_started()
    with KINDS[kind](url(server, scheme), timeout=PATIENCE) as client, ThreadPoolExecutor() as pool:
        assert client.is_live()
        running = pool.submit(client.infer, "gate", {"port": [gate.port]})
        gate.wait()
        server.kill()
        with pytest.raises(ConnectionLost) as found:
            running.result()
        assert found.value.begun
        with pytest.raises(ConnectError, match="no connection to"):
            client.is_live()
    server.faults_expected = True


def test_a_server_that_comes_back(serve: Serve, way: tuple[str, str], tmp_path: Path) -> None:
    """An idle connection that the server has closed is noticed before anything is sent."""
    kind, scheme = way
    path = tmp_path / "socket"
    setting = {"http_uds" if scheme == "http" else "grpc_uds": path}
    server = serve(MODELS / "own", **setting).wait_started()
    with KINDS[kind](f"{scheme}+unix:{path}", retry=ONCE) as client:
        assert client.infer("plain", {"x": [1]})
        server.signal()
        server.wait_exit()
        serve(MODELS / "own", **setting).wait_started()
        assert client.infer("plain", {"x": [1]})


def test_threads_share_a_client(server: Server) -> None:
    for scheme in ("http", "grpc"):
        with Client(url(server, scheme), connections=4) as client, ThreadPoolExecutor(16) as pool:

            def ask(number: int, client: Client = client) -> bool:
                size = 1 if number % 3 else 1 << 16
                array = np.full((1, size), number, np.int64)
                return same(client.infer("identity", {"x": array}, id=str(number))["x"], array)

            assert all(pool.map(ask, range(400)))


def test_tasks_share_a_client(server: Server) -> None:
    async def run(scheme: str) -> None:
        async with AsyncClient(url(server, scheme), connections=8) as client:

            async def ask(number: int) -> bool:
                size = 1 if number % 3 else 1 << 16
                array = np.full((1, size), number, np.int64)
                return same((await client.infer("identity", {"x": array}))["x"], array)

            assert all(await asyncio.gather(*map(ask, range(400))))

    for scheme in ("http", "grpc"):
        asyncio.run(run(scheme))


def test_a_cancelled_task_ends_its_call_at_the_server(server: Server, gate: Gate) -> None:
    async def run(scheme: str) -> None:
        async with AsyncClient(url(server, scheme)) as client:
            task = asyncio.create_task(client.infer("gate", {"port": [gate.port]}))
            visit = await asyncio.to_thread(gate.wait)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.to_thread(visit.wait_closed)
            assert await client.is_live()

    for scheme in ("http", "grpc"):
        asyncio.run(run(scheme))


def test_a_forked_process_has_connections_of_its_own(server: Server) -> None:
    for scheme in ("http", "grpc"):
        script = f"""
import os, numpy as np
from srv.client import Client
client = Client({url(server, scheme)!r})
ask = lambda number: client.infer("identity", {{"x": [number]}})["x"].item() == number
assert ask(1)
children = []
for child in range(4):
    pid = os.fork()
    if not pid:
        os._exit(0 if all(ask(child * 1000 + number) for number in range(100)) else 1)
    children.append(pid)
assert all(ask(-number) for number in range(100))
assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
client.close()
"""
        subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=PATIENCE)


def test_tls(serve: Serve, way: tuple[str, str], tmp_path: Path) -> None:
    kind, scheme = way
    certificates = Certificates(tmp_path)
    server = serve(MODELS / "shared", **certificates.settings()).wait_started()
    array = np.arange(1 << 18, dtype=np.float32)
    with KINDS[kind](url(server, f"{scheme}s"), tls=certificates.client_context()) as client:
        for _ in range(3):
            assert same(client.infer("identity", {"x": array})["x"], array)
        assert len(list(client.infer_stream("stream", {"count": [3]}))) == 3
    with (
        KINDS[kind](url(server, f"{scheme}s"), retry=ONCE) as stranger,
        pytest.raises(ConnectError, match=r"(?i)certificate"),
    ):
        stranger.is_live()


def test_unix_sockets(serve: Serve, way: tuple[str, str], tmp_path: Path) -> None:
    kind, scheme = way
    path = tmp_path / "socket"
    serve(MODELS / "shared", **{"http_uds" if scheme == "http" else "grpc_uds": path}).wait_started()
    urls = [f"{scheme}+unix:{path}", *([f"unix:{path}"] if scheme == "grpc" else [])]
    for each in urls:
        with KINDS[kind](each) as client:
            assert client.infer("identity", {"x": [1]})["x"].tolist() == [1]


def test_nothing_of_a_server_is_imported(server: Server) -> None:
    """Nor pandas and Arrow, even after both protocols have been used with arrays."""
    script = f"""
import asyncio, sys
import numpy as np
from srv.client import AsyncClient, Client
async def main(url):
    async with AsyncClient(url) as client:
        await client.infer("identity", {{"x": np.ones(3)}})
for url in {[url(server, scheme) for scheme in ("http", "grpc")]!r}:
    with Client(url) as client:
        client.infer("identity", {{"x": np.ones(3)}})
    asyncio.run(main(url))
loaded = {{name.partition(".")[0] for name in sys.modules}}
wrong = loaded & {{"litestar", "uvicorn", "uvloop", "grpclib", "h2", "rich", "rich_click", "pyarrow", "pandas"}}
assert not wrong, wrong
assert not any(name.startswith(("srv.rest", "srv.grpc", "srv.dataplane._dataplane")) for name in sys.modules)
"""
    environ = {**os.environ, "PYTHONWARNINGS": "error"}
    subprocess.run([sys.executable, "-c", script], check=True, timeout=PATIENCE, env=environ)


def test_a_queue_error_is_unavailable() -> None:
    """What a server raises, and what its client gets, can be caught alike."""
    assert issubclass(QueueFull, Unavailable)

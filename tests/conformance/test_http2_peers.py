"""Other projects' HTTP/2, against the server as it starts: nghttp2, Node's http2 and grpc-js, and grpcio's two.

nghttp and h2load are of Debian's nghttp2-client; grpc-js is found where Node looks for modules (``NODE_PATH``).
"""

from __future__ import annotations

import asyncio
import functools
import json
import re
import resource
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
from grpc_client import UNLIMITED
from http2 import INFER, Http2, message
from serving import GRPC_TRANSPORT, PATIENCE
from tensors import grpc_outputs, grpc_request, pb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from serving import Server

SMALL = grpc_request("identity", {"x:INT32": np.arange(4, dtype=np.int32)}).SerializeToString()
LARGE = grpc_request("identity", {"x:INT32": np.arange(1 << 20, dtype=np.int32)}).SerializeToString()
HEADERS = ("-H", ":method: POST", "-H", "content-type: application/grpc", "-H", "te: trailers")
METHODS = "/inference.GRPCInferenceService/"


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


@functools.cache
def has_grpc_js() -> bool:
    command = ["node", "-e", "require('@grpc/grpc-js')"]
    return (
        shutil.which("node") is not None and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )


def run(*command: object) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture
def call_file(tmp_path: Path) -> Callable[[bytes], Path]:
    """Return what puts bytes into a file."""

    def write(data: bytes) -> Path:
        path = tmp_path / str(len(data))
        path.write_bytes(data)
        return path

    return write


@pytest.fixture(autouse=True)
def serves_others(server: Server) -> Iterator[None]:
    """A connection that was there before serves on, whatever the others do."""
    with Http2(server.ports["gRPC"]) as client:
        assert client.call(message(SMALL)) == (0, "")
        yield
        assert client.call(message(SMALL)) == (0, "")


def size_of_answer(server: Server, request: bytes) -> int:
    with Http2(server.ports["gRPC"]) as client:
        client.h2.update_settings({4: 1 << 24})
        stream = client.open()
        client.send(stream, message(request))
        assert client.status(stream) == (0, "")
        return len(client.data[stream])


@needs("nghttp")
@pytest.mark.parametrize("request_bytes", [SMALL, LARGE], ids=["small", "4 MiB"])
@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--padding=255",),
        ("--continuation",),
        ("--window-bits=10", "--connection-window-bits=16"),
        ("--window-bits=30", "--connection-window-bits=30"),
        ("--header-table-size=0",),
        ("--header-table-size=0", "--header-table-size=65536"),
        ("--encoder-header-table-size=0",),
        ("--no-dep",),
        ("--weight=256",),
        ("--trailer=x-checksum: 1",),
        ("--no-content-length",),
        ("--multiply=20",),
        ("--hexdump",),
    ],
    ids=" ".join,
)
def test_nghttp(
    server: Server, call_file: Callable[[bytes], Path], request_bytes: bytes, options: tuple[str, ...]
) -> None:
    if "--header-table-size=65536" in options and GRPC_TRANSPORT == "grpclib":
        pytest.skip("h2 hears of the last of two sizes of the header table alone")
    path = call_file(message(request_bytes))
    found = run("nghttp", "-vn", *HEADERS, *options, "-d", path, f"http://{server.grpc_address}{INFER}")
    calls = 20 if "--multiply=20" in options else 1
    assert len(re.findall(r"recv \(stream_id=\d+\) grpc-status: 0\b", found)) == calls
    assert "RST_STREAM" not in found
    assert "error" not in found.lower().replace("error_code=no_error(0x00)", "")


@needs("h2load")
@pytest.mark.parametrize(
    ("clients", "streams", "calls", "request_bytes"),
    [(1, 1000, 5000, SMALL), (1000, 1, 2000, SMALL), (10, 100, 5000, SMALL), (2, 8, 32, LARGE)],
    ids=["1,000 streams of one connection", "1,000 connections", "10 connections", "4 MiB"],
)
def test_h2load(
    server: Server,
    call_file: Callable[[bytes], Path],
    clients: int,
    streams: int,
    calls: int,
    request_bytes: bytes,
) -> None:
    """Every call is answered in full."""
    need_files(clients)
    path = call_file(message(request_bytes))
    load = (f"-n{calls}", f"-c{clients}", f"-m{streams}", *HEADERS, "-d", path)
    found = run("h2load", *load, f"http://{server.grpc_address}{INFER}")
    assert f"{calls} succeeded, 0 failed, 0 errored, 0 timeout" in found, found
    data = re.search(r"\((\d+)\) data$", found, re.MULTILINE)
    assert data is not None, found
    assert int(data[1]) == calls * size_of_answer(server, request_bytes)


def need_files(count: int) -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit < count + 200:
        pytest.skip(f"a process may open {limit} files, {count} connections need more")


@needs("node")
@pytest.mark.parametrize(
    ("scenario", "request_bytes"),
    [
        ("calls", SMALL),
        ("calls", LARGE),
        ("small windows", SMALL),
        ("small windows", LARGE[: 1 << 16]),
        ("large frames", LARGE),
        ("padding", SMALL),
        ("padding", LARGE),
        ("many streams", SMALL),
        ("cancels", LARGE),
    ],
)  # fmt: skip
def test_node(server: Server, call_file: Callable[[bytes], Path], scenario: str, request_bytes: bytes) -> None:
    if request_bytes not in {SMALL, LARGE}:
        request_bytes = grpc_request("identity", {"x:INT32": np.arange(1 << 12, dtype=np.int32)}).SerializeToString()
    path = call_file(message(request_bytes))
    script = file_beside("peer_http2.cjs")
    found = json.loads(run("node", script, server.grpc_address, path, scenario))
    size = size_of_answer(server, request_bytes)
    assert found == [{"status": "0", "size": size, "code": 0}] * len(found)
    assert len(found) == (1000 if scenario == "many streams" else 5)


def file_beside(name: str) -> Path:
    from pathlib import Path

    return Path(__file__).with_name(name)


@pytest.mark.skipif(not has_grpc_js(), reason="Node does not find @grpc/grpc-js")
@pytest.mark.parametrize(
    ("scenario", "request_bytes"),
    [("calls", SMALL), ("calls", LARGE), ("many", SMALL), ("cancels", LARGE), ("stream", SMALL), ("stream", LARGE)],
)
def test_grpc_js(server: Server, call_file: Callable[[bytes], Path], scenario: str, request_bytes: bytes) -> None:
    path = call_file(request_bytes)
    count = "20" if request_bytes is LARGE else "500"
    found = json.loads(run("node", file_beside("peer_grpc_js.cjs"), server.grpc_address, path, scenario, count))
    size = size_of_answer(server, request_bytes) - 5
    match scenario:
        case "stream":
            assert found == [{"status": 0, "answers": int(count), "text": ""}]
        case "calls":
            assert found[:-1] == [{"status": 0, "size": size, "text": ""}] * 5
            assert found[-1]["status"] == grpc.StatusCode.UNIMPLEMENTED.value[0]
        case _:
            assert found == [{"status": 0, "size": size, "text": ""}] * (1000 if scenario == "many" else 1)


def unary(channel: Any) -> Any:
    return channel.unary_unary(
        f"{METHODS}ModelInfer",
        request_serializer=pb.ModelInferRequest.SerializeToString,
        response_deserializer=pb.ModelInferResponse.FromString,
    )


@pytest.mark.parametrize("size", [1, 1 << 16, 1 << 24])
def test_grpcio_with_large_messages(server: Server, size: int) -> None:
    """Up to 64 MiB, from several threads on one connection."""
    array = np.arange(size, dtype=np.int32)
    with grpc.insecure_channel(server.grpc_address, UNLIMITED) as channel, ThreadPoolExecutor(4) as pool:
        call = unary(channel)
        request = grpc_request("identity", {"x:INT32": array})
        for response in pool.map(lambda _: call(request, timeout=PATIENCE), range(4)):
            assert np.array_equal(grpc_outputs(response)["x"], array)


def test_grpcio_aio_with_large_messages(server: Server) -> None:
    array = np.arange(1 << 22, dtype=np.int32)
    request = grpc_request("identity", {"x:INT32": array}).SerializeToString()

    async def calls() -> list[bytes]:
        async with grpc.aio.insecure_channel(server.grpc_address, UNLIMITED) as channel:
            call: Any = channel.unary_unary(f"{METHODS}ModelInfer")
            return list(await asyncio.gather(*(call(request, timeout=PATIENCE) for _ in range(4))))

    for response in asyncio.run(calls()):
        assert np.array_equal(grpc_outputs(pb.ModelInferResponse.FromString(response))["x"], array)


def test_grpcio_aio_with_many_streams(server: Server) -> None:
    """1,000 calls at the same time on one connection get their own answers."""

    async def calls() -> list[Any]:
        async with grpc.aio.insecure_channel(server.grpc_address, UNLIMITED) as channel:
            call = unary(channel)
            requests = (grpc_request("identity", {"x:INT32": np.array([n], np.int32)}) for n in range(1000))
            return await asyncio.gather(*(call(request, timeout=PATIENCE) for request in requests))

    assert [grpc_outputs(response)["x"].tolist() for response in asyncio.run(calls())] == [[n] for n in range(1000)]


def test_grpcio_cancels(server: Server) -> None:
    """Calls that are given up at any moment leave the connection as it was."""

    async def calls() -> Any:
        async with grpc.aio.insecure_channel(server.grpc_address, UNLIMITED) as channel:
            call = unary(channel)
            large = pb.ModelInferRequest.FromString(LARGE)
            for delay in range(40):
                running = [call(large, timeout=PATIENCE) for _ in range(5)]
                for _ in range(delay):
                    await asyncio.sleep(0)
                for each in running:
                    each.cancel()
            return await call(large, timeout=PATIENCE)

    assert grpc_outputs(asyncio.run(calls()))["x"].size == 1 << 20


def test_many_connections(server: Server) -> None:
    """1,000 connections with a call each, begun on all before the first is answered."""
    need_files(1000)
    clients = [Http2(server.ports["gRPC"]) for _ in range(1000)]
    try:
        streams = []
        for client in clients:
            streams.append(client.open())
            client.send(streams[-1], message(SMALL), end=False)
            client.flush()
        for client, stream in zip(clients, streams, strict=True):
            client.h2.end_stream(stream)
            assert client.status(stream) == (0, "")
            response = pb.ModelInferResponse.FromString(bytes(client.data[stream][5:]))
            assert grpc_outputs(response)["x"].tolist() == [0, 1, 2, 3]
    finally:
        for client in clients:
            client.socket.close()

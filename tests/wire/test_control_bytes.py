"""Statistics, the repository's index, shared memory and settings to the byte, from a server that begins anew."""

from __future__ import annotations

import json
import shutil
import socket
from typing import TYPE_CHECKING, Any, Final

import pytest
from grpc_client import Grpc
from memory_objects import memory_object, needs_folder
from serving import MODELS, PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving import Serve, Server


@pytest.fixture(scope="module")
def own(serve_module: Serve, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """Return a server of one model in two versions, one of which cannot be loaded."""
    folder = tmp_path_factory.mktemp("models")
    for version in ("1", "2"):
        shutil.copytree(MODELS / "shared" / "identity", folder / version)
        settings = {"name": "m", "implementation": "models.Identity", "parameters": {"version": version}}
        (folder / version / "model-settings.json").write_text(json.dumps(settings), "utf-8")
    (folder / "2" / "models.py").write_text("raise ValueError('no')\n", "utf-8")
    server = serve_module(folder, allow_client_shm="true")
    server.faults_expected = True
    return server.wait_started()


@pytest.fixture(scope="module")
def client(own: Server) -> Iterator[Grpc]:
    """Return a client of bytes."""
    with Grpc(own) as made:
        yield made


def rest(server: Server, sent: bytes, expected: bytes) -> None:
    """Check that a request gets exactly this body, sent whole and byte by byte on one connection."""
    answer = (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(expected) + expected
    )
    with socket.create_connection(("127.0.0.1", server.http_port), PATIENCE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for pieces in ([sent], [bytes((byte,)) for byte in sent]):
            for piece in pieces:
                connection.sendall(piece)
            received = b""
            while len(received) < len(answer) and (chunk := connection.recv(len(answer) - len(received))):
                received += chunk
            assert received == answer


def get(path: bytes) -> bytes:
    """Return a request without a body."""
    return b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n"


def post(path: bytes, body: bytes) -> bytes:
    """Return a request with a body."""
    return b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body


ZERO: Final = b'{"count":0,"ns":0}'
STATISTICS: Final = (
    b'{"model_stats":[{"name":"m","version":"1","last_inference":0,"inference_count":0,"execution_count":0,'
    b'"inference_stats":{"success":%b,"fail":%b,"queue":%b,"compute_input":%b,"compute_infer":%b,'
    b'"compute_output":%b,"cache_hit":%b,"cache_miss":%b},"batch_stats":[],"memory_usage":[],"response_stats":{}}]}'
) % ((ZERO,) * 8)


@pytest.mark.parametrize("path", ["m/stats", "m/versions/1/stats", "stats"])
def test_statistics_of_a_model_that_was_never_asked(own: Server, path: str) -> None:
    """Zeros are there."""
    rest(own, get(b"/v2/models/" + path.encode()), STATISTICS)


def test_statistics_over_grpc_leave_zeros_out(client: Grpc) -> None:
    """As protobuf does; the messages that hold them are there."""
    inner = b"".join(bytes((number << 3 | 2, 0)) for number in range(1, 9))
    model = b"\n\x01m\x12\x011" + b"\x32" + bytes((len(inner),)) + inner
    assert client.call("ModelStatistics", b"\n\x01m") == b"\n" + bytes((len(model),)) + model


@pytest.mark.parametrize("ready", [False, True])
def test_the_index(own: Server, client: Grpc, ready: bool) -> None:
    """A reason stands where there is one."""
    first = b'{"name":"m","version":"1","state":"READY"}'
    index: Any = own.post("/v2/repository/index").json()
    reason = index[1]["reason"].encode()
    second = b',{"name":"m","version":"2","state":"UNAVAILABLE","reason":"%b"}' % reason
    body = b'{"ready":true}' if ready else b""
    rest(own, post(b"/v2/repository/index", body), b"[" + first + (b"" if ready else second) + b"]")
    message = b"\n\x0d\n\x01m\x12\x011\x1a\x05READY"
    other = b'\n\x01m\x12\x012\x1a\x0bUNAVAILABLE"' + bytes((len(reason),)) + reason
    message += b"" if ready else b"\n" + bytes((len(other),)) + other
    assert client.call("RepositoryIndex", b"\x10\x01" if ready else b"") == message


@needs_folder
def test_a_region_from_its_registration_to_its_end(own: Server, client: Grpc) -> None:
    """Over both protocols; an answer of gRPC without members is empty."""
    with memory_object(64) as memory:
        key = b"/" + memory.name.encode()
        body = b'{"key":"%b","offset":8,"byte_size":16}' % key
        assert own.post("/v2/systemsharedmemory/region/reg/register", body).body == b"{}"
        status = b'[{"name":"reg","key":"%b","offset":8,"byte_size":16}]' % key
        rest(own, get(b"/v2/systemsharedmemory/status"), status)
        rest(own, get(b"/v2/systemsharedmemory/region/reg/status"), status)
        region = b"\n\x03reg\x12" + bytes((len(key),)) + key + b"\x18\x08\x20\x10"
        entry = b"\n\x03reg\x12" + bytes((len(region),)) + region
        assert client.call("SystemSharedMemoryStatus", b"") == b"\n" + bytes((len(entry),)) + entry
        rest(own, post(b"/v2/systemsharedmemory/region/reg/unregister", b""), b"{}")
        assert client.call("SystemSharedMemoryRegister", region) == b""
        assert client.call("SystemSharedMemoryUnregister", b"\n\x03reg") == b""
        assert client.call("SystemSharedMemoryStatus", b"") == b""
    rest(own, get(b"/v2/systemsharedmemory/status"), b"[]")


def test_trace_settings_that_tritonclient_writes(own: Server, client: Grpc) -> None:
    """A change, and what takes it back."""
    shown = (
        b'{"trace_level":["%b"],"trace_rate":"%b","trace_count":"-1","log_frequency":"0","trace_file":"",'
        b'"trace_mode":"triton"}'
    )
    body = b'{"trace_rate":"5","trace_level":["TIMESTAMPS"],"trace_count":null}'
    rest(own, post(b"/v2/trace/setting", body), shown % (b"TIMESTAMPS", b"5"))
    rest(own, post(b"/v2/models/m/trace/setting", b""), shown % (b"TIMESTAMPS", b"5"))
    clear = b"\n\x0e\n\x0atrace_rate\x12\x00" + b"\n\x0f\n\x0btrace_level\x12\x00"
    entries = (
        (b"trace_level", b"OFF"),
        (b"trace_rate", b"1000"),
        (b"trace_count", b"-1"),
        (b"log_frequency", b"0"),
        (b"trace_file", b""),
        (b"trace_mode", b"triton"),
    )
    assert client.call("TraceSetting", clear) == b"".join(
        _entry(key, b"\n" + bytes((len(value),)) + value) for key, value in entries
    )


def test_log_settings(own: Server, client: Grpc) -> None:
    """All six, whatever was changed; those that are false or 0 are there in gRPC too."""
    shown = (
        b'{"log_file":"","log_info":true,"log_warning":true,"log_error":true,"log_verbose_level":%b,'
        b'"log_format":"default"}'
    )
    rest(own, post(b"/v2/logging", b'{"log_verbose_level":1}'), shown % b"1")
    rest(own, post(b"/v2/logging", b'{"log_verbose_level":0}'), shown % b"0")
    entries = (
        (b"log_file", b"\x1a\x00"),
        (b"log_info", b"\x08\x01"),
        (b"log_warning", b"\x08\x01"),
        (b"log_error", b"\x08\x01"),
        (b"log_verbose_level", b"\x10\x00"),
        (b"log_format", b"\x1a\x07default"),
    )
    assert client.call("LogSettings", b"") == b"".join(_entry(key, value) for key, value in entries)


def _entry(key: bytes, value: bytes) -> bytes:
    """Return an entry of the first field, which is a map."""
    entry = b"\n" + bytes((len(key),)) + key + b"\x12" + bytes((len(value),)) + value
    return b"\n" + bytes((len(entry),)) + entry

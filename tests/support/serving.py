"""Starts the real ``srv start`` for tests, and speaks to it with nothing but the standard library."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Literal, Protocol, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MODELS: Final = Path(__file__).parents[1] / "models"
"""The model folders that tests serve."""

PATIENCE: Final = 60.0
"""Seconds after which something that should have happened counts as never happening."""

GRPC_TRANSPORT: Final[Literal["native", "grpclib"]] = (
    "grpclib" if os.environ.get("TESTS_GRPC_TRANSPORT") == "grpclib" else "native"
)
"""The ``grpc_transport`` of servers whose test asks for none."""

PARALLEL_WORKERS: Final = os.environ.get("TESTS_PARALLEL_WORKERS", "0")
"""The ``parallel_workers`` of servers whose test asks for none."""

_SRV: Final = Path(sys.executable).with_name("srv")
_ADDRESS: Final = re.compile(r"^(REST|gRPC|metrics)\s+(.*:(\d+)|unix:/.*)$")
_FAULTS: Final = re.compile(r"Traceback|was never (?:retrieved|awaited)|Task was destroyed|Exception ignored")


class Server:
    """One ``srv start`` in a process of its own, on free ports."""

    def __init__(self, folder: Path, *options: str, **settings: object) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("SRV_", "MLSERVER_"))}
        ports = dict.fromkeys(("HTTP_PORT", "GRPC_PORT", "METRICS_PORT"), 0)
        given = {name.upper(): value for name, value in settings.items()}
        usual = {**ports, "GRPC_TRANSPORT": GRPC_TRANSPORT, "PARALLEL_WORKERS": PARALLEL_WORKERS}
        environ |= {f"SRV_{name}": str(value) for name, value in {**usual, **given}.items()}
        environ |= {"COLUMNS": "300", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        self.urls: dict[str, str] = {}
        self.ports: dict[str, int] = {}
        self.faults_expected = False
        self._told_to_stop = False
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            [_SRV, "start", folder, *options],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._readers = [
            threading.Thread(target=self._read, args=(stream,), daemon=True)
            for stream in (self._process.stdout, self._process.stderr)
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            with self._changed:
                self._lines.append(line.rstrip("\n"))
                found = _ADDRESS.match(self._lines[-1])
                if found is not None:
                    self.urls[found[1]] = found[2]
                    if found[3]:
                        self.ports[found[1]] = int(found[3])
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    @property
    def log(self) -> str:
        """All that the process has written."""
        with self._changed:
            return "\n".join(self._lines)

    @property
    def http_port(self) -> int:
        """The port of the REST front."""
        return self.ports["REST"]

    @property
    def metrics_port(self) -> int:
        """The port of the metrics."""
        return self.ports["metrics"]

    @property
    def http_address(self) -> str:
        """The REST front's ``host:port``."""
        return f"127.0.0.1:{self.http_port}"

    @property
    def grpc_address(self) -> str:
        """The gRPC front's ``host:port``, or ``unix:/path``."""
        return f"127.0.0.1:{self.ports['gRPC']}" if "gRPC" in self.ports else self.urls["gRPC"]

    def wait_started(self) -> Self:
        """Return once the addresses are out, which is after the models have been loaded."""
        self._wait(lambda: len(self.urls) == 3 or not self._reading(), "the addresses")
        assert len(self.urls) == 3, f"the server did not start:\n{self.log}"
        return self

    def wait_for_line(self, text: str) -> None:
        """Return once the process has written `text`."""
        self._wait(lambda: any(text in line for line in self._lines) or not self._reading(), repr(text))
        assert text in self.log, f"the server ended without {text!r}:\n{self.log}"

    def _reading(self) -> bool:
        return any(reader.is_alive() for reader in self._readers)

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        with self._changed:
            # A reader's thread ends after its last notification, hence the short waits.
            deadline = time.monotonic() + PATIENCE
            while not condition():
                assert time.monotonic() < deadline, f"the server never wrote {what}:\n" + "\n".join(self._lines)
                self._changed.wait(0.2)

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send the process a signal."""
        self._told_to_stop = self._told_to_stop or number in {signal.SIGTERM, signal.SIGINT}
        self._process.send_signal(number)

    def wait_exit(self) -> int:
        """Wait for the process to end, and return its status."""
        try:
            status = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGABRT)
            self._process.wait(PATIENCE)
            self._join()
            raise AssertionError(f"the server did not exit:\n{self.log}") from None
        self._join()
        return status

    def _join(self) -> None:
        for reader in self._readers:
            reader.join(PATIENCE)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def close(self) -> None:
        """End the process if it still runs; it must exit with 0, without a traceback in what it wrote."""
        if self._process.returncode is None:
            # Not a second time: it would end the process without more, once it is about to exit.
            if self._process.poll() is None and not self._told_to_stop:
                self.signal()
            status = self.wait_exit()
            assert status == 0, f"the server's exit status is {status}:\n{self.log}"
        if not self.faults_expected:
            assert not _FAULTS.search(self.log), self.log

    def kill(self) -> None:
        """End the process whatever it does, if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._join()

    def rest(self) -> Rest:
        """Return a new keep-alive connection to the REST front."""
        return Rest(self.http_port)

    def post(self, path: str, body: object = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """POST on a connection of its own; a body that is not bytes is sent as JSON."""
        with self.rest() as rest:
            return rest.request("POST", path, body, headers)

    def get(self, path: str) -> Answer:
        """GET on a connection of its own."""
        with self.rest() as rest:
            return rest.request("GET", path)

    def status(self, key: str) -> int:
        """Return a number of ``/proc/PID/status``, such as ``VmHWM`` in KiB."""
        found = re.search(rf"^{key}:\s+(\d+)", self._proc("status").read_text("ascii"), re.MULTILINE)
        assert found is not None
        return int(found[1])

    def reset_peak(self) -> None:
        """Make ``VmHWM`` start again from what is resident now."""
        self._proc("clear_refs").write_text("5", encoding="ascii")

    def open_files(self) -> int:
        """Return how many file descriptors the process has."""
        return len(list(self._proc("fd").iterdir()))

    def _proc(self, name: str) -> Path:
        folder = Path("/proc", str(self.pid))
        if not (folder / name).exists():
            pytest.skip(f"this platform has no /proc/PID/{name}")
        return folder / name


class Serve(Protocol):
    """Starts servers that end with the test, or with its module."""

    def __call__(self, folder: Path, *options: str, **settings: object) -> Server:
        """Start a server of a folder, with options of the command.

        Settings are those of ``SRV_…`` variables, in small letters.
        """
        ...


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def type(self) -> str | None:
        """The value of Content-Type."""
        return self.headers.get("content-type")

    def json(self) -> object:
        """Return the body as JSON."""
        return json.loads(self.body)

    def error(self) -> str:
        """Return the text of an error, which must have the one form that all clients understand."""
        assert self.status >= 400, (self.status, self.body[:500])
        assert self.type == "application/json", (self.type, self.body[:500])
        content = json.loads(self.body)
        assert isinstance(content["error"], str)
        assert content["error"]
        assert "Traceback" not in content["error"]
        return str(content["error"])


class Rest(contextlib.AbstractContextManager["Rest"]):
    """A keep-alive connection to a REST front."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def request(self, method: str, path: str, body: object = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """Send a request and return the whole response; a body that is not bytes is sent as JSON."""
        content = body if isinstance(body, (bytes, memoryview)) else json.dumps(body).encode()
        self.connection.request(method, path, content, dict(headers or {}))
        with self.connection.getresponse() as response:
            return Answer(response.status, response.headers, response.read())


def send_raw(port: int, data: bytes) -> socket.socket:
    """Return a connection on which `data` has been sent."""
    connection = socket.create_connection(("127.0.0.1", port), PATIENCE)
    connection.sendall(data)
    return connection


def receive_all(connection: socket.socket) -> bytes:
    """Return all that comes until the server closes the connection, and close it too."""
    with connection:
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def parse_answer(data: bytes) -> Answer:
    """Return the first HTTP response in `data`."""

    class Source:
        def makefile(self, *_: object) -> IO[bytes]:
            import io

            return io.BytesIO(data)

    response = http.client.HTTPResponse(Source())  # type: ignore[arg-type]  # all that it does is makefile()
    response.begin()
    return Answer(response.status, response.headers, response.read())


class Gate:
    """Where models that are told to wait report, so that a test knows that they run, and says when they go on."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.settimeout(PATIENCE)
        self._visits: list[Visit] = []

    @property
    def port(self) -> int:
        """What the model is given."""
        return int(self._listener.getsockname()[1])

    def wait(self) -> Visit:
        """Return the next model that waits."""
        connection, _ = self._listener.accept()
        connection.settimeout(PATIENCE)
        self._visits.append(Visit(connection))
        return self._visits[-1]

    def close(self) -> None:
        """Leave the gate open for all that wait."""
        self._listener.close()
        for visit in self._visits:
            visit.close()


class Visit:
    """A model that waits at a gate."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def release(self) -> None:
        """Let the model go on."""
        self._connection.sendall(b"\n")
        self._connection.close()

    def wait_closed(self) -> None:
        """Return once the model has left: because it was released, or because its request was cancelled."""
        assert self._connection.recv(1) == b""
        self._connection.close()

    def close(self) -> None:
        """Leave the gate open."""
        self._connection.close()


def eventually(condition: Callable[[], bool], what: Callable[[], object]) -> None:
    """Return once something that sends no event has come true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.02)

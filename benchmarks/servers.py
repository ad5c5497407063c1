"""The servers that are compared: each a process of its own, started and stopped here."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.error import HTTPError
from urllib.request import urlopen

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

HERE: Final = Path(__file__).resolve().parent
_TICKS: Final = os.sysconf("SC_CLK_TCK")
# Seconds; a rival imports for a while.
_START: Final = 120.0
_STOP: Final = 20.0


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        floor: it answers canned bytes, as many as the path says.
    """

    name: str
    pid: int
    http_port: int
    grpc_port: int
    floor: bool = False

    def cpu(self) -> float:
        """Return the CPU seconds that the server and its children have taken."""
        return sum(_cpu(pid) for pid in _tree(self.pid))

    def reset_peak(self) -> None:
        """Forget the largest memory so far."""
        for pid in _tree(self.pid):
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def peak(self) -> float:
        """Return the largest memory since :meth:`reset_peak`, in MiB."""
        return sum(_peak(pid) for pid in _tree(self.pid))


def _tree(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += _tree(int(child))
    return found


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _peak(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def cores() -> tuple[list[int], list[int]]:
    """Return the cores of the servers and those of the load: one each where there are two."""
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[:1], allowed[1:2]) if len(allowed) > 1 else (allowed, allowed)


def pinned(command: Sequence[str], where: Sequence[int]) -> list[str]:
    """Return a command that runs on some cores alone."""
    return ["taskset", "-c", ",".join(map(str, where)), *command]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def run(
    name: str, pythons: Mapping[str, str], log: Path, repository: Path = HERE / "repository", *, pin: bool = True
) -> Generator[Server]:
    """Run a server of a folder of models, which answers by the time that this yields it, and stop it in the end.

    It has the first core for itself and its workers, unless it is not to `pin` it.

    Raises:
        RuntimeError: it does not start.
    """
    http_port, grpc_port, metrics_port = _free_port(), _free_port(), _free_port()
    ports = {"HTTP_PORT": http_port, "GRPC_PORT": grpc_port, "METRICS_PORT": metrics_port}
    models, rivals = str(repository), HERE / "rivals"
    python = pythons.get(name.partition("-")[0], sys.executable)
    environment = {each: value for each, value in os.environ.items() if not each.startswith(("SRV_", "MLSERVER_"))}
    waits = [http_port, grpc_port]
    match name:
        case "srv" | "srv-worker":
            command = [python, "-m", "srv", "start", models]
            environment |= {f"SRV_{each}": str(port) for each, port in ports.items()}
            environment["SRV_PARALLEL_WORKERS"] = str(int(name.endswith("-worker")))
        case "mlserver" | "mlserver-worker":
            command = [str(Path(python).with_name("mlserver")), "start", models]
            environment |= {f"MLSERVER_{each}": str(port) for each, port in ports.items()}
            environment |= {
                "MLSERVER_DEBUG": "false",
                "MLSERVER_METRICS_ENDPOINT": "",
                "MLSERVER_PARALLEL_WORKERS": str(int(name.endswith("-worker"))),
                # Its default of gRPC is 4 MiB.
                "MLSERVER_GRPC_MAX_MESSAGE_LENGTH": str(1 << 30),
            }
        case "kserve":
            command = [python, str(rivals / "kserve_server.py"), str(http_port), str(grpc_port)]
        case "floor-rest":
            command, waits = [python, str(rivals / "asgi_floor.py"), str(http_port)], [http_port]
        case "floor-grpc":
            command, waits = [python, str(rivals / "grpc_floor.py"), str(grpc_port)], [grpc_port]
        case _:
            raise RuntimeError(f"no server is called {name}")
    with log.open("wb") as output:
        process = subprocess.Popen(
            pinned(command, cores()[0]) if pin else command,
            env=environment,
            stdout=output,
            stderr=output,
            cwd=log.parent,
        )
        try:
            for port in waits:
                _wait(process, port, name, log)
            yield Server(name, process.pid, http_port, grpc_port, floor=name.startswith("floor"))
        finally:
            _stop(process)


def _wait(process: subprocess.Popen[bytes], port: int, name: str, log: Path) -> None:
    end = time.monotonic() + _START
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError as error:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{name} does not start: {log.read_text(errors='replace')[-2000:]}") from error
            time.sleep(0.05)  # another program has no event that could be awaited
        else:
            return


def wait_ready(server: Server) -> None:
    """Return when all models of a server are ready."""
    while True:
        try:
            urlopen(f"http://127.0.0.1:{server.http_port}/v2/health/ready").close()
        except HTTPError:
            time.sleep(0.05)  # another program has no event that could be awaited
        else:
            return


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP)
    except subprocess.TimeoutExpired:
        for pid in _tree(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait()

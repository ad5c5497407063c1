"""Load by tools that nobody here wrote: wrk for REST, h2load for gRPC."""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc
import numpy as np

from payloads import read_grpc, read_rest
from servers import cores, pinned

if TYPE_CHECKING:
    from payloads import Request, Scenario
    from servers import Server

_PREFIX: Final = 5
_INFER: Final = "/inference.GRPCInferenceService/ModelInfer"
_UNITS: Final = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
# MiB of window for what h2load receives: answers have up to 4.
_WINDOW_BITS: Final = "24"


@dataclass(frozen=True)
class Round:
    """What one round of load has shown.

    Attributes:
        rate: requests per second.
        p50: milliseconds.
        p99: milliseconds.
        cpu: microseconds of the server's CPU for each request.
        peak: the server's largest memory, in MiB.
    """

    rate: float
    p50: float
    p99: float
    cpu: float
    peak: float


def check_tools() -> None:
    """Raise RuntimeError unless the tools are there."""
    missing = [tool for tool in ("wrk", "h2load", "taskset") if shutil.which(tool) is None]
    if missing:
        raise RuntimeError(
            f"not installed: {', '.join(missing)}; Debian has them in wrk, nghttp2-client and util-linux"
        )


def ask(server: Server, scenario: Scenario, request: Request) -> bytes:
    """Send one request by an independent client, check the answer's values, and return the answer.

    Raises:
        RuntimeError: the answer is another than expected.
    """
    if scenario.protocol == "rest":
        connection = HTTPConnection("127.0.0.1", server.http_port)
        connection.request("POST", _path(server, scenario, request, 0), request.body, dict(request.headers))
        response = connection.getresponse()
        body = response.read()
        connection.close()
        if response.status != 200:
            raise RuntimeError(f"{server.name}, {scenario.name}: {response.status} {body[:500]!r}")
        found = read_rest(body, response.headers.get("Inference-Header-Content-Length"))
    else:
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}", options=options) as channel:
            # Any: without types, bytes go in and come out.
            call: Any = channel.unary_unary(_INFER)
            body = call(request.body[_PREFIX:])
        found = read_grpc(body)
    expected = scenario.expected().reshape(-1)
    # Sums may be in another order.
    if not np.allclose(found, expected, rtol=1e-4):
        raise RuntimeError(f"{server.name}, {scenario.name}: expected {expected[:5]}, got {found[:5]}")
    return body


def run_round(server: Server, scenario: Scenario, request: Request, answer_size: int, seconds: int) -> Round:
    """Put load on a server for some seconds.

    Raises:
        RuntimeError: a request has failed.
    """
    drive = _run_wrk if scenario.protocol == "rest" else _run_h2load
    server.reset_peak()
    before = server.cpu()
    count, p50, p99 = drive(server, scenario, request, answer_size, seconds)
    cpu = server.cpu() - before
    return Round(count / seconds, p50, p99, cpu / count * 1e6, server.peak())


def _path(server: Server, scenario: Scenario, request: Request, answer_size: int) -> str:
    if scenario.protocol == "rest":
        return f"/{answer_size}" if server.floor else f"/v2/models/{request.model}/infer"
    return f"/floor/{answer_size}" if server.floor else _INFER


def _run_wrk(
    server: Server, scenario: Scenario, request: Request, answer_size: int, seconds: int
) -> tuple[int, float, float]:
    with tempfile.TemporaryDirectory() as folder:
        body, script = Path(folder, "body"), Path(folder, "request.lua")
        body.write_bytes(request.body)
        lines = ['wrk.method = "POST"', f'wrk.body = io.open("{body}", "rb"):read("*a")']
        lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in request.headers.items()]
        script.write_text("\n".join(lines))
        url = f"http://127.0.0.1:{server.http_port}{_path(server, scenario, request, answer_size)}"
        command = ["wrk", "-t1", f"-c{scenario.connections}", f"-d{seconds}s", "--timeout", "30s", "--latency"]
        done = subprocess.run(
            pinned([*command, "-s", str(script), url], cores()[1]), capture_output=True, text=True, check=True
        )
    return read_wrk(done.stdout)


def read_wrk(text: str) -> tuple[int, float, float]:
    """Return what wrk printed: number of requests, and the milliseconds that half and 99 % of them took at most.

    Raises:
        RuntimeError: a request has failed, or there was none.
    """
    count = int(_find(r"(\d+) requests in", text))
    if "Non-2xx" in text or "Socket errors" in text or not count:
        raise RuntimeError(f"requests have failed: {text}")
    return count, *(_milliseconds(_find(rf"\n\s+{share}%\s+(\S+)", text)) for share in (50, 99))  # type: ignore[return-value]  # it is two


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(\D+)", text).groups()  # type: ignore[union-attr]  # as wrk prints them
    return float(number) * _UNITS[unit]


def _run_h2load(
    server: Server, scenario: Scenario, request: Request, answer_size: int, seconds: int
) -> tuple[int, float, float]:
    with tempfile.TemporaryDirectory() as folder:
        body, log = Path(folder, "body"), Path(folder, "log")
        body.write_bytes(request.body)
        url = f"http://127.0.0.1:{server.grpc_port}{_path(server, scenario, request, answer_size)}"
        command = ["h2load", "-t1", f"-c{scenario.connections}", "-m2", f"-D{seconds}", "-w", _WINDOW_BITS]
        command += ["-W", _WINDOW_BITS, "-d", str(body), "-H", "content-type: application/grpc", "-H", "te: trailers"]
        done = subprocess.run(
            pinned([*command, f"--log-file={log}", url], cores()[1]), capture_output=True, text=True, check=True
        )
        durations = [float(line.split()[2]) / 1e3 for line in log.read_text().splitlines()]
    count, size = read_h2load(done.stdout)
    # An error has an empty answer: the sizes show it. Calls that are cut off at the end may have some of theirs.
    if not 0 <= size - count * (answer_size + _PREFIX) <= 2 * scenario.connections * (answer_size + _PREFIX):
        raise RuntimeError(f"answers are not what they should be: {done.stdout}")
    return (
        count,
        statistics.median(durations),
        statistics.quantiles(durations, n=100)[98] if count > 1 else durations[0],
    )


def read_h2load(text: str) -> tuple[int, int]:
    """Return what h2load printed: number of requests that have succeeded, and the bytes of their answers.

    Raises:
        RuntimeError: a request has failed, or there was none.
    """
    count = int(_find(r"(\d+) succeeded", text))
    if not count or int(_find(r"(\d+) failed", text)) or int(_find(r"(\d+) 5xx", text)):
        raise RuntimeError(f"requests have failed: {text}")
    return count, int(_find(r"\((\d+)\) data", text))


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"expected {pattern} in {text}")
    return found[1]

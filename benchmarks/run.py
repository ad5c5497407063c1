"""Compare srv with its rivals and with floors: ``nox -s bench``. Prints tables, and writes them to docs/benchmarks."""

from __future__ import annotations

import argparse
import json
import platform
import re
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import codec_times
import report
from load import ask, check_tools, run_round
from payloads import SCENARIOS, binary_request, values
from servers import run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from load import Round
    from payloads import Scenario
    from servers import Server

_DOCS: Final = Path(__file__).resolve().parents[1] / "docs" / "benchmarks"
_RESULTS: Final = _DOCS / "results.json"
_SERVERS: Final = ("srv", "mlserver", "mlserver-worker", "kserve", "floor-rest", "floor-grpc")
_FLOORS: Final = {"rest": "floor-rest", "grpc": "floor-grpc"}
# In a quick run.
_FEW: Final = {"REST JSON, 4 values", "REST JSON, 65,536 values", "REST binary, 4 MiB, sum", "gRPC raw, 4 values"}
_SIZES: Final = (4, 8, 16, 64, 256, 1023)


def main() -> int:
    """Return 0, or 1 if something is worse than before."""
    options = _options()
    check_tools()
    pythons = dict(each.split("=", 1) for each in options.python)
    chosen = [each for each in SCENARIOS if _is_chosen(each, options)]
    with TemporaryDirectory() as folder, ExitStack() as stack:
        needed = {
            "srv",
            *(_FLOORS[each.protocol] for each in chosen),
            *(name for each in chosen for name in each.rivals),
        }
        running: dict[str, Server] = {}
        for name in filter(needed.__contains__, _SERVERS):
            print(f"starting {name}", flush=True)
            running[name] = stack.enter_context(run(name, pythons, Path(folder, f"{name}.log")))
        figures = report.summarize(_measure(chosen, running, options))
        growth = [] if options.quick or options.only else _grow(running["srv"])
    codecs = {} if options.quick or options.only else codec_times.measure()
    found = report.ratios(figures)
    tables = {
        "ratios": report.ratio_table(found),
        "figures": report.figure_table(figures),
        "growth": report.growth_table(growth),
        "codecs": report.codec_table(codecs) if codecs else "",
        "machine": _machine(pythons),
    }
    print("\n\n".join(filter(None, tables.values())))
    if options.check:
        worse = report.find_regressions(found, json.loads(_RESULTS.read_text())["ratios"])
        print("\n".join(worse) or "no ratio is worse than before")
        return int(bool(worse))
    if not (options.quick or options.only):
        _write(tables, {"figures": figures, "ratios": found, "growth": growth, "codecs": codecs})
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few scenarios, short rounds; write nothing")
    parser.add_argument("--only", metavar="PATTERN", help="the scenarios whose names match; write nothing")
    parser.add_argument(
        "--check", action="store_true", help="compare ratios with those in docs/benchmarks; write nothing"
    )
    parser.add_argument("--python", action="append", default=[], metavar="SERVER=PATH", help=argparse.SUPPRESS)
    return parser.parse_args()


def _is_chosen(scenario: Scenario, options: argparse.Namespace) -> bool:
    if options.only:
        return re.search(options.only, scenario.name) is not None
    return not options.quick or scenario.name in _FEW


def _measure(
    scenarios: Sequence[Scenario], running: Mapping[str, Server], options: argparse.Namespace
) -> dict[str, dict[str, list[Round]]]:
    rounds, seconds = (1, 1) if options.quick else (2, 1)
    found: dict[str, dict[str, list[Round]]] = {}
    for scenario in scenarios:
        request = scenario.make()
        names = ["srv", *scenario.rivals, _FLOORS[scenario.protocol]]
        answers = {name: ask(running[name], scenario, request) for name in names if not running[name].floor}
        by_server: dict[str, list[Round]] = {name: [] for name in names}
        # The first round warms up.
        for turn in range(rounds + 1):
            # Each begins as often as the others.
            for name in (*names[turn % len(names) :], *names[: turn % len(names)]):
                size = len(answers.get(name, answers["srv"]))
                measured = run_round(running[name], scenario, request, size, scenario.seconds or seconds)
                if turn:
                    by_server[name].append(measured)
        for name in answers:
            ask(running[name], scenario, request)
        found[scenario.name] = by_server
        shown = report.summarize({scenario.name: by_server})[scenario.name]
        print(scenario.name, *(f"{name} {each['cpu']:.0f} us" for name, each in shown.items()), sep=", ", flush=True)
    return found


def _grow(server: Server) -> list[dict[str, float]]:
    """Return CPU and memory of single binary requests of growing size."""
    growth: list[dict[str, float]] = []
    for mebibytes in _SIZES:
        request = binary_request("sum", {"x": values(mebibytes << 18)})
        head = f"POST /v2/models/sum/infer HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(request.body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in request.headers.items()) + "\r\n"
        costs: list[float] = []
        grown = 0.0
        for _ in range(5 if mebibytes <= 64 else 2):
            server.reset_peak()
            idle, before = server.peak(), server.cpu()
            _send(server, head.encode(), request.body)
            costs.append(server.cpu() - before)
            grown = max(grown, server.peak() - idle)
        growth.append({"size": mebibytes, "cpu": sum(costs) / len(costs) * 1e3, "grown": grown})
    return growth


def _send(server: Server, head: bytes, body: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.http_port)) as connection:
        connection.sendall(head)
        connection.sendall(body)
        answer = connection.recv(1 << 16)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"a large request has failed: {answer[:500]!r}")


def _machine(pythons: Mapping[str, str]) -> str:
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", info)
    rivals = {
        "MLServer": subprocess.run(
            [pythons["mlserver"], "-c", _VERSION.format("mlserver")], capture_output=True, text=True, check=True
        ).stdout,
        "KServe": subprocess.run(
            [pythons["kserve"], "-c", _VERSION.format("kserve")], capture_output=True, text=True, check=True
        ).stdout,
    }
    ours = {name: version(name) for name in ("uvloop", "uvicorn", "grpclib", "numpy", "msgspec", "grpcio")}
    versions = ", ".join(f"{name} {each.strip()}" for name, each in {**rivals, **ours}.items())
    return (
        f"{model[1] if model else platform.machine()}, {info.count('processor	')} cores, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}; {versions}; {time.strftime('%Y-%m-%d')}"
    )


_VERSION: Final = "import importlib.metadata as m; print(m.version('{}'))"


def _write(tables: Mapping[str, str], results: Mapping[str, Any]) -> None:
    page = _DOCS / "README.md"
    text = page.read_text()
    for name, table in tables.items():
        text = report.replace_between(text, name, table)
    page.write_text(text)
    _RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    report.plot(results["ratios"], _DOCS / "cpu.svg")


if __name__ == "__main__":
    sys.exit(main())

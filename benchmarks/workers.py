"""What a model in a worker process costs, and what several bring. Writes docs/benchmarks/workers.md."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple

import report
from load import ask, check_tools, run_round
from payloads import SCENARIOS, Scenario, grpc_request, values
from servers import HERE, run, wait_ready

if TYPE_CHECKING:
    from collections.abc import Mapping

    from load import Round
    from servers import Server

_PAGE: Final = HERE.parent / "docs" / "benchmarks" / "workers.md"
_SERVERS: Final = ("srv", "srv-worker", "mlserver-worker")
_ROUNDS: Final = 3


class _Target(NamedTuple):
    """What is asked of a scenario: at most so many times the CPU in process, at least so many times MLServer."""

    in_process: float | None = None
    rival: float | None = None


_TARGETS: Final[Mapping[str, _Target]] = {
    "REST JSON, 4 values": _Target(in_process=2),
    "gRPC raw, 4 values": _Target(in_process=2),
    "gRPC raw, 256 KiB, sum": _Target(in_process=1.5),
    "gRPC raw, 4 MiB, sum": _Target(rival=10),
    "gRPC raw, 4 MiB, identity": _Target(rival=10),
}
_CODE: Final = """
import time

import numpy as np
from srv import MLModel, decode_args


class Busy(MLModel):
    @decode_args
    def predict(self, x: np.ndarray) -> np.ndarray:
        end = time.thread_time() + 0.005
        while time.thread_time() < end:
            pass
        return x
"""
_SCALE: Final = 1.8


def main() -> int:
    """Return 0, or 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", action="append", default=[], metavar="SERVER=PATH", help=argparse.SUPPRESS)
    pythons = dict(each.split("=", 1) for each in parser.parse_args().python)
    check_tools()
    with TemporaryDirectory() as folder:
        cost, cheap = _cost(pythons, folder)
        scale, scales = _scale(folder)
    page = report.replace_between(_PAGE.read_text(), "cost", cost)
    _PAGE.write_text(report.replace_between(page, "scale", scale))
    print(cost, scale, "" if cheap and scales else "a target is missed", sep="\n\n")
    return int(not (cheap and scales))


def _cost(pythons: Mapping[str, str], folder: str) -> tuple[str, bool]:
    """Return a table of the CPU for one request, and whether the targets are met."""
    head = ("scenario", "in process, us", "one worker, us", "times", "MLServer, one worker, us", "times", "target")
    rows: list[tuple[str, ...]] = [head, ("---",) * len(head)]
    met = True
    with ExitStack() as stack:
        names = [name for name in _SERVERS if name.startswith("srv") or name.partition("-")[0] in pythons]
        running = {name: stack.enter_context(run(name, pythons, Path(folder, f"{name}.log"))) for name in names}
        for server in running.values():
            wait_ready(server)
        for scenario in SCENARIOS:
            target = _TARGETS.get(scenario.name)
            if target is None:
                continue
            cpu = {name: each.cpu for name, each in _interleaved(running, scenario).items()}
            inside, worker, rival = cpu["srv"], cpu["srv-worker"], cpu.get("mlserver-worker")
            met = met and (target.in_process is None or worker <= target.in_process * inside)
            met = met and (target.rival is None or rival is None or rival >= target.rival * worker)
            wanted = "" if target.in_process is None else f"at most {target.in_process:g}x in process"
            if target.rival is not None:
                wanted = f"at least {target.rival:g}x MLServer"
            rows.append(
                (
                    *(scenario.name, f"{inside:,.0f}", f"{worker:,.0f}", f"{worker / inside:.2f}x"),
                    *(("", "") if rival is None else (f"{rival:,.0f}", f"{rival / worker:.1f}x")),
                    wanted,
                )
            )
            print(*rows[-1], sep=", ", flush=True)
    return report.markdown(rows), met


def _interleaved(running: Mapping[str, Server], scenario: Scenario) -> dict[str, Round]:
    """Return each server's best round, of which they have one after the other."""
    request = scenario.make()
    sizes = {name: len(ask(server, scenario, request)) for name, server in running.items()}
    rounds: dict[str, list[Round]] = {name: [] for name in running}
    for turn in range(_ROUNDS + 1):
        for name, server in running.items():
            found = run_round(server, scenario, request, sizes[name], scenario.seconds or 1)
            # The first one warms up.
            if turn:
                rounds[name].append(found)
    return {name: min(each, key=lambda found: found.cpu) for name, each in rounds.items()}


def _scale(folder: str) -> tuple[str, bool]:
    """Return a table of requests per second of a model that computes for 5 ms, and whether two workers are worth it."""
    head = ("workers", "requests per second", "p50 / p99, ms", "times")
    rows: list[tuple[str, ...]] = [head, ("---",) * len(head)]
    models = Path(folder, "models")
    for count in (1, 2):
        model = models / f"busy{count}"
        model.mkdir(parents=True)
        (model / "models.py").write_text(_CODE)
        (model / "model-settings.json").write_text(
            json.dumps({"implementation": "models.Busy", "parameters": {"workers": count}})
        )
    rates: list[float] = []
    with run("srv", {}, Path(folder, "scale.log"), models, pin=False) as server:
        wait_ready(server)
        best: dict[int, Round] = {}
        for count in (1, 2) * _ROUNDS:
            found = _compute(server, f"busy{count}")
            if count not in best or found.rate > best[count].rate:
                best[count] = found
    for count, found in best.items():
        rates.append(found.rate)
        latency = f"{found.p50:.1f} / {found.p99:.1f}"
        rows.append((str(count), f"{found.rate:,.0f}", latency, f"{found.rate / rates[0]:.2f}x"))
    return report.markdown(rows), rates[1] >= _SCALE * rates[0]


def _compute(server: Server, model: str) -> Round:
    array = values(4)
    request = grpc_request(model, {"x": array})
    scenario = Scenario(model, "grpc", lambda: request, lambda: array, (), 4)
    return run_round(server, scenario, request, len(ask(server, scenario, request)), 2)


if __name__ == "__main__":
    sys.exit(main())

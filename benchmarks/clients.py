"""Compare srv.client with tritonclient's clients against one server; prints a table (``nox -s bench`` writes it)."""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.grpc.aio as triton_grpc_aio
import tritonclient.http as triton_http
import tritonclient.http.aio as triton_http_aio

from report import replace_between
from servers import cores, run
from srv.client import AsyncClient, Client

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Server

_PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "benchmarks" / "client.md"
_OUTPUT: Final = "output-0"
_TURNS: Final = 9


@dataclass(frozen=True)
class Cost:
    """Microseconds of one call: until its answer is there, and of the client's CPU."""

    wall: float
    cpu: float


def _read(answer: Any) -> Any:
    return answer.as_numpy(_OUTPUT)


def _triton_input(module: Any, array: Any) -> list[Any]:
    given = module.InferInput("x", list(array.shape), "FP32")
    given.set_data_from_numpy(array)
    return [given]


def _blocking(server: Server, protocol: str, model: str, array: Any, stack: ExitStack) -> dict[str, Callable[[], Any]]:
    """Return what makes one call of each client."""
    port = server.http_port if protocol == "http" else server.grpc_port
    ours = stack.enter_context(Client(f"{protocol}://127.0.0.1:{port}"))
    module = triton_http if protocol == "http" else triton_grpc
    theirs = module.InferenceServerClient(f"127.0.0.1:{port}")
    stack.callback(theirs.close)
    return {
        "srv": lambda: ours.infer(model, {"x": array})[_OUTPUT],
        "tritonclient": lambda: _read(theirs.infer(model, _triton_input(module, array))),
    }


async def _asynchronous(
    server: Server, protocol: str, model: str, array: Any, count: int, at_once: int
) -> dict[str, list[Cost]]:
    """Return what calls cost of which some are under way at the same time."""
    port = server.http_port if protocol == "http" else server.grpc_port
    module = triton_http_aio if protocol == "http" else triton_grpc_aio
    theirs = module.InferenceServerClient(f"127.0.0.1:{port}")
    async with AsyncClient(f"{protocol}://127.0.0.1:{port}") as ours:

        async def ask_ours() -> Any:
            return (await ours.infer(model, {"x": array}))[_OUTPUT]

        async def ask_theirs() -> Any:
            return _read(await theirs.infer(model, _triton_input(module, array)))

        calls = {"srv": ask_ours, "tritonclient": ask_theirs}
        first = [await call() for call in calls.values()]
        if not np.array_equal(*first):
            raise RuntimeError("the clients do not have the same answer")
        found: dict[str, list[Cost]] = {name: [] for name in calls}
        for _ in range(_TURNS):
            for name, call in calls.items():

                async def work(call: Any = call) -> None:
                    for _ in range(count // at_once):
                        await call()

                wall, cpu = time.perf_counter(), time.process_time()
                await asyncio.gather(*(work() for _ in range(at_once)))
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                found[name].append(Cost(wall / count * 1e6, cpu / count * 1e6))
    await theirs.close()
    return found


def _synchronous(server: Server, protocol: str, model: str, array: Any, count: int) -> dict[str, list[Cost]]:
    with ExitStack() as stack:
        calls = _blocking(server, protocol, model, array, stack)
        first = [call() for call in calls.values()]
        if not np.array_equal(*first):
            raise RuntimeError("the clients do not have the same answer")
        found: dict[str, list[Cost]] = {name: [] for name in calls}
        for _ in range(_TURNS):
            for name, call in calls.items():
                wall, cpu = time.perf_counter(), time.process_time()
                for _ in range(count):
                    call()
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                found[name].append(Cost(wall / count * 1e6, cpu / count * 1e6))
        return found


_ARRAYS: Final = {
    "4 values": ("sum", (1, 4), 400),
    "1,024 values": ("sum", (1, 1024), 400),
    "4 MiB, sum": ("sum", (1, 1 << 20), 16),
    "4 MiB, identity": ("identity", (1, 1 << 20), 16),
}


def main() -> int:
    """Return 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write the table to {_PAGE.name}")
    options = parser.parse_args()
    os.sched_setaffinity(0, cores()[1])
    rows = [
        "| calls | rate | CPU of the client | srv, us | tritonclient, us | srv, CPU us | tritonclient, CPU us |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    with TemporaryDirectory() as folder, run("srv", {}, Path(folder, "log")) as server:
        for protocol in ("http", "grpc"):
            for name, (model, shape, count) in _ARRAYS.items():
                array = np.random.default_rng(0).random(shape, np.float32)
                ways = {
                    "": _synchronous(server, protocol, model, array, count),
                    ", asyncio": asyncio.run(_asynchronous(server, protocol, model, array, count, 1)),
                    ", asyncio, 8 at once": asyncio.run(_asynchronous(server, protocol, model, array, count, 8)),
                }
                for way, costs in ways.items():
                    rows.append(_row(f"{'REST' if protocol == 'http' else 'gRPC'}, {name}{way}", costs))
                    print(rows[-1], flush=True)
    if options.write:
        _PAGE.write_text(replace_between(_PAGE.read_text(), "clients", "\n".join(rows)))
    return 0


def _row(name: str, costs: dict[str, list[Cost]]) -> str:
    wall = {each: statistics.median(cost.wall for cost in of_it) for each, of_it in costs.items()}
    cpu = {each: statistics.median(cost.cpu for cost in of_it) for each, of_it in costs.items()}
    ratios = f"{wall['tritonclient'] / wall['srv']:.2f}x | {cpu['tritonclient'] / cpu['srv']:.2f}x"
    shown = (*wall.values(), *cpu.values())
    return f"| {name} | {ratios} | {' | '.join(f'{each:,.0f}' for each in shown)} |"


if __name__ == "__main__":
    sys.exit(main())

"""What it brings to answer requests together, where a model's cost is per call. Writes docs/benchmarks/batching.md."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final
from urllib.request import urlopen

import report
from load import ask, check_tools, run_round
from payloads import Scenario, binary_request, grpc_request, values
from servers import HERE, run, wait_ready

if TYPE_CHECKING:
    from load import Round
    from servers import Server

_PAGE: Final = HERE.parent / "docs" / "benchmarks" / "batching.md"
# Requests at once; each connection of the gRPC tool has two.
_CLIENTS: Final = {"rest": (1, 64), "grpc": (2, 64)}
_TARGET: Final = 10.0
_ROUNDS: Final = 3
_TWICE: Final = 2
_MANY: Final = 64


_CODE: Final = """
import time

import numpy as np
from srv import MLModel, decode_args


class PerCall(MLModel):
    @decode_args
    def predict(self, x: np.ndarray) -> np.ndarray:
        time.sleep(0.005)
        return x * 2
"""
_MODELS: Final = {"alone": {}, "together": {"max_batch_size": 64, "max_batch_time": 0.01}}


def main() -> int:
    """Return 0, or 1 if the target is missed."""
    check_tools()
    head = ("protocol", "clients", "alone, req/s", "p50 / p99, ms", "together, req/s", "p50 / p99, ms", "times", "rows")
    rows: list[tuple[str, ...]] = [head, ("---",) * len(head)]
    met = True
    with TemporaryDirectory() as folder, run("srv", {}, Path(folder, "srv.log"), _repository(folder)) as server:
        wait_ready(server)
        for protocol, numbers in _CLIENTS.items():
            for clients in numbers:
                alone = _measure(server, "alone", protocol, clients)
                before = _counts(server)
                together = _measure(server, "together", protocol, clients)
                inferences, executions = (after - each for after, each in zip(_counts(server), before, strict=True))
                times = together.rate / alone.rate
                met = met and (clients < _MANY or times >= _TARGET)
                rows.append(
                    (
                        *("REST binary" if protocol == "rest" else "gRPC raw", str(clients)),
                        *(f"{alone.rate:,.0f}", _latency(alone), f"{together.rate:,.0f}", _latency(together)),
                        *(f"{times:.1f}x", f"{inferences / executions:.1f}"),
                    )
                )
                print(*rows[-1], sep=", ", flush=True)
    table = report.markdown(rows)
    _PAGE.write_text(report.replace_between(_PAGE.read_text(), "batching", table))
    print(table if met else f"{table}\n\nthe target is missed")
    return int(not met)


def _repository(folder: str) -> Path:
    """Return a folder with the same model twice."""
    for name, settings in _MODELS.items():
        model = Path(folder, "models", name)
        model.mkdir(parents=True)
        (model / "models.py").write_text(_CODE)
        (model / "model-settings.json").write_text(json.dumps({"implementation": "models.PerCall", **settings}))
    return Path(folder, "models")


def _measure(server: Server, model: str, protocol: str, clients: int) -> Round:
    """Return the best of a few rounds of load."""
    array = values(16)
    make = binary_request if protocol == "rest" else grpc_request
    connections = clients if protocol == "rest" else clients // 2
    scenario = Scenario(f"{model}, {protocol}", protocol, lambda: request, lambda: array * _TWICE, (), connections)
    request = make(model, {"x": array})
    size = len(ask(server, scenario, request))
    return max((run_round(server, scenario, request, size, 1) for _ in range(_ROUNDS)), key=lambda each: each.rate)


def _counts(server: Server) -> tuple[int, int]:
    """Return how many rows the model has answered, and in how many calls."""
    with urlopen(f"http://127.0.0.1:{server.http_port}/v2/models/together/stats") as answer:
        (found,) = json.load(answer)["model_stats"]
    return found.get("inference_count", 0), found.get("execution_count", 0)


def _latency(each: Round) -> str:
    return f"{each.p50:.1f} / {each.p99:.1f}"


if __name__ == "__main__":
    sys.exit(main())

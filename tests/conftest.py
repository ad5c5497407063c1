"""Servers as users start them: the command ``srv start``, in a process of its own, on free ports."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
SRV: Final = Path(sys.executable).with_name("srv")
_ADDRESS: Final = re.compile(r"^(REST|gRPC|metrics) +(?:http://)?(\S+:\d+)$", re.MULTILINE)
_START_SECONDS: Final = 60
_FREE_PORTS: Final = MappingProxyType({"SRV_HTTP_PORT": "0", "SRV_GRPC_PORT": "0", "SRV_METRICS_PORT": "0"})


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs, and where: ``host:port`` of each front."""

    process: subprocess.Popen[bytes]
    folder: Path
    http: str
    grpc: str
    metrics: str

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return (self.folder / "stdout").read_text()

    @property
    def report(self) -> str:
        """What it has shown to whoever started it."""
        return (self.folder / "stderr").read_text()


Serve = Callable[..., AbstractContextManager[Served]]
"""``serve(folder, environ={...})``"""


@contextmanager
def _serve(folder: Path, environ: Mapping[str, str] = MappingProxyType({})) -> Iterator[Served]:
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(("SRV_", "MLSERVER_"))}
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        with (place / "stdout").open("wb") as stdout, (place / "stderr").open("wb") as stderr:
            process = subprocess.Popen(
                [SRV, "start", folder],
                cwd=place,
                env={**inherited, **_FREE_PORTS, **environ},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
        try:
            yield _wait(process, place)
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            finally:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes], place: Path) -> Served:
    """Return the server once it has said where it listens, which it does when its models are loaded."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        addresses = dict(_ADDRESS.findall((place / "stderr").read_text()))
        if "metrics" in addresses:
            return Served(process, place, addresses["REST"], addresses["gRPC"], addresses["metrics"])
        time.sleep(0.02)
    texts = [(place / name).read_text() for name in ("stdout", "stderr")]
    pytest.fail("\n".join(["the server did not start:", *texts]))


@pytest.fixture(scope="session")
def serve() -> Serve:
    """Start servers: a context manager of a folder and environment variables."""
    return _serve


@pytest.fixture(scope="session")
def examples(serve: Serve) -> Iterator[Served]:
    """Serve the folder ``examples``."""
    with serve(ROOT / "examples") as served:
        yield served

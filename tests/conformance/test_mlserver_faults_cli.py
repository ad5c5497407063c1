"""Faults of MLServer's command that ours does not have: importing it took 1.5 s, and a failure was a success."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# What MLServer's command imports before it knows what it is to do, or what would take as long here.
HEAVY: Final = {
    "fastapi",
    "gevent",
    "grpc",
    "litestar",
    "opentelemetry",
    "pandas",
    "pyarrow",
    "pydantic",
    "tritonclient",
    "uvicorn",
}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "srv", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", ["srv", "srv.cli"])
def test_importing_the_package_or_its_command_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert "srv" in loaded
    assert {name.partition(".")[0] for name in loaded} & HEAVY == set()


def test_a_server_that_cannot_start_does_not_exit_with_0(tmp_path: Path) -> None:
    (tmp_path / "model-settings.json").write_text('{"name": "m", "implementation": "models.Missing"}')
    (tmp_path / "settings.json").write_text('{"http_port": 0, "grpc_port": 0, "metrics_port": 0}')

    ended = run("start", str(tmp_path))

    assert ended.returncode == 1
    assert "no module 'models'" in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("start", "nowhere"), "'nowhere' does not exist"),
        (("start", "--port", "1"), "No such option"),
        (("strat",), "No such command 'strat'"),
    ],
)
def test_what_the_command_does_not_know_is_named(arguments: tuple[str, ...], text: str) -> None:
    ended = run(*arguments)

    assert ended.returncode == 2
    assert text in ended.stderr


def test_the_version_is_one_line() -> None:
    ended = run("--version")

    assert (ended.returncode, ended.stdout.count("\n")) == (0, 1)

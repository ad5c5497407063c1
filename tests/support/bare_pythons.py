"""Pythons of this machine with nothing but numpy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

NUMPY: Final = {"3.10": "1.24.4", "3.12": "1.26.4", "3.13": "2.2.1"}
"""The Pythons, each with its version of numpy, which is not the server's."""


def find_python(version: str) -> str:
    """Return a Python's executable; skips the test where that is not installed."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = [*map(str, root.glob(f"versions/{version}.*/bin/python3")), shutil.which(f"python{version}")]
    for each in filter(None, found):
        program = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
        asked = subprocess.run([each, "-I", "-c", program], capture_output=True, text=True, check=False)
        if asked.stdout.strip() == version:
            return each
    pytest.skip(f"Python {version} is not installed")


def make_environment(version: str, folder: Path) -> Path:
    """Return the Python of a new environment, which has numpy; skips the test where there is no such Python."""
    _run(find_python(version), "-I", "-m", "venv", "--without-pip", str(folder))
    python = folder / "bin" / "python"
    _run(
        *(sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--no-compile", "--only-binary=:all:", f"numpy=={NUMPY[version]}"),
    )
    return python


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        # As where there is no network.
        pytest.skip(f"{' '.join(command)}: {done.stderr.strip()}")

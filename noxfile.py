"""The project's tasks: ``nox -l`` lists them, ``nox`` alone runs what a change needs before it is pushed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.default_venv_backend = "virtualenv"
nox.options.error_on_missing_interpreters = False

PYPROJECT: Final = nox.project.load_toml("pyproject.toml")
SUPPORTED: Final = ("3.11", "3.12", "3.13")


def _runs(version: str) -> bool:
    """Say whether the PATH leads to a working interpreter; pyenv's shims exist for versions that are switched off."""
    command = shutil.which(f"python{version}")
    return command is not None and subprocess.run([command, "-c", ""], capture_output=True, check=False).returncode == 0


def _release(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in folder.name.split("."))


def _interpreters() -> list[str]:
    """Return the Python versions to test on.

    A version that the PATH does not offer, but that pyenv has installed, is put on the PATH. One that is nowhere is
    left in the list, for nox to report as skipped; but where there is none at all, the running one is tested, so that
    a run of no tests never looks like success.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found: list[str] = []
    for version in SUPPORTED:
        installed = [
            folder
            for folder in pyenv.glob(f"versions/{version}.*")
            if re.fullmatch(r"[\d.]+", folder.name) and (folder / "bin" / f"python{version}").exists()
        ]
        if not _runs(version) and installed:
            newest = max(installed, key=_release)
            os.environ["PATH"] = os.pathsep.join([str(newest / "bin"), os.environ["PATH"]])
        if _runs(version):
            found.append(version)
    return list(SUPPORTED) if found else [f"{sys.version_info.major}.{sys.version_info.minor}"]


def _group(*names: str) -> tuple[str, ...]:
    """Return the requirements of dependency groups, for versions of pip that have no --group."""
    return nox.project.dependency_groups(PYPROJECT, *names)


@nox.session(python=_interpreters())
def tests(session: nox.Session) -> None:
    """Run the tests on every supported Python that is installed; arguments behind -- go to pytest."""
    session.install(".", *_group("test", "conformance", "codegen"))
    session.run("pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format; `nox -s lint -- --fix` repairs what can be repaired."""
    session.install(*_group("lint"))
    if "--fix" in session.posargs:
        session.run("ruff", "check", "--fix")
        session.run("ruff", "format")
    else:
        session.run("ruff", "check")
        session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types with mypy and pyright, both strict."""
    session.install("-e", ".", *_group("types", "test", "codegen"))
    session.run("mypy")
    session.run("pyright")


@nox.session
def codegen(session: nox.Session) -> None:
    """Generate the code for the .proto files; `nox -s codegen -- --check` only says whether it is up to date."""
    session.install("-e", ".", *_group("codegen"))
    session.run("python", "-m", "srv_codegen", *session.posargs)

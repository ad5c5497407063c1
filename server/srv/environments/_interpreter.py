"""Pythons of this machine: what one is, and where one of a version is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from srv_protocol.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

OLDEST: Final = (3, 10)
"""The oldest Python that a model may run under."""

# Isolated: neither the working directory nor a user's own packages are on sys.path.
FLAGS: Final = ("-I",)

# Seconds; a Python on a network's file system may take some when it is started for the first time.
_PATIENCE: Final = 120.0

# The last line, as a .pth file may print something. Words of Python 3.0, so that an old one can say that it is old.
_QUESTIONS: Final = """
import importlib.util, json, os, sys
base = getattr(sys, "base_exec_prefix", sys.exec_prefix)
free_threaded = "t" in getattr(sys, "abiflags", "")
label = "%d.%d%s" % (sys.version_info[0], sys.version_info[1], "t" if free_threaded else "")
print()
print(json.dumps({
    "version": sys.version_info[:2],
    "label": label,
    "base": [os.path.join(base, "bin", "python" + label), getattr(sys, "_base_executable", None) or sys.executable],
    "path": sys.path,
    "has_numpy": importlib.util.find_spec("numpy") is not None,
}))
"""

# Where installers put Pythons: a variable and what it is by default, and the folders of releases below that.
_INSTALLERS: Final = (
    ("PYENV_ROOT", "~/.pyenv", "versions/*/bin"),
    ("UV_PYTHON_INSTALL_DIR", "~/.local/share/uv/python", "*/bin"),
)
_FOLDERS: Final = ("~/.local/bin", "/usr/local/bin", "/usr/bin", "/opt/homebrew/bin")


class UnusablePython(Exception):
    """A Python that cannot be started, or says nothing of itself; the text says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interpreter:
    """What a Python says of itself.

    Attributes:
        executable: as it was started.
        version: major and minor.
        label: the version as it stands in names of files: ``3.12``, and ``3.13t`` of a free-threaded one.
        base: where the executable may be that it is a virtual environment of; itself if it is of none.
        path: its ``sys.path``.
        has_numpy: whether it finds NumPy.
    """

    executable: str
    version: tuple[int, int]
    label: str
    base: tuple[str, ...]
    path: tuple[str, ...]
    has_numpy: bool


def run(command: Sequence[str], environ: Mapping[str, str], patience: float) -> bytes:
    """Run a Python, and return what it writes. Blocks.

    Raises:
        UnusablePython: it cannot be started, fails, or takes longer than `patience` seconds.
    """
    try:
        done = subprocess.run(  # noqa: S603  # whoever gives a model an environment has its code run
            command,
            env=dict(environ),
            # Not the server's working directory, in which things may lie that count.
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=patience,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnusablePython(f"it takes longer than {patience:.0f} seconds") from None
    except OSError as error:
        # The kernel says "not found" of the loader that a program names, too.
        loader = isinstance(error, FileNotFoundError) and Path(command[0]).exists()
        raise UnusablePython("it is a program of another system" if loader else error.strerror or str(error)) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or [f"status {done.returncode}"]
        raise UnusablePython(said[-1][:500])
    return done.stdout


def ask(executable: Path, environ: Mapping[str, str]) -> Interpreter:
    """Start a Python and return what it says of itself. Blocks.

    Raises:
        UnusablePython: it cannot be started, or does not answer.
    """
    said = run([str(executable), *FLAGS, "-c", _QUESTIONS], environ, _PATIENCE)
    try:
        answer = cast("dict[str, list[str]]", json.loads(said.splitlines()[-1]))
        major, minor = map(int, answer["version"])
        return Interpreter(
            executable=str(executable),
            version=(major, minor),
            label=str(answer["label"]),
            base=tuple(answer["base"]),
            path=tuple(answer["path"]),
            has_numpy=bool(answer["has_numpy"]),
        )
    except (ValueError, KeyError, IndexError, TypeError):
        raise UnusablePython("it does not answer as a Python does") from None


def find_base(label: str, environ: Mapping[str, str]) -> Path:
    """Return a Python of a version which is of no virtual environment: the server's own if that fits. Blocks.

    Raises:
        LoadError: there is none where one might be.
    """
    looked: list[str] = []
    for folder in _folders(environ):
        if str(folder) not in looked:
            looked.append(str(folder))
            candidate = folder / f"python{label}"
            if candidate.exists():
                base = _base(candidate, label, environ)
                if base is not None:
                    return base
    raise LoadError(f"no python{label} was found: looked in {', '.join(looked)}")


def _base(candidate: Path, label: str, environ: Mapping[str, str]) -> Path | None:
    try:
        found = ask(candidate, environ)
    except UnusablePython:
        return None  # as pyenv's are that are not switched on
    return next((Path(each) for each in found.base if found.label == label and os.access(each, os.X_OK)), None)


def _folders(environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield where Pythons may be: the server's own, those on the PATH, then the newest release of each installer."""
    home = environ.get("HOME", "/")
    yield Path(sys.base_exec_prefix, "bin")
    yield from filter(Path.is_absolute, map(Path, environ.get("PATH", os.defpath).split(os.pathsep)))
    for variable, default, releases in _INSTALLERS:
        root = Path(environ.get(variable) or default.replace("~", home))
        yield from sorted(root.glob(releases), key=_numbers, reverse=True)
    yield from (Path(each.replace("~", home)) for each in _FOLDERS)


def _numbers(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path.parent.name)]

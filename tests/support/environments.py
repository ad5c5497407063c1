"""Environments of models, of the kinds and the Pythons that the server takes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Final

import pytest

from srv.environments._interpreter import find_base
from srv_protocol.errors import LoadError

LAYOUTS: Final = ("venv", "venv-elsewhere", "venv-pack", "uv", "conda-pack", "site-packages")
"""``venv-elsewhere`` is a tarball of ``python -m venv`` from a machine whose Python lies elsewhere."""

NUMPY: Final = {"3.10": "1.26.4", "3.11": "1.26.4", "3.12": "1.26.4", "3.13": "2.1.3"}
"""The Pythons, each with the version of NumPy in its environments, which is not the server's."""

# Of a Python's own library, what no model needs.
_SPARE: Final = ("__pycache__", "test", "tests", "idlelib", "ensurepip", "lib2to3", "tkinter", "turtledemo", "config-*")


def base(version: str) -> Path:
    """Return a Python of this machine that is of no virtual environment; skips the test if there is none."""
    try:
        return find_base(version, os.environ)
    except LoadError:
        pytest.skip(f"Python {version} is not installed")


def names(folder: Path) -> list[str]:
    """Return what is in a folder, in order."""
    return sorted(path.name for path in folder.iterdir())


class Workshop:
    """Makes environments in a folder, each once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def tarball(self, layout: str, version: str) -> Path:
        """Return the tarball of an environment whose original is gone."""
        made = self._folder / f"{layout}-{version}.tar.gz"
        if not made.exists():
            # Two names at most are in use, so that a test which is killed in between leaves no half of one.
            unfinished = made.with_name(f"unfinished-{made.name}")
            original = self.folder(layout, version, self._folder / "original")
            _PACKERS.get(layout, _tar)(original, unfinished)
            shutil.rmtree(original)
            unfinished.rename(made)
        return made

    def folder(self, layout: str, version: str, folder: Path) -> Path:
        """Make an environment in a folder that is not there yet, and return it."""
        python = base(version)
        packages = self.packages(version)
        if layout == "site-packages":
            shutil.copytree(packages, folder)
            return folder
        if layout == "uv":
            command = [shutil.which("uv") or "uv", "venv", "--quiet", "--offline", "--no-project", "--relocatable"]
            _run(*command, "--python", str(python), str(folder))
        elif layout == "conda-pack":
            _copy_python(python, version, folder)
        else:
            _run(str(python), "-I", "-m", "venv", "--without-pip", str(folder))
        shutil.copytree(packages, folder / "lib" / f"python{version}" / "site-packages", dirs_exist_ok=True)
        if layout == "venv-elsewhere":
            _forget(folder, python, version)
        return folder

    def packages(self, version: str) -> Path:
        """Return a folder that pip has installed NumPy into, for a Python which need not be there."""
        target = self._folder / f"packages-{version}"
        if not target.exists():
            options = ("--quiet", "--no-deps", "--no-compile", "--only-binary=:all:", "--disable-pip-version-check")
            requirement = f"numpy=={NUMPY[version]}"
            unfinished = self._folder / f"unfinished-{version}"
            _run(
                *(sys.executable, "-m", "pip", "install", *options, "--target", str(unfinished)),
                *("--python-version", version, requirement),
            )
            for name in ("tests", "include", "f2py", "distutils", "bin"):
                for path in [*unfinished.rglob(name)]:
                    shutil.rmtree(path, ignore_errors=True)
            unfinished.rename(target)
        return target


def _copy_python(python: Path, version: str, folder: Path) -> None:
    """Copy a Python into a folder which conda-pack takes for one of conda, and where it finds its own library."""
    if sys.platform != "linux":
        pytest.skip("a Python can be made to find its library where it is copied to, but only patchelf is tried here")
    prefix = python.parents[1]
    (folder / "bin").mkdir(parents=True)
    (folder / "conda-meta").mkdir()
    (folder / "conda-meta" / "history").touch()
    library = folder / "lib" / f"python{version}"
    shutil.copytree(prefix / "lib" / library.name, library, ignore=shutil.ignore_patterns("site-packages", *_SPARE))
    for path in (prefix / "lib").glob("libpython*.so*"):
        shutil.copy2(path, folder / "lib", follow_symlinks=False)
    name = f"python{version}"
    shutil.copy2(prefix / "bin" / name, folder / "bin")
    (folder / "bin" / "python").symlink_to(name)
    # As conda builds it.
    (folder / "bin" / name).chmod(0o755)
    _run("patchelf", "--set-rpath", "$ORIGIN/../lib", str(folder / "bin" / name))


def _forget(folder: Path, python: Path, version: str) -> None:
    """Let the links and the configuration of a virtual environment name a Python that this machine does not have."""
    configuration = folder / "pyvenv.cfg"
    text = configuration.read_text(encoding="utf-8")
    configuration.write_text(text.replace(str(python.parent), "/nowhere/bin"), encoding="utf-8")
    for path in (folder / "bin").glob("python*"):
        path.unlink()
        path.symlink_to("python" if path.name != "python" else f"/nowhere/bin/python{version}")


# Not compressed, which would take longer than all else.
def _tar(folder: Path, file: Path) -> None:
    with tarfile.open(file, "w:gz", compresslevel=0) as tar:
        tar.add(folder, ".")


def _venv_pack(folder: Path, file: Path) -> None:
    _run(
        *("venv-pack", "--quiet", "--compress-level", "0", "--format", "tar.gz"), *("-p", str(folder), "-o", str(file))
    )


def _conda_pack(folder: Path, file: Path) -> None:
    _run(
        *("conda-pack", "--quiet", "--compress-level", "0", "--format", "tar.gz"), *("-p", str(folder), "-o", str(file))
    )


_PACKERS: Final = {"venv-pack": _venv_pack, "conda-pack": _conda_pack}


def _run(*command: str) -> None:
    # The commands of this Python's environment come first, even where that is not activated.
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    name = shutil.which(command[0], path=path) or command[0]
    done = subprocess.run(
        [name, *command[1:]], capture_output=True, text=True, check=False, env=os.environ | {"PATH": path}
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"

"""What lies in an environment's folder, and how its Python is started."""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from srv.environments._environment import REMOVED, Environment
from srv.environments._interpreter import FLAGS, OLDEST, UnusablePython, ask, find_base
from srv_protocol.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_CONFIGURATION: Final = "pyvenv.cfg"
_LIBRARIES: Final = "LD_LIBRARY_PATH"
_PYTHON: Final = re.compile(r"python(3(\.\d+t?)?)?")
_PYTHON_LIBRARY: Final = re.compile(r"python(3\.\d+t?)")
_MADE_WITH: Final = re.compile(r"^version(?:_info)?\s*=\s*(3\.\d+)", re.MULTILINE)
_COMPILED: Final = re.compile(r"(?P<module>.+?)\.cpython-3(?P<minor>\d+t?)-.*\.so")
_HERE: Final = f"{sys.version_info.major}.{sys.version_info.minor}{'t' if 't' in sys.abiflags else ''}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """What lies in an environment's folder.

    Attributes:
        folder: of the environment.
        executables: names of its Python below ``bin``, the best first; bare packages have none.
        is_venv: whether that is a Python of the machine that the environment was made on, rather than its own.
        packages: the folder of its packages.
        labels: the versions of Python that its packages were made with, the best first; empty where nothing says it.
    """

    folder: Path
    executables: tuple[str, ...] = ()
    is_venv: bool = False
    packages: Path | None = None
    labels: tuple[str, ...] = ()

    def open(self, environ: Mapping[str, str]) -> Environment | None:
        """Return the environment if its own Python runs; ``None`` where one of this machine must stand in. Blocks.

        `environ` is that of this process.

        Raises:
            LoadError: its Python is its own, and does not run; or it is one that no model can run under.
        """
        name = next((name for name in self.executables if (self.folder / "bin" / name).exists()), None)
        try:
            if name is not None:
                return self._start(self.folder, name, environ)
        except UnusablePython as error:
            if not self.is_venv:
                raise LoadError(f"bin/{name} does not run: {error}") from None
        if self.packages is None:
            raise LoadError("it has neither a Python that runs nor a folder lib/pythonX.Y/site-packages")
        return None

    def stand_in(self, place: Path, environ: Mapping[str, str]) -> Environment:
        """Return the environment with a Python of this machine. Blocks.

        It becomes a virtual environment below `place`, which has the packages of this one, and links to whatever else
        this one has; one that was made there before is used again.

        Raises:
            LoadError: this machine has no Python of its version, or it is one that no model can run under.
        """
        made = next((label for label in self._wanted() if (place / label).exists()), None)
        if made is not None:
            try:
                return self._start(place / made, f"python{made}", environ)
            except UnusablePython:
                shutil.rmtree(place / made)  # that of this machine is another one by now
        label, base = self._find_base(environ)
        self._link(place / label, label, base)
        try:
            return self._start(place / label, f"python{label}", environ)
        except UnusablePython as error:
            raise LoadError(f"{base} does not run: {error}") from None

    def _start(self, prefix: Path, name: str, environ: Mapping[str, str]) -> Environment:
        # Those of a stand-in come first.
        folders = dict.fromkeys((str(prefix / "bin"), str(self.folder / "bin")))
        variables = {"PATH": os.pathsep.join((*folders, environ.get("PATH", os.defpath)))}
        if (prefix / _CONFIGURATION).exists():
            variables["VIRTUAL_ENV"] = str(prefix)
        if (self.folder / "conda-meta").is_dir():
            variables["CONDA_PREFIX"] = str(self.folder)
        kept = {name: value for name, value in environ.items() if name not in REMOVED}
        executable = prefix / "bin" / name
        try:
            found = ask(executable, kept | variables)
        except UnusablePython as error:
            if "libpython" not in str(error):
                raise
            libraries = (str(self.folder / "lib"), environ.get(_LIBRARIES, ""))
            variables[_LIBRARIES] = os.pathsep.join(filter(None, libraries))
            found = ask(executable, kept | variables)
        if self.is_venv and self.packages is not None:
            looked = {os.path.realpath(each) for each in found.path}
            if os.path.realpath(self.packages) not in looked:
                raise UnusablePython(f"it is Python {found.label}, and does not find the packages")
        check_version(found.label, found.version)
        if not found.has_numpy:
            raise LoadError(f"expected NumPy in it, which every model needs: Python {found.label} finds none")
        return Environment(
            python=(str(executable), *FLAGS), version=found.version, folder=self.folder, variables=variables
        )

    def _wanted(self) -> tuple[str, ...]:
        return self.labels or (_HERE,)

    def _find_base(self, environ: Mapping[str, str]) -> tuple[str, Path]:
        reasons: list[str] = []
        for label in self._wanted():
            check_version(label, (3, int(label[2:].rstrip("t"))))
            try:
                return label, find_base(label, environ)
            except LoadError as error:
                reasons.append(error.message)
        raise LoadError(f"it was made with Python {' or '.join(self._wanted())}, and {'; '.join(reasons)}")

    def _link(self, place: Path, label: str, base: Path) -> None:
        library = place / "lib" / f"python{label}"
        library.mkdir(parents=True)
        (library / "site-packages").symlink_to(self.packages or self.folder, target_is_directory=True)
        (place / "lib64").symlink_to("lib", target_is_directory=True)
        (place / "bin").mkdir()
        for name in ("python", "python3", f"python{label}"):
            (place / "bin" / name).symlink_to(base)
        (place / _CONFIGURATION).write_text(
            f"home = {base.parent}\ninclude-system-site-packages = false\nversion = {label}\n", encoding="utf-8"
        )
        if self.packages != self.folder:
            for above, folder in ((self.folder, place), (self.folder / "lib", place / "lib")):
                for path in above.iterdir() if above.is_dir() else ():
                    if not (folder / path.name).exists():
                        (folder / path.name).symlink_to(path)


def survey(folder: Path) -> Layout:
    """Return what lies in a folder, or in the only one below it. Blocks.

    Raises:
        LoadError: no environment, or packages that no single Python can import.
    """
    below = sorted(folder.iterdir())
    layout = _recognise(folder)
    if layout is None and len(below) == 1 and below[0].is_dir() and not below[0].is_symlink():
        layout = _recognise(below[0])
    if layout is None:
        names = ", ".join(path.name for path in below[:10]) or "nothing"
        raise LoadError(
            f"expected an environment, with bin/python, lib/pythonX.Y/site-packages, or packages and their .dist-info "
            f"folders, got {names}{', …' if len(below) > 10 else ''}"
        )
    return layout


def check_version(label: str, version: tuple[int, int]) -> None:
    """Raise LoadError where the worker of a model cannot run under this Python."""
    if version < OLDEST:
        raise LoadError(f"expected Python {OLDEST[0]}.{OLDEST[1]} or newer, got {label}")


def _recognise(folder: Path) -> Layout | None:
    binaries, library = folder / "bin", folder / "lib"
    executables = sorted(
        filter(_PYTHON.fullmatch, _names(binaries)), key=lambda name: ("." in name, -_number(name), name)
    )
    libraries = {
        found[1]: library / name / "site-packages"
        for name in _names(library)
        # Conda has a link python3.1 for programs that take two characters for the version.
        if (found := _PYTHON_LIBRARY.fullmatch(name)) and not (library / name).is_symlink()
        if (library / name / "site-packages").is_dir()
    }
    configuration = folder / _CONFIGURATION
    if executables or libraries or configuration.is_file():
        said = _MADE_WITH.search(configuration.read_text(errors="replace")) if configuration.is_file() else None
        label = (
            said[1]
            if said is not None and (said[1] in libraries or not libraries)
            else max(libraries, key=_number, default=None)
        )
        own = bool(executables) and Path(os.path.realpath(binaries / executables[0])).is_relative_to(
            os.path.realpath(folder)
        )
        return Layout(
            folder=folder,
            executables=tuple(executables),
            is_venv=configuration.is_file() or not own,
            packages=None if label is None else libraries.get(label),
            labels=() if label is None else (label,),
        )
    if any((path / "__init__.py").is_file() or path.suffix in {".dist-info", ".egg-info"} for path in folder.iterdir()):
        return Layout(folder=folder, is_venv=True, packages=folder, labels=_compiled_labels(folder))
    return None


def _compiled_labels(folder: Path) -> tuple[str, ...]:
    """Return the versions of Python that can import all compiled modules below a folder; none for any of them."""
    modules: dict[str, set[str]] = {}
    for parent, _, names in os.walk(folder):
        for found in filter(None, map(_COMPILED.fullmatch, names)):
            modules.setdefault(f"{parent}/{found['module']}", set()).add(f"3.{found['minor']}")
    common: set[str] | None = None
    for module, labels in modules.items():
        if common is not None and not common & labels:
            raise LoadError(
                f"expected packages for one Python, got {os.path.relpath(module, folder)} for {_either(labels)} and "
                f"others for {_either(common)}"
            )
        common = labels if common is None else common & labels
    return tuple(sorted(common or (), key=lambda label: (label == _HERE, _number(label)), reverse=True))


def _either(labels: Iterable[str]) -> str:
    return " or ".join(sorted(labels, key=_number))


def _number(text: str) -> int:
    """Return the minor version in a name: 12 of ``python3.12``, and 0 where there is none."""
    found = re.search(r"\.(\d+)", text)
    return 0 if found is None else int(found[1])


def _names(folder: Path) -> list[str]:
    return os.listdir(folder) if folder.is_dir() else []  # noqa: PTH208  # only the names

"""Where the process of a model's own environment begins: ``PYTHON -I _bootstrap.py ARGUMENTS``.

Any Python from 3.10 on runs this as a script, with the standard library alone. Of the server's packages the
environment gets those that model code imports, and nothing else that is installed beside them: an import finder leads
to them, wherever they are. What they need in turn is private to them: it goes by names below :data:`PRIVATE`, and
``import betterproto2`` in model code means the environment's, if it has one.

ARGUMENTS is a JSON object, of which :func:`srv.workers._surface.surface_arguments` makes ``packages``, ``private`` and
``version``; all of it goes on to :func:`srv.workers._main.main`. ``site_directories`` are added to ``sys.path``, in
front, as directories of installed packages are.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.metadata
import json
import re
import site
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import ModuleType
    from typing import Any

PRIVATE = "srv_private"
"""The package above those that are private to the server's."""

DISTRIBUTION = "srv-inference"
OWNERS = frozenset(("srv_protocol",))
"""Packages of the server's whose modules import private ones."""

OLDEST_NUMPY = (1, 24)
NO_NUMPY = 71
"""The exit status where the environment has no numpy that the server's packages can use."""


class Surface(MetaPathFinder):
    """Finds the server's packages in their own places, and private ones for these alone.

    Args:
        packages: the folders of the server's packages, by name.
        private: the folders, or files, of private ones.
        versions: those of distributions, by name.
    """

    def __init__(self, packages: Mapping[str, str], private: Mapping[str, str], versions: Mapping[str, str]) -> None:
        self._packages = dict(packages)
        self._private = dict(private)
        self._versions = dict(versions)
        self._visible = frozenset((DISTRIBUTION,))
        self._for_owners = {**vars(builtins), "__import__": self._import}
        self._for_private = {**vars(builtins), "__import__": self._import_in_private}

    def install(self) -> None:
        """Find from now on, before anything that the environment has under the same names."""
        sys.meta_path.insert(0, self)
        hidden, self._visible = self._visible, self._visible | self._private.keys()
        # They ask for their own versions while they are imported, and never again.
        for name in self._private:
            importlib.import_module(f"{PRIVATE}.{name}")
        self._visible = hidden

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None, /
    ) -> ModuleSpec | None:
        """Return the spec of a module of the server's, or of a private one."""
        del path, target
        top, _, inner = fullname.partition(".")
        if top in self._packages:
            return _find(fullname, self._packages[top], inner, self._for_owners if top in OWNERS else None)
        if top != PRIVATE:
            return None
        if not inner:
            return ModuleSpec(PRIVATE, None, is_package=True)
        name, _, inner = inner.partition(".")
        place = self._private.get(name)
        return None if place is None else _find(fullname, place, inner, self._for_private)

    def find_distributions(
        self, context: importlib.metadata.DistributionFinder.Context | None = None
    ) -> Iterator[importlib.metadata.Distribution]:
        """Yield the distribution of the server, so that its version is that which runs."""
        wanted = None if context is None or context.name is None else re.sub(r"[-_.]+", "-", context.name).lower()
        for name, version in self._versions.items():
            if name in self._visible and wanted in {None, name}:
                yield _Distribution(name, version)

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002  # the name that __import__ gives it
        locals: Mapping[str, object] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """Do what ``__import__`` does, with private packages before those of the environment."""
        top = name.partition(".")[0]
        if level or top not in self._private:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        module = importlib.import_module(f"{PRIVATE}.{name}")
        # Without a list of names, `import a.b` binds `a`.
        return module if fromlist else sys.modules[f"{PRIVATE}.{top}"]

    def _import_in_private(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002
        locals: Mapping[str, object] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """Do what :meth:`_import` does, without what the environment has: nobody has tried these with that."""
        top = name.partition(".")[0]
        if level or top in self._private or top in sys.stdlib_module_names:
            return self._import(name, globals, locals, fromlist, level)
        message = f"No module named {name!r}"
        raise ModuleNotFoundError(message, name=name)


class _Distribution(importlib.metadata.Distribution):
    """A distribution of which the name and the version are known."""

    def __init__(self, name: str, version: str) -> None:
        self._text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"

    def read_text(self, filename: str) -> str | None:
        """Return the metadata, ``None`` for any other file."""
        return self._text if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Any:
        """Return the path itself: no file is known."""
        return path


class _Loader(SourceFileLoader):
    """Loads a module with other builtins than those of all modules: another ``__import__``."""

    def __init__(self, fullname: str, path: str, other_builtins: dict[str, Any]) -> None:
        super().__init__(fullname, path)
        self._builtins = other_builtins

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = self._builtins
        super().exec_module(module)


def _find(fullname: str, place: str, inner: str, other_builtins: dict[str, Any] | None) -> ModuleSpec | None:
    path = Path(place, *inner.split("."))
    is_package = path.is_dir()
    path = path / "__init__.py" if is_package else path if path.suffix == ".py" else path.with_name(f"{path.name}.py")
    if not path.is_file():
        return None
    file = str(path)
    loader = SourceFileLoader(fullname, file) if other_builtins is None else _Loader(fullname, file, other_builtins)
    return spec_from_file_location(
        fullname, file, loader=loader, submodule_search_locations=[str(path.parent)] if is_package else None
    )


def add_site_directories(folders: Iterable[str]) -> None:
    """Put folders of installed packages, and what their ``.pth`` files add, in front of ``sys.path``."""
    before = list(sys.path)
    for folder in folders:
        # The system may have it already, further behind.
        if folder in before:
            before.remove(folder)
            sys.path.remove(folder)
        site.addsitedir(folder)
    known = set(before)
    sys.path[:] = [*(each for each in sys.path if each not in known), *before]


def check_numpy() -> None:
    """End the process, and say why, if the environment's numpy is not there, or cannot be used."""
    try:
        numpy = importlib.import_module("numpy")
    except ImportError as error:
        got = f"{type(error).__name__}: {error}"
    else:
        version = str(numpy.__version__)
        found = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
        if found >= OLDEST_NUMPY:
            return
        got = version
    oldest = ".".join(map(str, OLDEST_NUMPY))
    sys.stderr.write(
        f"srv: the model's environment ({sys.prefix}, Python {sys.version.split()[0]}): expected numpy {oldest} or "
        f"newer, got {got}; install it there: {sys.executable} -m pip install 'numpy>={oldest}'\n"
    )
    sys.exit(NO_NUMPY)


def prepare(arguments: dict[str, Any]) -> None:
    """Make what the environment has, and the server's packages, importable."""
    add_site_directories(arguments.get("site_directories", ()))
    private = arguments["private"]
    versions = {name: each["version"] for name, each in private.items()}
    places = {name: each["path"] for name, each in private.items()}
    check_numpy()
    Surface(arguments["packages"], places, {**versions, DISTRIBUTION: arguments["version"]}).install()


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    prepare(given)
    importlib.import_module("srv.workers._main").main(given)

"""Imports a model's code from its folder, apart from every other model's.

Each model gets a package of its own, ``srv_models.<label>_<n>``, whose modules are the files of the model's folder and
then of the repository's root. Two folders may both hold ``models.py`` and ``helper.py``: nothing is added to
``sys.path``, and no top-level module name is taken.

Model code need not know. Every module of the package has a ``__builtins__`` whose ``__import__`` resolves ``import
helper`` to that package, at the top of the file and, later, inside functions. Source is compiled anew for every
:class:`ModelCode`, so that loading a model again runs what is in its files now.

Which module ``import name`` means in model code:

1. The standard library's, and the packages whose types pass between server and model (:data:`RESERVED`): these are
   the server's own whatever the folder holds. A file that loses by this is reported; ``from . import name`` reaches it.
2. A module or package of the model's folder, then of the root.
3. An installed one.
4. A plain folder (without ``__init__.py``) in the model's folder or the root. It comes last, as in Python, so that
   data in a folder called ``onnx`` does not hide the installed package.

Out of reach, since they do not import through the module that asks: ``importlib.import_module("helper")`` (write
``importlib.import_module(".helper", __package__)``), pickles that name a module of the folder, compiled extension
modules, and other processes that the model starts.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import itertools
import linecache
import logging
import re
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Final, TypeVar, final

from srv.mlserver._aliases import install_aliases, is_of_mlserver
from srv_codecs.content_types import codec_scope, release_codecs
from srv_protocol.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import CodeType

    from srv.controlplane._file_override import ModelFiles

PACKAGE: Final = "srv_models"
"""The package above every model's own; also where the loggers of model code hang."""

RESERVED: Final = sys.stdlib_module_names | {
    "mlserver",
    "numpy",
    "pandas",
    "pyarrow",
    "srv",
    "srv_codecs",
    "srv_protocol",
}
"""Top-level names that model code always gets from outside its folder."""

DISTRIBUTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "PIL": "pillow",
        "bs4": "beautifulsoup4",
        "cv2": "opencv-python",
        "dateutil": "python-dateutil",
        "skimage": "scikit-image",
        "sklearn": "scikit-learn",
        "yaml": "PyYAML",
    }
)
"""Module -> the distribution that installs it, where the two differ and it is certain."""

_logger: Final = logging.getLogger("srv.model")
# Above the loggers of model code, which a placeholder in its place would hold.
logging.getLogger(PACKAGE)
_numbers: Final = itertools.count(1)
_T = TypeVar("_T")


@final
class ModelCode:
    """The code of one model, from its first import to :meth:`release`."""

    def __init__(
        self, label: str, folder: Path | None, root: Path | None = None, files: ModelFiles | None = None
    ) -> None:
        """Make room for a model's modules; nothing is imported yet.

        Args:
            label: the model's name, with its version if it has one: for messages and the package's name.
            folder: the model's folder; ``None`` if it has none.
            root: the repository's root, which comes after `folder`.
            files: what must not go before the code does; whoever releases the code releases them behind it.
        """
        slug = re.sub(r"\W", "_", label, flags=re.ASCII)
        self.package: Final = f"{PACKAGE}.{slug}_{next(_numbers)}"
        self.builtins: Final = {**vars(builtins), "__import__": self._import}
        self.files: Final = files
        self._label: Final = label
        self._path: Final = list(dict.fromkeys(str(each.absolute()) for each in (folder, root) if each is not None))
        self._owned: Final[dict[str, bool]] = {}
        _finder.add(self)
        install_aliases()
        if files is not None:
            files.hold()

    def load(self, implementation: str, base: type[_T], place: str = "") -> type[_T]:
        """Import the class that `implementation`, ``module.Class``, names.

        Its module may be one of the model's, under any name, or an installed one. Errors begin with `place`.

        Raises:
            LoadError: there is no such module or class, it is no subclass of `base`, or an import in it fails.
            Exception: whatever else the model's code raises while it is imported.

        After an error everything is released.
        """
        try:
            with codec_scope(self.package):
                return self._load(implementation, base, place)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Forget the model's modules and their loggers.

        To be called when none of its code runs any more; twice does no harm.
        """
        _finder.remove(self)
        release_codecs(self.package)
        # logging keeps each logger for ever, and a load has names of its own.
        for kept in (sys.modules, logging.root.manager.loggerDict):
            for name in list(kept):
                if f"{name}.".startswith(f"{self.package}."):
                    del kept[name]
        # The import system binds a module in its parent too.
        parent = sys.modules.get(PACKAGE)
        if parent is not None:
            vars(parent).pop(self.package.removeprefix(f"{PACKAGE}."), None)

    def find_spec(self, name: str, path: Sequence[str]) -> ModuleSpec | None:
        """Return the spec of a module of this package in the folders of `path`."""
        # FileFinder remembers what a folder held, by a time stamp that can miss a change: hence a new one each time.
        specs = [FileFinder(folder, *_LOADERS).find_spec(name) for folder in path]
        regular = next((spec for spec in specs if spec is not None and spec.loader is not None), None)
        if regular is not None:
            return regular
        portions = [portion for spec in specs if spec is not None for portion in spec.submodule_search_locations or ()]
        if not portions:
            return None
        namespace = ModuleSpec(name, None, is_package=True)
        namespace.submodule_search_locations = portions
        return namespace

    def make_package(self) -> ModuleSpec:
        """Return the spec of the package itself."""
        spec = ModuleSpec(self.package, None, is_package=True)
        spec.submodule_search_locations = list(self._path)
        return spec

    def _load(self, implementation: str, base: type[_T], place: str) -> type[_T]:
        place = place or f"model {self._label!r}: implementation {implementation!r}"
        searched = " and ".join(self._path) or "no folder"
        parts = implementation.split(".")
        if len(parts) < 2 or not all(part.isidentifier() for part in parts):
            raise LoadError(f"{place}: expected `module.Class`, got {implementation!r}")
        *_, class_name = parts
        module_name = implementation.removesuffix(f".{class_name}")
        self._report_hidden_files()
        try:
            module = self._import_implementation(module_name)
        except ModuleNotFoundError as error:
            missing = (error.name or "").removeprefix(f"{self.package}.")
            if f"{module_name}.".startswith(f"{missing}."):
                raise LoadError(f"{place}: no module {missing!r} in {searched}, and none is installed") from error
            raise LoadError(f"{place}: {error}{_advice(missing)}") from error
        except ImportError as error:
            raise LoadError(f"{place}: {error}") from error

        found: object = getattr(module, class_name, None)
        if found is None:
            file = getattr(module, "__file__", None) or searched
            known = ", ".join(name for name, value in vars(module).items() if _is_own_class(value, module)) or "none"
            raise LoadError(f"{place}: no {class_name!r} in module {module_name!r} ({file}); its classes: {known}")
        if isinstance(found, type) and not issubclass(found, base) and is_of_mlserver(found):  # pyright: ignore[reportUnknownArgumentType]  # of a class
            raise LoadError(
                f"{place}: expected a subclass of srv's {base.__name__}, got one of MLServer's own, which is "
                "installed: uninstall mlserver, and `import mlserver` gives srv's names; or import srv instead"
            )
        if not isinstance(found, type) or not issubclass(found, base):
            raise LoadError(f"{place}: expected a subclass of {base.__name__}, got {found!r}")
        return found

    def _import_implementation(self, name: str) -> ModuleType:
        """Import a runtime's module. In the folder any name will do: the standard library holds no runtimes."""
        top = name.partition(".")[0]
        spec = self.find_spec(f"{self.package}.{top}", self._path)
        own = self._owns(top) or (spec is not None and spec.loader is not None)
        return importlib.import_module(f"{self.package}.{name}" if own else name)

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002  # the name that __import__ gives it
        locals: Mapping[str, object] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """Do what ``__import__`` does, with the model's own modules before others."""
        top = name.partition(".")[0]
        if level or not self._owns(top):
            return builtins.__import__(name, globals, locals, fromlist, level)
        try:
            module = builtins.__import__(f"{self.package}.{name}", globals, locals, fromlist)
        except ModuleNotFoundError as error:
            hidden = f"{self.package}."
            if error.name is None or not error.name.startswith(hidden):
                raise
            plain = error.name.removeprefix(hidden)
            raise ModuleNotFoundError(f"No module named {plain!r}", name=plain) from None
        # Without a list of names, `import a.b` binds `a`.
        return module if fromlist else sys.modules[f"{self.package}.{top}"]

    def _owns(self, top: str) -> bool:
        """Return whether a top-level name is the model's; decided once, so that imports in functions stay cheap."""
        owned = self._owned.get(top)
        if owned is None:
            owned = self._owned[top] = top not in RESERVED and self._finds(top)
        return owned

    def _finds(self, top: str) -> bool:
        spec = self.find_spec(f"{self.package}.{top}", self._path)
        if spec is None or spec.loader is not None:
            return spec is not None
        return top not in sys.modules and importlib.util.find_spec(top) is None

    def _report_hidden_files(self) -> None:
        for folder in self._path[:1]:
            finder = FileFinder(folder, *_LOADERS)
            for name in sorted(RESERVED):
                spec = finder.find_spec(name)
                if spec is not None and spec.loader is not None:
                    _logger.warning(
                        "%s: `import %s` means the module of that name outside the folder; `from . import %s` "
                        "imports this one",
                        spec.origin,
                        name,
                        name,
                    )


class _ModelLoader(SourceFileLoader):
    """Loads a module of a model: always from source, with the model's ``__import__``."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        # Compiled files and linecache go by time and size, which an edit can leave as they were.
        linecache.cache.pop(path, None)
        return self.source_to_code(self.get_data(path), path)

    def exec_module(self, module: ModuleType) -> None:
        owner = _finder.owner(module.__name__)
        if owner is not None:
            vars(module)["__builtins__"] = owner.builtins
        super().exec_module(module)


_LOADERS: Final = ((ExtensionFileLoader, EXTENSION_SUFFIXES), (_ModelLoader, SOURCE_SUFFIXES))


@final
class _Finder(MetaPathFinder):
    """Finds the modules under ``srv_models``, and no others."""

    def __init__(self) -> None:
        self._owners: Final[dict[str, ModelCode]] = {}

    def add(self, code: ModelCode) -> None:
        self._owners[code.package] = code
        # In front, since the ordinary finder would take any module whose package has a path.
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def remove(self, code: ModelCode) -> None:
        self._owners.pop(code.package, None)

    def owner(self, name: str) -> ModelCode | None:
        return self._owners.get(".".join(name.split(".")[:2]))

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,  # noqa: ARG002  # the import system's signature
        /,
    ) -> ModuleSpec | None:
        if fullname == PACKAGE:
            return ModuleSpec(PACKAGE, None, is_package=True)
        if not fullname.startswith(f"{PACKAGE}."):
            return None
        owner = self.owner(fullname)
        if owner is None:
            return None
        return owner.make_package() if fullname == owner.package else owner.find_spec(fullname, path or ())


_finder: Final = _Finder()


def _is_own_class(value: object, module: ModuleType) -> bool:
    return isinstance(value, type) and value.__module__ == module.__name__


def _advice(module: str) -> str:
    distribution = DISTRIBUTIONS.get(module)
    return "" if distribution is None else f"; install it: pip install {distribution}"

"""``import mlserver`` in model code, and in packages that it imports: our names under MLServer's.

Only where MLServer is not installed: one finder, the last one asked, so that an installed MLServer is found as ever.
A module of MLServer's is made of the public names of ours; they are the same objects. What we do not have gives an
ImportError that says so.
"""

from __future__ import annotations

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MLSERVER: Final = "mlserver"

_CODECS: Final = ("srv.mlserver.codecs", "srv.mlserver.texts", "srv.codecs", "srv.errors")
_ERRORS: Final = ("srv.mlserver.errors", "srv.errors")

SOURCES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "mlserver": ("srv",),
        "mlserver.codecs": _CODECS,
        **dict.fromkeys(
            (
                "mlserver.codecs.base",
                "mlserver.codecs.base64",
                "mlserver.codecs.datetime",
                "mlserver.codecs.decorator",
                "mlserver.codecs.json",
                "mlserver.codecs.lists",
                "mlserver.codecs.numpy",
                "mlserver.codecs.pandas",
                "mlserver.codecs.string",
                "mlserver.codecs.utils",
            ),
            _CODECS,
        ),
        "mlserver.codecs.errors": _ERRORS,
        "mlserver.context": ("srv.mlserver.context", "srv.context"),
        "mlserver.errors": _ERRORS,
        "mlserver.grpc": (),
        "mlserver.grpc.converters": ("srv.mlserver.converters",),
        "mlserver.handlers": ("srv.handlers",),
        "mlserver.handlers.custom": ("srv.handlers",),
        "mlserver.logging": ("srv.logging",),
        "mlserver.metrics": ("srv.metrics",),
        "mlserver.model": ("srv",),
        "mlserver.repository": ("srv.repository",),
        "mlserver.repository.repository": ("srv.repository",),
        "mlserver.settings": ("srv.settings",),
        "mlserver.types": ("srv.mlserver.types", "srv.types"),
        "mlserver.types.dataplane": ("srv.mlserver.types", "srv.types"),
        "mlserver.types.model_repository": ("srv.mlserver.types", "srv.types"),
        "mlserver.utils": ("srv.mlserver.utils", "srv.settings"),
        "mlserver.version": ("srv",),
    }
)
"""Module of MLServer's -> the modules of ours that it takes its names from, the first one first."""


def install_aliases() -> None:
    """Let ``import mlserver`` find the names of srv from now on, unless MLServer is installed; twice does no harm."""
    if _finder not in sys.meta_path:
        sys.meta_path.append(_finder)


def is_of_mlserver(kind: type) -> bool:
    """Whether a class derives from a class of the real MLServer."""
    return any(base.__module__.partition(".")[0] == MLSERVER for base in kind.__mro__)


@final
class _Alias(ModuleType):
    """A module of MLServer's that has the names of ours."""

    def __getattr__(self, name: str) -> object:
        if name == "__all__":
            return sorted(_names(self.__name__))
        for source in _sources(self.__name__):
            if name in source.__all__:
                return getattr(source, name)
        inner = f"{self.__name__}.{name}"
        if inner in SOURCES:
            return importlib.import_module(inner)
        raise AttributeError(_missing(inner), name=name, obj=self)

    def __dir__(self) -> list[str]:
        return sorted({*vars(self), *_names(self.__name__)})


def _sources(alias: str) -> list[ModuleType]:
    return [importlib.import_module(name) for name in SOURCES[alias]]


def _names(alias: str) -> set[str]:
    return {name for source in _sources(alias) for name in source.__all__}


def _missing(name: str) -> str:
    return f"srv has no counterpart of {name}"


@final
class _Finder(MetaPathFinder, Loader):
    """Finds ``mlserver`` and what is in it, if nobody else does."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002  # the import system's signature
        target: ModuleType | None = None,  # noqa: ARG002
        /,
    ) -> ModuleSpec | None:
        if fullname == MLSERVER:
            return ModuleSpec(fullname, self, is_package=True)
        parent = fullname.rpartition(".")[0]
        if not isinstance(sys.modules.get(parent), _Alias):
            return None
        if fullname not in SOURCES:
            # `from mlserver.x import name` looks for a module of that name too, when there is nothing else.
            raise ImportError(_missing(fullname), name=fullname)
        # All are packages, since only of packages does the import system ask for names that are not there.
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Alias(spec.name, f"The names of srv for {spec.name}.")

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: names are looked up when they are asked for."""


_finder: Final = _Finder()

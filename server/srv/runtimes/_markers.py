"""FastAPI's markers of handlers' arguments, which are known by their names, so that nothing here imports it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple, cast, get_args, get_origin

from srv_protocol.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Callable

REQUIRED: Final = inspect.Parameter.empty
"""What stands for the default of an argument that has none."""
_KINDS: Final = ("Body", "Query", "Path", "Header", "Depends")


class Marker(NamedTuple):
    """One of FastAPI's markers: ``Body``, ``Query``, ``Path``, ``Header`` or ``Depends``."""

    kind: str
    alias: str | None
    embed: bool
    default: object
    underscores: bool
    dependency: object


def find_marker(parameter: inspect.Parameter, hint: object, where: str) -> Marker | None:
    """Return FastAPI's marker of a parameter, which is its default or stands in ``Annotated``.

    Raises:
        LoadError: it is one that arguments of handlers cannot have; the text starts with `where`.
    """
    notes = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    for note, default in ((parameter.default, None), *((note, parameter.default) for note in notes)):
        kind = cast("type[object]", type(note))
        if kind.__module__.partition(".")[0] != "fastapi":
            continue
        if kind.__name__ not in _KINDS:
            raise LoadError(f"{where}: expected one of FastAPI's {', '.join(_KINDS)}, got {kind.__name__}")
        value: object = getattr(note, "default", REQUIRED) if note is parameter.default else default
        # What pydantic has for no default goes by two names.
        unset = value is ... or type(value).__name__ in {"PydanticUndefinedType", "UndefinedType"}
        alias: object = getattr(note, "alias", None)
        return Marker(
            kind.__name__,
            alias if isinstance(alias, str) else None,
            bool(getattr(note, "embed", False)),
            REQUIRED if unset else value,
            kind.__name__ == "Header" and bool(getattr(note, "convert_underscores", True)),
            getattr(note, "dependency", None),
        )
    return None


@dataclass(frozen=True, slots=True)
class Dependency:
    """An argument that another function gives, as FastAPI's ``Depends`` says: that function, and its arguments."""

    function: Callable[..., object]
    given: dict[str, object]


def resolve(given: dict[str, object]) -> dict[str, object]:
    """Return arguments, with what plain functions give for the dependencies among them."""
    return {
        name: value.function(**resolve(value.given)) if isinstance(value, Dependency) else value
        for name, value in given.items()
    }


async def resolve_async(given: dict[str, object]) -> dict[str, object]:
    """Return arguments, with what functions of either kind give for the dependencies among them."""
    resolved = dict(given)
    for name, value in given.items():
        if isinstance(value, Dependency):
            found = value.function(**await resolve_async(value.given))
            resolved[name] = await found if inspect.isawaitable(found) else found
    return resolved


def check_dependency(needed: object, where: str) -> Callable[..., object]:
    """Return the function of a ``Depends``.

    Raises:
        LoadError: it is none, or a generator; the text starts with `where`.
    """
    if not callable(needed) or inspect.isgeneratorfunction(needed) or inspect.isasyncgenfunction(needed):
        raise LoadError(f"{where}: expected Depends on a function that returns its value, got {name_of(needed)}")
    return needed


def name_of(function: object) -> str:
    """Return what errors call a function or class."""
    return str(getattr(function, "__qualname__", repr(function)))

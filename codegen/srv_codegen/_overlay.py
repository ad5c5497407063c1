"""Reads the overlay: what plain protobuf cannot say about the messages."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from srv_codegen._ir import ClassRef, View

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


_TABLES: Final = ("messages", "views")


class OverlayError(Exception):
    """The overlay is wrong; the text names the entry."""


@dataclass(frozen=True, slots=True)
class MessageOverlay:
    """What the overlay says about one class."""

    base: ClassRef | None = None
    lenient: bool = False
    views: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Overlay:
    """Message and view entries by full protobuf name."""

    messages: Mapping[str, MessageOverlay]
    views: Mapping[str, View]
    hot: tuple[str, ...] = ()
    """Messages that get a codec of their own, with all that they contain."""

    def check(self, names: Iterable[str]) -> None:
        """Raise OverlayError for an entry that names no message."""
        unknown = sorted({*self.messages, *self.views, *self.hot} - set(names))
        if unknown:
            message = f"overlay: no such message: {', '.join(unknown)}"
            raise OverlayError(message)


def read_overlay(text: str) -> Overlay:
    """Parse the overlay's TOML.

    Raises:
        OverlayError: text that is no TOML, a table or key that is not known, or a value of the wrong type.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = f"overlay: {error}"
        raise OverlayError(message) from None
    hot: list[str] = _take("overlay", document, "hot", list, [])
    tables: dict[str, dict[str, Any]] = {name: _take("overlay", document, name, dict, {}) for name in _TABLES}
    if document:
        message = f"overlay: unknown table {min(document)!r}; there are 'messages' and 'views'"
        raise OverlayError(message)
    return Overlay(
        {name: _message(name, entry) for name, entry in tables["messages"].items()},
        {name: _view(name, entry) for name, entry in tables["views"].items()},
        tuple(hot),
    )


def _message(name: str, entry: dict[str, Any]) -> MessageOverlay:
    base: str = _take(name, entry, "base", str, "")
    lenient: bool = _take(name, entry, "lenient", bool, default=False)
    views: list[str] = _take(name, entry, "views", list, [])
    _done(name, entry)
    module, colon, class_name = base.partition(":")
    if base and not (module and colon and class_name.isidentifier()):
        message = f"overlay: {name}.base: expected 'module:Class', got {base!r}"
        raise OverlayError(message)
    return MessageOverlay(ClassRef(module, class_name) if base else None, lenient, frozenset(views))


def _view(name: str, entry: dict[str, Any]) -> View:
    view = View(
        reads=_take(name, entry, "reads", bool, default=False),
        writes=_take(name, entry, "writes", bool, default=False),
        required=tuple(_take(name, entry, "required", list, [])),
        omit=frozenset(_take(name, entry, "omit", list, [])),
        data=_take(name, entry, "data", str, None),
        wildcard=_take(name, entry, "wildcard", bool, default=False),
    )
    _done(name, entry)
    return view


def _take(name: str, entry: dict[str, Any], key: str, kind: type, default: Any) -> Any:
    if not isinstance(entry, dict):  # pyright: ignore[reportUnnecessaryIsInstance]  # as far as TOML has been checked
        message = f"overlay: {name}: expected a table, got {entry!r}"
        raise OverlayError(message)
    value = entry.pop(key, default)
    if value is not default and not isinstance(value, kind):
        message = f"overlay: {name}.{key}: expected {kind.__name__}, got {value!r}"
        raise OverlayError(message)
    return value


def _done(name: str, entry: dict[str, Any]) -> None:
    if entry:
        message = f"overlay: {name}: unknown key {min(entry)!r}"
        raise OverlayError(message)

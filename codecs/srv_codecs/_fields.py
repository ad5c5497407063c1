"""Classes whose fields are outputs: named tuples, dataclasses, typed dicts, and structs of msgspec's."""

from __future__ import annotations

import dataclasses
import enum
import sys
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final, cast, get_args, get_origin

from srv_codecs._type_hints import resolve_fields, show
from srv_codecs._value_hints import kind_of
from srv_protocol.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class _Missing(enum.Enum):
    MISSING = enum.auto()


_TYPING: Final = ("typing", "typing_extensions")
_MARKS: Final[Mapping[str, bool]] = MappingProxyType({"Required": True, "NotRequired": False})

MISSING: Final = _Missing.MISSING
"""What is read of a field that is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """The fields of a class.

    Attributes:
        text: the class as people write it.
        hints: the type hints of the fields, by name, in their order.
        required: the names of those that must be there.
        misfit: returns what a value is that is none of the class, and an empty text for one that is.
        read: returns a field of a value, or :data:`MISSING`.
    """

    text: str
    hints: Mapping[str, object]
    required: frozenset[str]
    misfit: Callable[[object], str]
    read: Callable[[object, str], object]

    @property
    def names(self) -> Iterable[str]:
        """The names, in their order."""
        return self.hints


def fields_of(hint: object, where: str) -> Fields | None:
    """Return the fields of a class that has some; ``None`` for any other hint.

    Raises:
        CodecNotFound: a field's type hint cannot be evaluated at run time; the text starts with `where`.
    """
    # The messages of the wire are dataclasses, too.
    if not isinstance(hint, type) or issubclass(hint, Message):
        return None
    owner: type[object] = hint  # pyright: ignore[reportUnknownVariableType]  # a class of any kind
    for is_kind, names_of in _KINDS:
        if is_kind(owner):
            resolved = resolve_fields(owner, where)
            hints = {name: resolved[name] for name in names_of(owner)}
            return _typed_dict(owner, hints) if is_kind is _is_typed_dict else _object(owner, hints)
    return None


def _object(owner: type[object], hints: dict[str, object]) -> Fields:
    return Fields(
        text=show(owner),
        hints=MappingProxyType(hints),
        required=frozenset(hints),
        misfit=lambda value: "" if isinstance(value, owner) else kind_of(value),
        read=lambda value, name: getattr(value, name, MISSING),
    )


def _typed_dict(owner: type[object], hints: dict[str, object]) -> Fields:
    bare: dict[str, object] = {}
    marked: dict[str, bool] = {}
    for name, hint in hints.items():
        bare[name], required = _without_marks(hint)
        # What stands in a string is not seen by Python when it makes the class.
        marked[name] = name in _required_keys(owner) if required is None else required
    known = frozenset(hints)

    def misfit(value: object) -> str:
        if not isinstance(value, dict):
            return kind_of(value)
        unknown = next((key for key in cast("dict[object, object]", value) if key not in known), None)
        return "" if unknown is None else f"a dict with {unknown!r}"

    def read(value: object, name: str) -> object:
        return cast("dict[str, object]", value).get(name, MISSING)

    required_names = frozenset(name for name, required in marked.items() if required)
    return Fields(text=show(owner), hints=MappingProxyType(bare), required=required_names, misfit=misfit, read=read)


def _without_marks(hint: object) -> tuple[object, bool | None]:
    """Return a hint without ``ReadOnly``, ``Required`` and ``NotRequired`` around it, which of the latter it was."""
    origin = get_origin(hint)
    if _is_named(origin, "ReadOnly"):
        return _without_marks(get_args(hint)[0])
    for mark, required in _MARKS.items():
        if _is_named(origin, mark):
            return _without_marks(get_args(hint)[0])[0], required
    if origin is Annotated:
        inner, *notes = get_args(hint)
        bare, marked = _without_marks(inner)
        # A subscription with run-time values.
        return cast("Any", Annotated)[(bare, *notes)], marked
    return hint, None


def _is_named(origin: object, mark: str) -> bool:
    # In typing from some Python on, and before in typing_extensions, which need not be installed.
    return origin is not None and any(origin is getattr(sys.modules.get(name), mark, None) for name in _TYPING)


def _required_keys(owner: type[object]) -> frozenset[str]:
    return cast("frozenset[str]", getattr(owner, "__required_keys__", ()))


def _is_typed_dict(hint: type[object]) -> bool:
    # Those of typing_extensions are none to typing.is_typeddict on every Python.
    return hasattr(hint, "__required_keys__") and issubclass(hint, dict)


def _is_named_tuple(hint: type[object]) -> bool:
    return hasattr(hint, "_fields") and issubclass(hint, tuple)


def _is_struct(hint: type[object]) -> bool:
    # Known by its name: a model's environment need not have msgspec.
    return any(base.__module__ == "msgspec" and base.__name__ == "Struct" for base in hint.__mro__)


_KINDS: Final[tuple[tuple[Callable[[type[object]], bool], Callable[[Any], Iterable[str]]], ...]] = (
    (_is_typed_dict, lambda owner: owner.__annotations__),
    (_is_named_tuple, lambda owner: owner._fields),
    (_is_struct, lambda owner: owner.__struct_fields__),
    (dataclasses.is_dataclass, lambda owner: [field.name for field in dataclasses.fields(owner)]),
)
"""Kinds of classes, and the names of their fields."""

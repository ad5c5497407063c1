"""Hints of handlers' arguments, and what reads values of them: msgspec where it is installed, else plain Python.

The environment that a model's code runs in need not have msgspec.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from srv._conversion import Kind, Misfit, Unreadable, compile_hint
from srv_codecs.hints import show
from srv_protocol.errors import InvalidInput, LoadError
from srv_protocol.json_text import JsonError, find_msgspec, read_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentHint:
    """A hint, compiled.

    Attributes:
        scalar: whether text fits it, as that in a path.
        many: whether a list of texts does.
        takes_none: whether ``None`` does.
        from_text: reads text, or a list of it; a ``ValueError`` says that it does not fit.
        from_json: reads JSON; raises InvalidInput, whose text begins with the place that it is given.
        from_member: likewise what :meth:`Hints.members` gives.
    """

    scalar: bool
    many: bool
    takes_none: bool
    from_text: Callable[[object], object]
    from_json: Callable[[memoryview, str], object]
    from_member: Callable[[object, str], object]


class Hints(Protocol):
    """A way to read values of hints."""

    def compile(self, hint: object, where: str) -> ArgumentHint:
        """Return what reads values of a hint.

        Raises:
            LoadError: nothing can be read as it; the text begins with `where`.
        """
        ...

    def members(self, body: memoryview) -> Mapping[str, object]:
        """Return the members of a JSON object, still to be read.

        Raises:
            InvalidInput: it is none.
        """
        ...


def find_hints() -> Hints:
    """Return msgspec's way where there is msgspec, else plain Python's."""
    if find_msgspec() is None:
        return PlainHints()
    found: Hints = importlib.import_module("srv.runtimes._msgspec_hints").MsgspecHints()
    return found


class PlainHints:
    """Reads with the standard library alone."""

    def compile(self, hint: object, where: str) -> ArgumentHint:
        """Return what reads values of a hint; see :class:`Hints`."""
        try:
            kind = compile_hint(hint)
        except Unreadable as error:
            raise _unfit(error.hint, where) from None

        def from_json(body: memoryview, spot: str) -> object:
            return from_member(_parse(body), spot)

        def from_member(value: object, spot: str) -> object:
            try:
                return kind.read(value)
            except Misfit as error:
                raise InvalidInput(f"{spot}{error.path}: {error.reason[0].lower()}{error.reason[1:]}") from None
            except ValueError as error:
                raise InvalidInput(f"{spot}: {error}") from None

        return ArgumentHint(
            scalar=_is_scalar(kind),
            many=kind.names <= {"array", "null"}
            and kind.item is not None
            and (_is_scalar(kind.item) or "any" in kind.item.names),
            takes_none="null" in kind.names,
            from_text=lambda value: kind.read(value, lax=True),
            from_json=from_json,
            from_member=from_member,
        )

    def members(self, body: memoryview) -> Mapping[str, object]:
        """Return the members of a JSON object; see :class:`Hints`."""
        found = _parse(body)
        if not isinstance(found, dict):
            reason = str(_misfit(found))
            raise InvalidInput(f"the request body: {reason[0].lower()}{reason[1:]}")
        return cast("dict[str, object]", found)


def _misfit(value: object) -> Misfit:
    try:
        compile_hint(dict[str, object]).read(value)
    except Misfit as error:
        return error
    raise AssertionError(value)


def _parse(body: memoryview) -> object:
    try:
        return read_plain(body)
    except JsonError as error:
        raise InvalidInput(f"the request body is no valid JSON: {error}") from None


def _is_scalar(kind: Kind) -> bool:
    return bool(kind.names) and kind.names <= {"bool", "int", "float", "str", "null"}


def _unfit(hint: object, where: str) -> LoadError:
    return LoadError(
        f"{where}: expected a hint that JSON can be read into without msgspec, which is not installed (str, int, "
        "float, bool, list, dict, Literal, an Enum, a dataclass, a TypedDict, a pydantic model), InferenceRequest, "
        f"Headers, bytes or Request, got {show(hint)}; for more of them: pip install msgspec"
    )

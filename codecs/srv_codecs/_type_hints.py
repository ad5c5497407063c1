"""Type hints of functions, resolved and taken apart; knows nothing of codecs."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Union, cast, get_args, get_origin

from srv_codecs._output import Output
from srv_protocol.errors import CodecNotFound

if TYPE_CHECKING:
    from collections.abc import Callable


_PUBLIC: Final = {"typing.": "", "pandas.core.frame.": "pandas.", "pyarrow.lib.": "pyarrow."}
"""Where classes are defined -> where people import them from."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A type hint without what surrounds it.

    Attributes:
        core: what is inside of ``Annotated`` and ``Optional``, as it was written.
        optional: ``None`` is allowed too.
        output: the name that an :class:`Output` among the annotations gives.
    """

    core: object
    optional: bool
    output: str | None


def resolve_hints(function: Callable[..., object]) -> dict[str, object]:
    """Return the hints of a function's parameters and ``return``, evaluated wherever they are strings.

    ``-> (A, B)``, an old spelling of ``-> tuple[A, B]``, is turned into that.

    Raises:
        CodecNotFound: a hint cannot be evaluated at run time; the text names function and argument.
    """
    namespace: dict[str, object] = getattr(inspect.unwrap(function), "__globals__", {})
    return {
        name: _resolve(hint, namespace, place_of(function, name))
        for name, hint in inspect.get_annotations(function).items()
    }


def place_of(function: Callable[..., object], name: str) -> str:
    """Return what errors call a hint of a function: that of an argument, or of ``return``."""
    return f"{function.__qualname__}(): {'the return hint' if name == 'return' else f'argument {name!r}'}"


def _resolve(hint: object, namespace: dict[str, object], where: str) -> object:
    written = hint if isinstance(hint, str) else show(hint)
    try:
        if isinstance(hint, str):
            hint = eval(hint, namespace)  # noqa: S307  # what Python itself would do with an annotation
        if isinstance(hint, tuple):
            hint = types.GenericAlias(tuple, cast("tuple[object, ...]", hint))
        # Evaluates what is nested, as in List["Frame"].
        annotated = types.SimpleNamespace(__annotations__={"hint": hint})
        found: object = typing.get_type_hints(annotated, namespace, include_extras=True)["hint"]
    except Exception as error:  # noqa: BLE001  # a hint is any expression of the model's author
        raise CodecNotFound(f"{where}: the type hint {written} cannot be resolved: {error}{_advice(error)}") from None
    return found


def _advice(error: Exception) -> str:
    return (
        "; it must be a name of the module, imported outside of `if TYPE_CHECKING:`"
        if isinstance(error, NameError)
        else ""
    )


def resolve_fields(owner: type[object], where: str) -> dict[str, object]:
    """Return the hints of a class's fields, those of its bases included, evaluated wherever they are strings.

    Raises:
        CodecNotFound: a hint cannot be evaluated at run time; the text starts with `where`.
    """
    try:
        return typing.get_type_hints(owner, include_extras=True)
    except Exception as error:  # noqa: BLE001  # as above
        raise CodecNotFound(
            f"{where}: the hints of {show(owner)} cannot be resolved: {error}{_advice(error)}"
        ) from None


def take_apart(hint: object) -> Parts:
    """Return a hint's parts; ``Annotated`` and ``None`` may surround it in any order."""
    hint = expand(hint)
    if get_origin(hint) is Annotated:
        inner, *notes = get_args(hint)
        parts = take_apart(inner)
        names = [note.name for note in notes if isinstance(note, Output)]
        return Parts(parts.core, parts.optional, names[-1] if names else parts.output)
    if is_union(hint) and type(None) in get_args(hint):
        members = [member for member in get_args(hint) if member is not type(None)]
        if len(members) == 1:
            parts = take_apart(members[0])
            return Parts(parts.core, optional=True, output=parts.output)
        return Parts(_union(members), optional=True, output=None)
    return Parts(hint, optional=False, output=None)


def canonical(hint: object) -> object:
    """Return a hint in one spelling, equal for all hints that mean the same: ``list[str]`` for ``List[str]``."""
    hint = expand(hint)
    arguments = get_args(hint)
    if not arguments:
        return get_origin(hint) or hint
    if is_union(hint):
        return _union([canonical(argument) for argument in arguments])
    if get_origin(hint) is Annotated:
        return canonical(arguments[0])
    # list, tuple and dict have equal aliases under two names; those of other classes are left as they are.
    origin = get_origin(hint)
    if origin in {list, tuple, dict}:
        return types.GenericAlias(cast("type", origin), tuple(map(canonical, arguments)))
    return hint


def is_union(hint: object) -> bool:
    """Whether a hint is ``A | B`` or ``Union[A, B]``."""
    return get_origin(hint) in {Union, types.UnionType}


def show(hint: object) -> str:
    """Return a hint as people write it: ``numpy.ndarray``, ``list[str]``."""
    text = inspect.formatannotation(hint)
    for private, public in _PUBLIC.items():
        text = text.replace(private, public)
    return text


def _union(members: list[object]) -> object:
    # A subscription with a tuple of run-time values; Union keeps their order, and does not count it.
    return cast("Any", Union)[tuple(members)]


def expand(hint: object) -> object:
    """Return what a ``type X = ...`` alias stands for, and any other hint as it is."""
    if sys.version_info < (3, 12):
        return hint
    origin = get_origin(hint)
    if isinstance(origin, typing.TypeAliasType):
        return expand(origin.__value__[get_args(hint)])
    return expand(hint.__value__) if isinstance(hint, typing.TypeAliasType) else hint

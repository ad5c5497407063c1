"""Values of JSON, read as type hints say: what ``msgspec.convert`` does, for the hints below, in plain Python.

Model code runs in environments that have no msgspec, and settings and handlers' arguments are read there too. Which
hints: ``Any``, ``object``, ``None``, ``bool``, ``int``, ``float``, ``str``, ``Literal``, enumerations, unions,
``list``, ``tuple[X, ...]``, ``set``, ``frozenset``, ``dict`` with text for keys, dataclasses, typed dicts, classes
that have ``model_validate``, and :class:`Limits` in ``Annotated``. Errors have msgspec's words.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import math
import re
import types
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union, cast, get_args, get_origin

from srv_codecs.hints import expand, fields_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    _Read: TypeAlias = Callable[[Any, bool], object]
    """Makes a value of one of JSON's; whether text may stand for what is no text."""


class Misfit(ValueError):  # what a value is
    """A value is not what its hint says.

    Attributes:
        reason: what was expected, and what came.
        path: where in the value that is: ``.name[0]``.
    """

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(f"{reason} - at `${path}`" if path else reason)
        self.reason = reason
        self.path = path


class Unreadable(TypeError):  # what a hint is
    """A hint that nothing of JSON's can be read as.

    Attributes:
        hint: it, or what is inside of it.
    """

    def __init__(self, hint: object) -> None:
        super().__init__(repr(hint))
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a number or text in ``Annotated`` must be, beside its type."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    min_length: int | None = None
    pattern: str | None = None


_NAMES: Final = ("any", "bool", "int", "float", "str", "object", "array", "null")
"""The types of JSON's values, in the order in which errors list them."""
_OF: Final[Mapping[type, str]] = types.MappingProxyType(
    {
        type(None): "null",
        bool: "bool",
        int: "int",
        float: "float",
        str: "str",
        list: "array",
        tuple: "array",
        set: "array",
        frozenset: "array",
        dict: "object",
    }
)


def name_of(value: object) -> str:
    """Return what errors call the type of a value: JSON's name, or that of its class."""
    kind = type(value)
    return next((_OF[base] for base in kind.__mro__ if base in _OF), kind.__name__)


@dataclass(frozen=True, slots=True)
class Kind:
    """A type hint, compiled.

    Attributes:
        names: the types of JSON's values that it has; ``any`` is all of them.
        readers: a type of JSON's values -> what reads one; it may have more than `names`.
        classes: those whose instances are taken as they are.
        item: that of the items, if it is an array.
    """

    names: frozenset[str]
    readers: Mapping[str, _Read]
    classes: tuple[type, ...] = ()
    item: Kind | None = None

    def read(self, value: object, *, lax: bool = False) -> object:
        """Return a value as the hint says; where it is `lax`, text may stand for numbers, booleans and ``null``.

        Raises:
            Misfit: it is something else.
        """
        if self.classes and isinstance(value, self.classes):
            return value
        if "any" in self.names:
            return value
        name = name_of(value)
        reader = self.readers.get(name)
        if reader is not None:
            return reader(value, lax)
        if lax and isinstance(value, str):
            meant = _meant(value, self.names)
            if meant is not value:
                return self.readers[name_of(meant)](meant, lax)
        raise Misfit(f"Expected `{self}`, got `{name}`")

    def __str__(self) -> str:
        shown: list[str] = [name for name in _NAMES if name in self.names]
        return " | ".join(shown)


def compile_hint(hint: object) -> Kind:
    """Return what reads values of a hint.

    Raises:
        Unreadable: it is none of those that the module names; the error has the part that is not.
        CodecNotFound: the hint of a class's field cannot be evaluated.
    """
    return _compile(hint, {})


def _compile(hint: object, classes: dict[type, Kind]) -> Kind:
    hint = expand(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    kind = origin or hint
    if origin is Annotated:
        limits = [each for each in arguments[1:] if isinstance(each, Limits)]
        return functools.reduce(_limit, limits, _compile(arguments[0], classes))
    if origin in {Union, types.UnionType}:
        kinds = [_compile(each, classes) for each in arguments]
        if any(sum(name in each.names for each in kinds) > 1 for name in ("array", "object")):
            # As to msgspec: nothing would say which of them is meant.
            raise Unreadable(hint)
        return functools.reduce(_join, kinds)
    if origin is Literal:
        return _literal(arguments)
    if kind is None or kind is Any:
        return _PLAIN[kind]
    if not isinstance(kind, type):
        raise Unreadable(hint)
    if kind in _ARRAYS:
        return _array(kind, arguments, hint, classes)
    if kind in _MAPPINGS:
        return _mapping(arguments, hint, classes)
    return _PLAIN.get(kind) or _class(cast("type[Any]", kind), classes)


# ---- Scalars


def _same(value: object, _lax: bool) -> object:  # noqa: FBT001  # a reader's
    return value


def _number(value: int, _lax: bool) -> float:  # noqa: FBT001
    try:
        return float(value)
    except OverflowError:
        raise Misfit("Number out of range") from None


def _plain(name: str, **others: _Read) -> Kind:
    return Kind(frozenset({name}), {**others, name: _same})


_ANY: Final = Kind(frozenset({"any"}), {})
_PLAIN: Final[Mapping[object, Kind]] = types.MappingProxyType(
    {
        Any: _ANY,
        object: _ANY,
        None: _plain("null"),
        type(None): _plain("null"),
        bool: _plain("bool"),
        int: _plain("int"),
        float: _plain("float", int=_number),
        str: _plain("str"),
    }
)
_BOOLEANS: Final[Mapping[str, bool]] = types.MappingProxyType({"true": True, "1": True, "false": False, "0": False})


_NUMBER: Final = r"-?(?:0|[1-9][0-9]*)(?P<real>\.[0-9]+)?(?P<exponent>[eE][+-]?[0-9]+)?"
_NONFINITE: Final = "-?(?:nan|inf|infinity)"


def _meant(text: str, names: frozenset[str]) -> object:
    """Return what text stands for among the types of JSON's; the text itself if for nothing."""
    lower = text.lower()
    if "null" in names and lower == "null":
        return None
    numbers = names & {"int", "float"}
    if "bool" in names and lower in _BOOLEANS and not (numbers and lower in "01"):
        return _BOOLEANS[lower]
    if not numbers:
        return text
    number = re.fullmatch(_NUMBER, text)
    if number is None:
        return float(text) if "float" in names and re.fullmatch(_NONFINITE, lower) else text
    if number["real"] is None and number["exponent"] is None:
        try:
            return int(text)
        except ValueError:  # of more digits than Python reads
            raise Misfit("Number out of range") from None
    real = float(text)
    if math.isinf(real):
        raise Misfit("Number out of range")
    return real if "float" in names else int(real) if real.is_integer() else text


def _literal(values: tuple[object, ...]) -> Kind:
    names = frozenset(map(name_of, values))

    def read(value: object, _lax: bool) -> object:  # noqa: FBT001
        if value not in values:
            raise Misfit(f"Invalid enum value {value!r}")
        return value

    return Kind(names, dict.fromkeys(names, read))


def _enumeration(owner: type[enum.Enum]) -> Kind:
    members = {each.value: each for each in owner}
    names = frozenset(map(name_of, members))

    def read(value: object, _lax: bool) -> object:  # noqa: FBT001
        if value not in members:
            raise Misfit(f"Invalid enum value {value!r}")
        return members[value]

    return Kind(names, dict.fromkeys(names, read), (owner,))


def _limit(kind: Kind, limits: Limits) -> Kind:
    checks = {name: _check(name, limits) for name in ("int", "float", "str")}

    def limited(name: str, reader: _Read) -> _Read:
        # What comes as an integer may be a number by now.
        check = checks.get("float" if name == "int" and "int" not in kind.names else name)

        def read(value: object, lax: bool) -> object:  # noqa: FBT001
            found = reader(value, lax)
            if check is not None:
                check(found)
            return found

        return read

    return dataclasses.replace(kind, readers={name: limited(name, each) for name, each in kind.readers.items()})


def _check(name: str, limits: Limits) -> Callable[[Any], None]:
    """Return what raises a Misfit for a value that is beyond the limits of its type."""
    number: Callable[[float], float] = int if name == "int" else float
    ge, gt = limits.ge, limits.gt
    if name == "int" and gt is not None:
        ge, gt = gt + 1, None
    tests: list[tuple[Callable[[Any], bool], str]] = []
    if name == "str":
        if limits.min_length is not None:
            shortest = limits.min_length
            tests.append((lambda value: len(value) >= shortest, f"of length >= {shortest}"))
        if limits.pattern is not None:
            pattern = re.compile(limits.pattern)
            tests.append((lambda value: pattern.search(value) is not None, f"matching regex {limits.pattern!r}"))
    else:
        if ge is not None:
            least = number(ge)
            tests.append((lambda value: value >= least, f">= {least}"))
        if gt is not None:
            below = number(gt)
            tests.append((lambda value: value > below, f"> {below}"))
        if limits.le is not None:
            most = number(limits.le)
            tests.append((lambda value: value <= most, f"<= {most}"))

    def check(value: object) -> None:
        for fits, text in tests:
            if not fits(value):
                raise Misfit(f"Expected `{name}` {text}")

    return check


# ---- Containers


def _join(left: Kind, right: Kind) -> Kind:
    return Kind(
        left.names | right.names,
        # What one of them has for itself counts more than what the other takes beside.
        {
            **left.readers,
            **right.readers,
            **{name: left.readers[name] for name in left.names & left.readers.keys()},
            **{name: right.readers[name] for name in right.names & right.readers.keys()},
        },
        (*left.classes, *right.classes),
        left.item or right.item,
    )


_ARRAYS: Final[Mapping[type, Callable[[list[object]], object]]] = types.MappingProxyType(
    {list: list, tuple: tuple, set: set, frozenset: frozenset, Sequence: list}
)
_MAPPINGS: Final = frozenset({dict, Mapping, MutableMapping})


def _array(made: type, arguments: tuple[object, ...], hint: object, classes: dict[type, Kind]) -> Kind:
    if made is tuple and arguments and arguments[1:] != (...,):
        raise Unreadable(hint)
    item = _compile(arguments[0] if arguments else Any, classes)
    make = _ARRAYS[made]

    def read(value: Iterable[object], lax: bool) -> object:  # noqa: FBT001
        items = [_inside(item, each, f"[{index}]", lax) for index, each in enumerate(value)]
        try:
            return make(items)
        except TypeError as error:  # what cannot be in a set
            raise Misfit(str(error)) from None

    return Kind(frozenset({"array"}), {"array": read}, item=item)


def _mapping(arguments: tuple[object, ...], hint: object, classes: dict[type, Kind]) -> Kind:
    if arguments and arguments[0] is not str and arguments[0] is not Any:
        raise Unreadable(hint)
    key, value = arguments or (Any, Any)
    keys, values = _compile(key, classes), _compile(value, classes)

    def read(value: Mapping[object, object], lax: bool) -> object:  # noqa: FBT001
        return {_inside(keys, key, "[...]", lax): _inside(values, each, "[...]", lax) for key, each in value.items()}

    return Kind(frozenset({"object"}), {"object": read})


def _inside(kind: Kind, value: object, step: str, lax: bool) -> object:  # noqa: FBT001
    try:
        return kind.read(value, lax=lax)
    except Misfit as error:
        raise Misfit(error.reason, f"{step}{error.path}") from None
    except ValueError as error:
        raise Misfit(str(error), step) from None


# ---- Classes


def _class(owner: type[Any], classes: dict[type, Kind]) -> Kind:
    if owner in classes:
        return classes[owner]
    if issubclass(owner, enum.Enum):
        return _enumeration(owner)
    is_dict = hasattr(owner, "__required_keys__")
    if is_dict or dataclasses.is_dataclass(owner):
        return _fields(owner, classes, is_dict=is_dict)
    validate: Callable[[object], object] | None = getattr(owner, "model_validate", None)
    if validate is None:
        raise Unreadable(owner)
    return Kind(frozenset(), dict.fromkeys(_NAMES, lambda value, _lax: validate(value)), (owner,))


def _fields(owner: type[Any], classes: dict[type, Kind], *, is_dict: bool) -> Kind:
    fields = fields_of(owner, owner.__qualname__)
    if fields is None:
        raise Unreadable(owner)
    required, names = fields.required, frozenset(fields.hints)
    if not is_dict:
        own = [field for field in dataclasses.fields(owner) if field.init]
        names = frozenset(field.name for field in own)
        missing = dataclasses.MISSING
        required = frozenset(
            field.name for field in own if field.default is missing and field.default_factory is missing
        )
    closed = bool(getattr(owner, "__closed__", False))
    kinds: dict[str, Kind] = {}

    def read(value: Mapping[str, object], lax: bool) -> object:  # noqa: FBT001
        unknown = next((key for key in value if key not in names), None)
        if closed and unknown is not None:
            raise Misfit(f"Object contains unknown field `{unknown}`")
        found = {name: _inside(kinds[name], each, f".{name}", lax) for name, each in value.items() if name in kinds}
        absent = next((name for name in kinds if name in required and name not in found), None)
        if absent is not None:
            raise Misfit(f"Object missing required field `{absent}`")
        return found if is_dict else owner(**found)

    made = Kind(frozenset({"object"}), {"object": read}, () if is_dict else (owner,))
    # Before its fields: a class may hold others of its own.
    classes[owner] = made
    kinds |= {name: _compile(hint, classes) for name, hint in fields.hints.items() if name in names}
    return made

"""Messages <-> protobuf's JSON ("ProtoJSON Format" in the specification): model configurations and statistics.

Out: the names of the ``.proto`` file, and every field that has no presence, with its default if nothing else. In: what
the specification tells parsers to accept, such as numbers as text and names in lowerCamelCase; what it leaves open is
an error.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import betterproto2
import numpy as np

from srv_protocol._errors import InvalidInput
from srv_protocol._message import Message
from srv_protocol._scalars import VARINTS

if TYPE_CHECKING:
    from collections.abc import Iterator

_M = TypeVar("_M", bound=Message)
# A reader takes a JSON value and its place.
_Reader = Callable[[object, str], object]

_INTEGER: Final = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_SPECIAL: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


# ---- Messages -> JSON


def to_json(message: Message) -> dict[str, object]:
    """Return a message as values that JSON has; containers are new.

    Every scalar, list and map is there; a submessage or a member of a oneof only if it is set. Enums are their names.
    Integers of 64 bits are numbers, where the specification has text: Triton's clients calculate with them. NaN and
    infinities are text.
    """
    return {
        _proto_name(name): _field_to_json(field, value)
        for name, field in _fields(type(message)).items()
        if (value := getattr(message, name)) is not None
    }


def _proto_name(attribute: str) -> str:
    # The generator puts an underscore behind a name that has another meaning in Python, such as `global`.
    return attribute.removesuffix("_")


def _fields(kind: type[Message]) -> Mapping[str, betterproto2.FieldMetadata]:
    return _table(kind).meta_by_field_name


def _table(cls: type[Message]) -> betterproto2.ProtoClassMetadata:
    # The field table, which has no public name.
    table: betterproto2.ProtoClassMetadata = cls._betterproto  # type: ignore[arg-type]  # mypy misreads classproperty
    return table


def _field_to_json(field: betterproto2.FieldMetadata, value: Any) -> object:
    if field.map_meta is not None:
        kind = field.map_meta[1].proto_type
        return {str(key): _value_to_json(kind, each) for key, each in value.items()}
    if field.repeated:
        return [_value_to_json(field.proto_type, each) for each in value]
    return _value_to_json(field.proto_type, value)


def _value_to_json(kind: str, value: Any) -> object:
    if isinstance(value, Message):
        return to_json(value)
    if isinstance(value, betterproto2.Enum):
        # A number that this version of the enum does not know has no name.
        return value.name or int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        # The shortest text that reads as the same 32 bits: 0.1, and not 0.10000000149011612.
        return float(str(np.float32(value))) if kind == betterproto2.TYPE_FLOAT else value
    return cast("object", value)


# ---- JSON -> messages


def from_json(kind: type[_M], document: object, place: str) -> _M:
    """Return the message that parsed JSON holds; ``null`` stands for a field that is not given.

    Raises:
        InvalidInput: an unknown field, a field given twice, two members of a oneof, or a value that its field cannot
            have; the text begins with `place` and names the field.
    """
    given = given_fields(kind, document, place)
    groups: dict[str, str] = {}
    for name in given:
        group = _fields(kind)[name].group
        if group is not None and groups.setdefault(group, name) != name:
            raise InvalidInput(f"{place}: expected only one of {groups[group]} and {name}")
    return kind(**{name: _field_reader(kind, name)(value, f"{place}.{name}") for name, value in given.items()})


def given_fields(kind: type[Message], document: object, place: str) -> dict[str, object]:
    """Return the fields that parsed JSON gives, not yet read, under the names of their attributes.

    Raises:
        InvalidInput: it is no object, a field is unknown, or it is given twice.
    """
    known = {spelling: name for name in _fields(kind) for spelling in (_proto_name(name), _camel(_proto_name(name)))}
    members = dict(_members(document, place))
    unknown = sorted(members.keys() - known.keys())
    if unknown:
        raise InvalidInput(
            f"{place}: {kind.__name__} has no field {', '.join(f'{name!r:.80}' for name in unknown[:5])}"
        )
    given: dict[str, object] = {}
    for spelling, value in members.items():
        if known[spelling] in given:
            raise InvalidInput(f"{place}.{known[spelling]}: given twice")
        if value is not None:
            given[known[spelling]] = value
    return given


def _camel(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)


def _members(value: object, place: str) -> Iterator[tuple[str, object]]:
    if not isinstance(value, Mapping):
        raise _wrong(place, "an object", value)
    yield from cast("Mapping[str, object]", value).items()


def _field_reader(kind: type[Message], name: str) -> _Reader:
    field = _fields(kind)[name]
    targets = _table(kind).cls_by_field
    if field.map_meta is not None:
        key, value = field.map_meta
        read_key = _reader(key.proto_type, str)
        read_value = _reader(value.proto_type, targets[f"{name}.value"])

        def read_map(value: object, place: str) -> object:
            items = [(key, item, f"{place}[{key!r:.80}]") for key, item in _members(value, place)]
            return {read_key(key, where): read_value(item, where) for key, item, where in items}

        return read_map
    read = _reader(field.proto_type, targets[name])
    if not field.repeated:
        return read

    def read_list(value: object, place: str) -> object:
        if not isinstance(value, list):
            raise _wrong(place, "an array", value)
        return [read(item, f"{place}[{index}]") for index, item in enumerate(cast("list[object]", value))]

    return read_list


def _reader(kind: str, target: Any) -> _Reader:
    if kind == betterproto2.TYPE_MESSAGE:
        return lambda value, place: from_json(target, value, place)
    if kind == betterproto2.TYPE_ENUM:
        return lambda value, place: _read_enum(target, value, place)
    return _SCALARS.get(kind) or (lambda value, place: _read_integer(kind, value, place))


def _read_bool(value: object, place: str) -> object:
    if not isinstance(value, bool):
        raise _wrong(place, "true or false", value)
    return value


def _read_text(value: object, place: str) -> object:
    if not isinstance(value, str):
        raise _wrong(place, "text", value)
    return value


def _read_integer(kind: str, value: object, place: str) -> object:
    row = VARINTS[kind]
    number: int | None = None
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        number = int(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, float) and value.is_integer():
        number = int(value)
    if number is None or not row.low <= number <= row.high:
        raise _wrong(place, f"an integer from {row.low} to {row.high}", value)
    return number


def _read_double(value: object, place: str) -> object:
    if isinstance(value, str) and value in _SPECIAL:
        return _SPECIAL[value]
    number = math.nan
    if _NUMBER.fullmatch(value) if isinstance(value, str) else isinstance(value, int | float):
        with contextlib.suppress(OverflowError):  # an integer of more than 308 digits
            number = float(cast("str | float", value))
    if isinstance(value, bool) or not math.isfinite(number):
        raise _wrong(place, "a number", value)
    return number


def _read_float(value: object, place: str) -> object:
    number = cast("float", _read_double(value, place))
    with np.errstate(over="ignore"):
        short = float(np.float32(number))
    # Not compared with the largest one, whose shortest text is a little more than it is.
    if math.isinf(short) and math.isfinite(number):
        raise _wrong(place, "a number of 32 bits", value)
    return short


def _read_enum(target: type[betterproto2.Enum], value: object, place: str) -> object:
    by_spelling: dict[object, betterproto2.Enum] = {
        spelling: each for each in target for spelling in (each.name, each.value)
    }
    if isinstance(value, str | int) and not isinstance(value, bool) and value in by_spelling:
        return by_spelling[value]
    raise _wrong(place, f"one of {', '.join(member.name for member in target)}", value)


_SCALARS: Final[Mapping[str, _Reader]] = {
    betterproto2.TYPE_BOOL: _read_bool,
    betterproto2.TYPE_STRING: _read_text,
    betterproto2.TYPE_FLOAT: _read_float,
    betterproto2.TYPE_DOUBLE: _read_double,
}


def _wrong(place: str, expected: str, value: object) -> InvalidInput:
    # Not the repr of a container, which may be as deep as the parser allows.
    kinds: dict[type, str] = {dict: "an object", list: "an array", type(None): "null"}
    got = kinds.get(type(value)) or f"{value!r:.80}"
    return InvalidInput(f"{place}: expected {expected}, got {got}")

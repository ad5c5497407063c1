"""JSON text <-> Python's values: msgspec's where it is installed, else the standard library's, with equal results.

Environments of models need not have msgspec. Where the two could differ it is msgspec's strictness that counts.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import importlib
import json
import math
from collections.abc import Mapping
from importlib import metadata
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType


_OLDEST_MSGSPEC: Final = (0, 20)


class JsonError(ValueError):
    """Text is no JSON."""


@functools.cache
def find_msgspec() -> ModuleType | None:
    """Return msgspec, ``None`` where it cannot be imported, or is older than what the server needs."""
    try:
        found = importlib.import_module("msgspec")
        version = metadata.version("msgspec")
    except (ImportError, metadata.PackageNotFoundError):
        return None
    return found if tuple(map(int, version.split(".")[:2])) >= _OLDEST_MSGSPEC else None


# ---- Reading


def read_json(text: str | bytes | bytearray | memoryview) -> object:
    """Return what JSON text holds.

    Raises:
        JsonError: malformed, nested too deeply, not UTF-8, or with a number that is out of range.
    """
    msgspec = find_msgspec()
    if msgspec is None:
        return read_plain(text)
    try:
        return cast("object", msgspec.json.decode(text))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise JsonError(str(error)) from None


def read_plain(
    text: str | bytes | bytearray | memoryview,
    make_object: Callable[[list[tuple[str, object]]], object] | None = None,
    *,
    constants: bool = False,
) -> object:
    """Return what the standard library makes of JSON text, as strictly as msgspec.

    `constants` takes NaN, Infinity and -Infinity, as Python's own parser and rapidjson do. `make_object` is given the
    members of each object, in order and with those that come twice; without it they become a dict.

    Raises:
        JsonError: as :func:`read_json`.
    """
    try:
        text = text if isinstance(text, str) else str(text, "utf-8")
        found: object = json.loads(
            text,
            parse_float=_finite,
            parse_constant=float if constants else _refuse,
            object_pairs_hook=make_object,
        )
        if "\\u" in text:
            # Python's parser takes escaped lone surrogates, which no UTF-8 can carry.
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise JsonError(str(error)) from None
    return found


def _finite(text: str) -> float:
    """Return a JSON number; one beyond the range of a float is an error, as it is to msgspec."""
    value = float(text)
    if math.isinf(value):
        message = f"number out of range: {text:.40}"
        raise ValueError(message)
    return value


def _refuse(text: str) -> object:
    message = f"{text} is no number of JSON's"
    raise ValueError(message)


# ---- Writing


def write_json(value: object, default: Callable[[Any], object] | None = None) -> bytes:
    """Return a value as JSON; NaN and infinities are ``null``.

    Beside the builtin scalars and containers it may be, or hold, dataclasses, enumerations, bytes (as base64),
    points in time, ``UUID`` and ``Decimal`` (as text), and what `default` makes such values of.

    Raises:
        TypeError: a value has no form in JSON, or what `default` raises.
        ValueError: likewise, or text has no form in UTF-8.
        RecursionError: it holds itself.
    """
    msgspec = find_msgspec()
    if msgspec is None:
        return write_plain(value, default)
    encoded: bytes = msgspec.json.encode(value, enc_hook=default)
    return encoded


def write_plain(value: object, default: Callable[[Any], object] | None = None) -> bytes:
    """Do what :func:`write_json` does with the standard library alone."""
    plain = _builtins(value, default, nonfinite_as_null=True)
    return json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def indent_json(text: bytes, indent: int) -> bytes:
    """Return JSON text with each member on a line of its own."""
    msgspec = find_msgspec()
    if msgspec is None:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=indent).encode()
    formatted: bytes = msgspec.json.format(text, indent=indent)
    return formatted


def to_builtins(value: object, default: Callable[[Any], object] | None = None) -> object:
    """Return a value as what JSON has: ``dict``, ``list``, ``str``, ``int``, ``float``, ``bool`` and ``None``.

    Raises:
        As :func:`write_json`.
    """
    msgspec = find_msgspec()
    if msgspec is None:
        return _builtins(value, default, nonfinite_as_null=False)
    return cast("object", msgspec.to_builtins(value, enc_hook=default))


def _builtins(value: object, default: Callable[[Any], object] | None, *, nonfinite_as_null: bool) -> object:
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is float:
        return None if nonfinite_as_null and not math.isfinite(cast("float", value)) else value

    def inner(each: object) -> object:
        return _builtins(each, default, nonfinite_as_null=nonfinite_as_null)

    if isinstance(value, enum.Enum):
        return inner(value.value)
    if isinstance(value, Mapping):
        members = cast("Mapping[object, object]", value)
        return {_key(key, inner(key)): inner(each) for key, each in members.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = cast("Iterable[object]", value)
        # Long ones are of one type, most often.
        return list(items) if set(map(type, items)) <= _SCALARS else list(map(inner, items))
    for base, write in _texts().items():
        if isinstance(value, base):
            return write(value)
    for base in (str, int, float):
        if isinstance(value, base):
            return inner(base(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: inner(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if default is None:
        message = f"Encoding objects of type {kind.__name__} is unsupported"
        raise TypeError(message)
    return inner(default(value))


_SCALARS: Final = frozenset({str, int, bool, type(None)})


def _key(key: object, plain: object) -> str | int | float:
    if isinstance(plain, bool) or not isinstance(plain, (str, int, float)):
        message = f"Only dicts with str-like or number-like keys are supported, got {type(key).__name__}"
        raise TypeError(message)
    return plain


@functools.cache
def _texts() -> Mapping[type, Callable[[Any], str]]:
    """Return what writes values as text, by their types."""
    # Most processes never need them, and one that imports the package would wait for all of these.
    import base64
    import datetime as dt
    import decimal
    import uuid

    def moment(value: dt.datetime | dt.time) -> str:
        return value.isoformat().replace("+00:00", "Z")

    def encoded(value: bytes | bytearray | memoryview) -> str:
        return base64.b64encode(value).decode()

    return MappingProxyType(
        {
            bytes: encoded,
            bytearray: encoded,
            memoryview: encoded,
            # Before what it is a kind of.
            dt.datetime: moment,
            dt.date: dt.date.isoformat,
            dt.time: moment,
            uuid.UUID: str,
            decimal.Decimal: str,
        }
    )

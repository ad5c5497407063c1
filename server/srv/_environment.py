"""Where the values of settings come from: environment variables, the ``.env`` file, JSON files.

Nothing here knows which settings exist. A value travels with the place that gave it (:class:`Given`), so that a
value of the wrong type is reported by the name of its variable, or by its file and path.

A variable's name is a prefix and the setting's name, in any case: ``SRV_HTTP_PORT``. ``MLSERVER_HTTP_PORT`` means
the same and ranks lower. Text is parsed by the type of its setting: ``true false 1 0 yes no on off`` for booleans,
JSON for lists and objects.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from collections import ChainMap
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeVar, cast, get_args, get_origin, get_type_hints

from srv._conversion import Misfit, compile_hint
from srv_protocol.errors import SettingsError
from srv_protocol.json_text import JsonError, read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_S = TypeVar("_S")

PREFIXES: Final = ("SRV_", "MLSERVER_")
"""The prefixes of environment variables, highest rank first."""

BOOLEANS: Final[Mapping[str, bool]] = MappingProxyType(
    {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
)
"""What a boolean may be called in an environment variable, in lower case."""


class Given(NamedTuple):
    """A value and the place that gave it.

    Attributes:
        place: how an error names where the value stands.
        value: the value; a ``str`` still to be parsed if it is a variable's.
        variable: whether it is the text of an environment variable.
    """

    place: str
    value: object
    variable: bool = False


# ---- Environment


def read_environment(directory: Path | None = None) -> dict[str, str]:
    r"""Return the process's environment, and below it what ``.env`` in `directory` (default: the current one) adds.

    Of ``.env`` only lines with one of our prefixes are read: ``NAME=value``, ``export NAME=value``, values in single
    quotes (verbatim) or double quotes (``\n``, ``\t``, ``\"``, ``\\``), comments after `` #``. Nothing is
    interpolated. A name that the process's environment sets, under either prefix, is left out.

    Raises:
        SettingsError: ``.env`` cannot be read, or a quote in a line of ours is not closed.
    """
    taken = {_setting(name) for name in os.environ} - {None}
    added = _read_dotenv((directory or Path()) / ".env")
    return {**{name: text for name, text in added.items() if _setting(name) not in taken}, **os.environ}


def variables(environ: Mapping[str, str], section: str = "") -> dict[str, Given]:
    """Return what `environ` gives to settings: lower-case setting name -> value.

    `section` narrows the prefix: ``MODEL_`` reads ``SRV_MODEL_NAME`` as ``name``. Of two spellings of one setting the
    higher-ranking prefix wins, then the one in upper case.
    """
    found: dict[str, Given] = {}
    for prefix in reversed(PREFIXES):
        start = prefix + section
        for name in sorted(environ, key=str.isupper):
            if name.upper().startswith(start):
                place = f"{name} (environment or .env)"
                found[name[len(start) :].lower()] = Given(place, environ[name], variable=True)
    return found


def _setting(variable: str) -> str | None:
    """Return the setting that a variable names under any prefix; ``None`` if it is not ours."""
    upper = variable.upper()
    return next((upper.removeprefix(prefix) for prefix in PREFIXES if upper.startswith(prefix)), None)


_DOTENV_LINE: Final = re.compile(
    rf"\s*(?:export\s+)?(?P<name>(?:{'|'.join(PREFIXES)})\w+)\s*=\s*(?P<text>.*?)\s*", re.IGNORECASE | re.ASCII
)
_DOTENV_VALUE: Final = re.compile(
    r"""( '(?P<single>[^']*)' | "(?P<double>([^"\\]|\\.)*)" | (?P<bare>(?!['"]).*?) )(\s+\#.*)?""", re.VERBOSE
)
_ESCAPES: Final[Mapping[str, str]] = MappingProxyType({"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"})


def _read_dotenv(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    if not path.is_file():
        return found
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        entry = _DOTENV_LINE.fullmatch(line)
        if entry is None:
            continue
        value = _DOTENV_VALUE.fullmatch(entry["text"])
        if value is None:
            message = f"{path}:{number}: {entry['name']}: expected a value with its quotes closed, got {entry['text']}"
            raise SettingsError(message)
        found[entry["name"]] = value["single"] or _unescape(value["double"] or "") or value["bare"] or ""
    return found


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[0]), text)


# ---- Files


def read_object(path: Path) -> dict[str, object]:
    """Return the JSON object that a file holds.

    Raises:
        SettingsError: the file cannot be read, is not JSON, or holds something else than an object.
    """
    return parse_object(Given(str(path), _read_text(path), variable=True))


def parse_object(given: Given) -> dict[str, object]:
    """Return the JSON object that a text holds.

    Raises:
        SettingsError: the text is not JSON, or holds something else than an object.
    """
    return cast("dict[str, object]", convert(given, dict[str, object]))


def layer(document: Mapping[str, object], place: str) -> dict[str, Given]:
    """Return the values of a JSON object, each with its place: ``FILE: $.key``."""
    separator = "" if "$" in place else ": $"
    return {key: Given(f"{place}{separator}.{key}", value) for key, value in document.items()}


def _read_text(path: Path) -> str:
    try:
        # "-sig" skips the byte order mark that some editors of Windows write.
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path}: expected a readable file in UTF-8: {error}"
        raise SettingsError(message) from error


# ---- Types


def field_types(kind: type[Any]) -> Mapping[str, object]:
    """Return the fields of a dataclass with their evaluated type hints."""
    # Any: to mypy a class is not hashable.
    return _field_types(cast("Any", kind))


@functools.cache
def _field_types(kind: type[Any]) -> Mapping[str, object]:
    hints = get_type_hints(kind, include_extras=True)
    return MappingProxyType({field.name: hints[field.name] for field in dataclasses.fields(kind)})


def resolve(types: Mapping[str, object], *layers: Mapping[str, Given]) -> dict[str, object]:
    """Return the fields that any of `layers` gives, converted; the first layer that has a field wins.

    A boolean may be text in a file, too.

    Raises:
        SettingsError: a value does not have the type of its field; the text names the value's place.
    """
    # ChainMap is typed for layers that it may write to; these are only read.
    chain = ChainMap(*(dict(each) for each in layers))
    return {name: convert(_readable(chain[name], hint), hint) for name, hint in types.items() if name in chain}


def _readable(given: Given, hint: object) -> Given:
    # MLServer's example folders have `"debug": "true"` in their files, and so have its users'.
    return given._replace(variable=True) if hint is bool and isinstance(given.value, str) else given


def convert(given: Given, hint: object) -> object:
    """Return a value as the type `hint`: variables are parsed, everything else must have the type already.

    Raises:
        SettingsError: it does not; the text names the place, what was expected and what came.
    """
    value = given.value
    try:
        if given.variable:
            value = _parse(str(value), hint)
        return compile_hint(hint).read(value)
    except Misfit as error:
        separator = "" if "$" in given.place or not error.path else ": $"
        message = f"{given.place}{separator}{error.path}: {_explain(error.reason, value, error.path, hint)}"
    except JsonError as error:
        message = f"{given.place}: expected JSON: {error}"
    raise SettingsError(message) from None


def build(kind: type[_S], values: Mapping[str, object]) -> _S:
    """Return a dataclass made of converted values, whose types :func:`resolve` has checked."""
    return kind(**values)


def check_fields(settings: object, *, skip: frozenset[str] = frozenset()) -> None:
    """Check every field of a dataclass that was built in Python against its type hint.

    Raises:
        SettingsError: a value does not have the type of its field.
    """
    kind: type[Any] = type(settings)
    for name in field_types(kind):
        if name not in skip:
            check_field(settings, name, getattr(settings, name))


def check_field(settings: object, name: str, value: object) -> object:
    """Check a value for a field of a dataclass against the field's type hint, and return it.

    Raises:
        SettingsError: it does not have that type.
    """
    kind: type[Any] = type(settings)
    place = f"{kind.__name__}.{name}"
    wanted = convert(Given(place, value), field_types(kind)[name])
    # A dataclass is made of a dictionary, but here the field would go on holding the dictionary.
    if dataclasses.is_dataclass(wanted) and wanted is not value:
        message = f"{place}: expected `{type(wanted).__name__}`, got {value!r}"
        raise SettingsError(message)
    return value


def _explain(reason: str, value: object, inner: str, hint: object) -> str:
    """Return the reason of a misfit as "expected ..., got ..."."""
    if get_origin(hint) is Literal and reason.startswith("Invalid enum value"):
        reason = f"expected one of {', '.join(map(repr, sorted(get_args(hint))))}"
    if ", got " in reason or "field" in reason:
        return reason[0].lower() + reason[1:]
    return f"{reason[0].lower()}{reason[1:]}, got {_at(value, inner)!r}"


def _at(value: object, path: str) -> object:
    """Return what stands at a misfit's path, as far as it can be followed."""
    found: Any = value
    for key, index in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        try:
            found = found[key or int(index)]
        except (KeyError, IndexError, TypeError):
            break
    return cast("object", found)


# ---- Text of variables


def _parse_boolean(text: str) -> object:
    value = BOOLEANS.get(text.lower())
    if value is None:
        message = f"expected one of {', '.join(BOOLEANS)}, got {text!r}"
        raise Misfit(message)
    return value


def _parse_integer(text: str) -> object:
    if re.fullmatch(r"[+-]?[0-9]+", text) is None:
        message = f"expected an integer, got {text!r}"
        raise Misfit(message)
    return int(text)


def _parse_number(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        message = f"expected a number, got {text!r}"
        raise Misfit(message) from None


def _parse_json(text: str) -> object:
    return read_json(text)


def _parse_text_or_json(text: str) -> object:
    return _parse_json(text) if text.lstrip().startswith("{") else text


# In this order: a type that allows text takes every variable as it stands.
_PARSERS: Final[tuple[tuple[frozenset[str], Callable[[str], object]], ...]] = (
    (frozenset({"str", "object"}), _parse_text_or_json),
    (frozenset({"str"}), str),
    (frozenset({"bool"}), _parse_boolean),
    (frozenset({"int"}), _parse_integer),
    (frozenset({"float"}), _parse_number),
)


def _parse(text: str, hint: object) -> object:
    names = compile_hint(hint).names
    parser = next((parser for needed, parser in _PARSERS if needed <= names), _parse_json)
    return parser(text)

"""JSON bodies -> views, every failure an InvalidInput that names the place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from srv_protocol.errors import InvalidInput
from srv_protocol.json_text import JsonError, read_plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from msgspec.json import Decoder

_T = TypeVar("_T")
_AT: Final = re.compile(r"^(?P<text>.*?) - at `\$\.?(?P<path>.*)`$", re.DOTALL)


def parse_json(decoder: Decoder[_T], body: memoryview | bytes) -> _T:
    """Return what `decoder` makes of a body.

    Raises:
        InvalidInput: malformed, nested too deeply, not UTF-8, or not of the decoder's type.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidInput(explain(error)) from None
    except msgspec.DecodeError as error:
        raise InvalidInput(f"the request body is no valid JSON: {error}") from None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the request body is no valid JSON: {error.reason} at byte {error.start}") from None
    except RecursionError:
        raise InvalidInput("the request body is no valid JSON: it is nested too deeply") from None


def parse_python(
    body: memoryview | bytes, make_object: Callable[[list[tuple[str, object]]], object] | None = None
) -> object:
    """Return the Python values of a body in which NaN, Infinity and -Infinity stand for numbers.

    That is what Python's own parser and rapidjson read. `make_object` is given the members of each object, in order
    and with those that come twice; without it they become a dict.

    Raises:
        InvalidInput: malformed in any other way, nested too deeply, or not UTF-8.
    """
    try:
        return read_plain(body, make_object, constants=True)
    except JsonError as error:
        raise InvalidInput(f"the request body is no valid JSON: {error}") from None


def explain(error: msgspec.ValidationError, prefix: str = "") -> str:
    """Return msgspec's message with the place in front: ``inputs[0].shape: expected `array`, got `int```."""
    text = str(error)
    found = _AT.match(text)
    path = prefix
    if found is not None:
        text = found["text"]
        separator = "." if prefix and found["path"][:1] not in {"[", ""} else ""
        path = f"{prefix}{separator}{found['path']}"
    text = text[:1].lower() + text[1:]
    return f"{path}: {text}" if path else f"the request body: {text}"

"""The parameters of load and unload requests (Triton's "Model Repository Extension"), checked by name and type."""

from __future__ import annotations

import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from srv_protocol.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE: Final = "file:"


@dataclass(frozen=True, slots=True)
class LoadParameters:
    """What a load request brings: a configuration as JSON text, and files by their paths."""

    config: str | None = None
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])


def read_load_parameters(given: Mapping[str, object]) -> LoadParameters:
    """Return the parameters of a load request.

    Raises:
        InvalidInput: an unknown name, or a value of the wrong type.
    """
    config: str | None = None
    files: dict[str, bytes] = {}
    for name, value in given.items():
        if name == "config":
            if not isinstance(value, str):
                raise _wrong_type("load", name, "string_param")
            config = value
        elif name.startswith(_FILE):
            if not isinstance(value, bytes):
                raise _wrong_type("load", name, "bytes_param")
            files[name.removeprefix(_FILE)] = value
        else:
            raise InvalidInput(f"unrecognized load parameter '{name:.80}'.")
    return LoadParameters(config, files)


def check_unload_parameters(given: Mapping[str, object]) -> None:
    """Check the parameters of an unload request. No model depends on another, so none of them changes anything.

    Raises:
        InvalidInput: an unknown name, or a value of the wrong type.
    """
    for name, value in given.items():
        if name != "unload_dependents":
            raise InvalidInput(f"unrecognized unload parameter '{name:.80}'.")
        if not isinstance(value, bool):
            raise _wrong_type("unload", name, "bool_param")


def from_json(given: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters of a load request over REST as gRPC has them: files are bytes, not base64 text.

    Raises:
        InvalidInput: a file is no base64 text.
    """
    return {name: _decode(name, value) if name.startswith(_FILE) else value for name, value in given.items()}


def _decode(name: str, value: object) -> bytes:
    if not isinstance(value, str):
        raise _wrong_type("load", name, "base64 text")
    try:
        return binascii.a2b_base64(value, strict_mode=True)
    except ValueError as error:
        raise InvalidInput(f"load parameter '{name:.80}': expected base64 text: {error}") from None


def _wrong_type(action: str, name: str, expected: str) -> InvalidInput:
    return InvalidInput(f"invalid value type for {action} parameter '{name:.80}', expected {expected}.")

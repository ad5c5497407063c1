"""The reserved parameters of a request that say how it is scheduled.

Source: Triton's "Sequence Extension", "Schedule Policy Extension" and "Parameters Extension".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from srv.runtimes._turns import LOWEST
from srv_protocol.errors import InvalidInput

if TYPE_CHECKING:
    from srv_protocol.inference import Parameters, ParameterValue

EMPTY_FINAL: Final = "triton_enable_empty_final_response"
"""Asks a stream for a last response that has no outputs; Triton's tools send it everywhere."""
FINAL: Final = "triton_final_response"
"""Says of a stream's response whether it is the last one to its request."""
_RESERVED: Final = "triton_"


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """How a request is scheduled.

    Attributes:
        priority: lower numbers come first; who asks for none comes last.
        timeout: seconds that the request may take, ``None`` for as long as it likes.
        sequence: the sequence that it belongs to, ``None`` for none.
        empty_final: whether a stream of responses ends with an empty one.
    """

    priority: int = LOWEST
    timeout: float | None = None
    sequence: int | str | None = None
    sequence_start: bool = False
    sequence_end: bool = False
    empty_final: bool = False


NO_OPTIONS: Final = RequestOptions()
"""Those of a request that says nothing."""


def take_options(parameters: Parameters) -> RequestOptions:
    """Return what a request's parameters say; those of a sequence stay in them, for the runtime to read.

    Raises:
        InvalidInput: a value has the wrong type, or a name is reserved.
    """
    if not len(parameters):
        return NO_OPTIONS
    empty_final = _flag(parameters.pop(EMPTY_FINAL, None), EMPTY_FINAL)
    for name in parameters:
        if name.startswith(_RESERVED):
            raise InvalidInput(
                f"parameters.{name:.80}: parameter keys starting with '{_RESERVED}' are reserved for Triton usage. "
                f"Only the following keys starting with '{_RESERVED}' are allowed: {EMPTY_FINAL}"
            )
    priority = _unsigned(parameters.get("priority"), "priority")
    timeout = _unsigned(parameters.get("timeout"), "timeout")
    return RequestOptions(
        priority=priority or LOWEST,
        timeout=timeout / 1e6 if timeout else None,
        sequence=_sequence(parameters.get("sequence_id")),
        sequence_start=_flag(parameters.get("sequence_start"), "sequence_start"),
        sequence_end=_flag(parameters.get("sequence_end"), "sequence_end"),
        empty_final=empty_final,
    )


def _sequence(value: ParameterValue) -> int | str | None:
    if isinstance(value, str):
        return value or None
    # Clients in C++ send an unsigned one beyond the range of int64 as a negative one.
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value or None
    raise _wrong("sequence_id", "int64_param or string_param", "an integer or text", value)


def _unsigned(value: ParameterValue, name: str) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _wrong(name, "int64_param", "an unsigned integer", value)
    return value


def _flag(value: ParameterValue, name: str) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    raise _wrong(name, "bool_param", "true or false", value)


def _wrong(name: str, member: str, expected: str, value: ParameterValue) -> InvalidInput:
    return InvalidInput(
        f"parameters.{name}: invalid value type for '{name}' parameter, expected {member}. (expected {expected}, "
        f"got {value!r:.40})"
    )

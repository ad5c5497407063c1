"""Reserved parameters that say in which form a tensor travels, common to both protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srv_protocol.errors import InvalidInput, Unsupported

if TYPE_CHECKING:
    from srv_protocol.inference import Parameters, ParameterValue


def take_flag(value: ParameterValue, path: str) -> bool:
    """Return a boolean parameter, ``False`` when it is not given; fail at `path` when it is no boolean."""
    if value is None or isinstance(value, bool):
        return bool(value)
    raise InvalidInput(f"{path}: expected true or false, got {value!r}")


def reject_unserved(parameters: Parameters, path: str) -> None:
    """Refuse a tensor that is to lie in shared memory or to be classified; ignoring it would be a wrong answer.

    Raises:
        Unsupported: always for such a tensor.
    """
    if not parameters:
        return
    for name, what in (("shared_memory_region", "shared memory"), ("classification", "classification")):
        if name in parameters:
            raise Unsupported(f"{path}.parameters.{name}: {what} is not served by this server")

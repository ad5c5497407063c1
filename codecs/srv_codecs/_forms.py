"""Reserved parameters that say in which form a tensor travels, common to both protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srv_protocol.errors import InvalidInput, Unsupported

if TYPE_CHECKING:
    from srv_protocol.inference import Parameters, ParameterValue

_RESERVED: Final = "triton_"
# About streams, but perf_analyzer sends it with every request.
_EMPTY_FINAL: Final = "triton_enable_empty_final_response"


def take_flag(value: ParameterValue, path: str) -> bool:
    """Return a boolean parameter, ``False`` when it is not given; fail at `path` when it is no boolean."""
    if value is None or isinstance(value, bool):
        return bool(value)
    raise InvalidInput(f"{path}: expected true or false, got {value!r}")


def reject_reserved(parameters: Parameters) -> None:
    """Refuse a parameter of a request in the namespace that is Triton's own.

    Raises:
        InvalidInput: there is one that clients may not send.
    """
    for name in parameters:
        if name.startswith(_RESERVED) and name != _EMPTY_FINAL:
            raise InvalidInput(
                f"parameters.{name:.80}: parameter keys starting with '{_RESERVED}' are reserved for Triton usage. "
                f"Only the following keys starting with '{_RESERVED}' are allowed: {_EMPTY_FINAL}"
            )


def reject_shared_memory(parameters: Parameters, path: str) -> None:
    """Refuse a tensor that is to lie in shared memory; ignoring it would be a wrong answer.

    Raises:
        Unsupported: always for such a tensor.
    """
    if "shared_memory_region" in parameters:
        raise Unsupported(f"{path}.parameters.shared_memory_region: shared memory is not served by this server")


def take_classification(parameters: Parameters, path: str) -> int | None:
    """Return how many classes of an output are asked for, ``None`` for the output itself.

    Raises:
        InvalidInput: it is no positive integer.
    """
    value = parameters.get("classification")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise InvalidInput(f"{path}.parameters.classification: expected a positive integer, got {value!r}")
    return value

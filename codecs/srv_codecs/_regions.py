"""Tensors in shared memory of the client's: where they lie (Triton's "Shared Memory Extension")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from srv_protocol.errors import InvalidInput, NotFound, Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterable

    from srv_protocol.inference import InferRequestedOutputTensor, Parameters

REGION: Final = "shared_memory_region"
_SIZE: Final = "shared_memory_byte_size"
_OFFSET: Final = "shared_memory_offset"
RESERVED: Final = frozenset({REGION, _SIZE, _OFFSET})
"""The parameters that say so."""


class Span(Protocol):
    """A part of a region, which stays mapped for as long as this or a view of it is there."""

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    def view(self) -> memoryview:
        """Return the bytes: a read-only view, which shows what the client writes there meanwhile.

        Raises:
            InvalidInput: the memory is not there any more.
        """
        ...

    def write(self, data: memoryview) -> None:
        """Copy `data` to the start of the bytes.

        Raises:
            InvalidInput: the memory is not there any more.
            InferenceError: it cannot be written.
        """
        ...


class Regions(Protocol):
    """The regions that clients have registered."""

    def find(self, region: str, offset: int, byte_size: int) -> Span:
        """Return a part of a region.

        Raises:
            NotFound: there is no region of that name.
            InvalidInput: the part is not within it.
            Unsupported: clients may not use shared memory.
        """
        ...


def take_span(parameters: Parameters, path: str, regions: Regions | None) -> Span | None:
    """Take out of a tensor's parameters where in shared memory it lies; return ``None`` where it does not.

    Raises:
        InvalidInput: one of the parameters is missing, has another type or is not within the region.
        NotFound: there is no such region.
        Unsupported: there are no regions.
    """
    if REGION not in parameters:
        for name in (_SIZE, _OFFSET):
            if name in parameters:
                raise InvalidInput(f"{path}.parameters.{name}: expected {REGION} beside it, there is none")
        return None
    if regions is None:
        raise Unsupported(f"{path}.parameters.{REGION}: shared memory is not served by this server")
    region = parameters.pop(REGION)
    if not isinstance(region, str):
        raise InvalidInput(f"{path}.parameters.{REGION}: expected text, got {region!r}")
    size = _take_size(parameters, _SIZE, path)
    if size is None:
        raise InvalidInput(f"{path}.parameters.{_SIZE}: there is none beside {REGION}")
    offset = _take_size(parameters, _OFFSET, path) or 0
    try:
        return regions.find(region, offset, size)
    except (InvalidInput, NotFound, Unsupported) as error:
        raise type(error)(f"{path}.parameters.{REGION}: {error}") from None


def _take_size(parameters: Parameters, name: str, path: str) -> int | None:
    size = parameters.pop(name, None)
    if size is None:
        return None
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise InvalidInput(f"{path}.parameters.{name}: expected an unsigned integer, got {size!r}")
    return size


def take_output_spans(outputs: Iterable[InferRequestedOutputTensor], regions: Regions | None) -> dict[str, Span]:
    """Take out of the requested outputs' parameters where in shared memory they are to lie; return it by name.

    Raises:
        InvalidInput: the classes of an output are to lie there, or what :func:`take_span` raises.
    """
    spans: dict[str, Span] = {}
    for index, output in enumerate(outputs):
        span = take_span(output.parameters, f"outputs[{index}]", regions)
        if span is None:
            continue
        if "classification" in output.parameters:
            raise InvalidInput(
                f"outputs[{index}].parameters.classification: shared memory is not supported for "
                f"the classification of output '{output.name}'"
            )
        spans[output.name] = span
    return spans

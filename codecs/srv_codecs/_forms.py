"""In which form a tensor travels: the reserved parameters that say so, common to both protocols."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from srv_codecs._raw import encode_raw
from srv_protocol.errors import InferenceError, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from srv_codecs._place import Place
    from srv_codecs._regions import Span
    from srv_protocol.datatypes import DatatypeSpec
    from srv_protocol.inference import Parameters, ParameterValue


@dataclass(frozen=True, slots=True)
class OutputForms:
    """In which forms the client wants the outputs.

    Attributes:
        default: over REST, whether every output is binary when the request lists none.
        listed: over REST, the listed outputs that are binary; one that is listed without a wish is JSON, as Triton and
            KServe have it.
        typed: over gRPC, whether some input came as typed contents.
        spans: where in shared memory outputs are to lie, by name.
    """

    default: bool = False
    listed: frozenset[str] | None = None
    typed: bool = False
    spans: Mapping[str, Span] = field(default_factory=dict)  # pyright: ignore[reportUnknownVariableType]  # an empty one

    def is_binary(self, name: str) -> bool:
        """Whether the output goes into the binary tail."""
        return self.default if self.listed is None else name in self.listed

    def encode_raw(self, array: NDArray[np.generic], spec: DatatypeSpec, place: Place) -> memoryview:
        """Return the raw contents of an output: a view of the array wherever it can be.

        Raises:
            InferenceError: the output is larger than the shared memory that it is to lie in.
        """
        data = encode_raw(array, spec, place)
        span = self.spans.get(place.name)
        if span is not None and len(data) > span.size:
            raise InferenceError(
                f"{place.path}: shared memory size specified with the request for output '{place.name}' "
                f"({span.size} bytes) should be at least {len(data)} bytes to hold the results"
            )
        # What is read-only may be an input in shared memory, which another output is about to be written over.
        return memoryview(bytes(data)) if self.spans and not array.flags.writeable else data


def take_flag(value: ParameterValue, path: str) -> bool:
    """Return a boolean parameter, ``False`` when it is not given; fail at `path` when it is no boolean."""
    if value is None or isinstance(value, bool):
        return bool(value)
    raise InvalidInput(f"{path}: expected true or false, got {value!r}")


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

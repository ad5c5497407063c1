"""What a caller has -> the tensors of a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, cast

import numpy as np

from srv_codecs.content_types import input_codecs
from srv_protocol.datatypes import DATATYPES, Datatype, datatype_of
from srv_protocol.errors import InvalidInput
from srv_protocol.inference import InferInputTensor, InferRequestedOutputTensor

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from srv_protocol.inference import ParameterValue

    Inputs: TypeAlias = "Mapping[str, object] | Sequence[InferInputTensor] | pd.DataFrame | pa.Table | pa.RecordBatch"
    """Values by the names of inputs; tensors; or a table, each of whose columns is one."""

# Not their subclasses: numpy's have shapes of their own.
_SCALARS: Final = frozenset({str, bytes, bool, int, float})
_MAX_INT64: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Input:
    """A value with what cannot be seen in it.

    Attributes:
        data: an array, or a list that is flat or nested.
        datatype: of the tensor; that of the array, or as the elements of the list are, if it is not given.
        shape: of the tensor; that of the data, if it is not given.
        parameters: of the tensor.
    """

    data: object
    datatype: str | None = None
    shape: Sequence[int] | None = None
    parameters: Mapping[str, ParameterValue] | None = None


def make_inputs(inputs: Inputs) -> list[InferInputTensor]:
    """Return the tensors that hold `inputs`; arrays are not copied.

    Raises:
        InvalidInput: a value is none that a tensor can hold; the text names the input.
    """
    if isinstance(inputs, Mapping):
        return [_make_tensor(name, value) for name, value in inputs.items()]
    package = _package(inputs)
    if package == "pandas":
        from srv_codecs.content_types import PandasCodec  # imports pandas, which the caller has

        return PandasCodec.encode_inputs(cast("pd.DataFrame", inputs))
    if package == "pyarrow":
        from srv_codecs.content_types import ArrowBatchCodec, ArrowTableCodec  # as before

        for codec in (ArrowTableCodec, ArrowBatchCodec):
            if codec.can_encode(inputs):
                return codec.encode_inputs(inputs)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # the one that takes it
    tensors = list(cast("Sequence[object]", inputs)) if isinstance(inputs, Sequence) else [inputs]
    if not all(isinstance(each, InferInputTensor) for each in tensors):
        raise InvalidInput(f"inputs: expected a mapping of names to values, or a table, got {type(inputs).__name__}")
    return cast("list[InferInputTensor]", tensors)


def make_outputs(outputs: Sequence[str | InferRequestedOutputTensor]) -> list[InferRequestedOutputTensor]:
    """Return the outputs that are asked for, by name or as they are."""
    if isinstance(outputs, str):
        raise InvalidInput(f"outputs: expected a list of names, got {outputs!r}")
    return [InferRequestedOutputTensor(each) if isinstance(each, str) else each for each in outputs]


def _package(value: object) -> str:
    return type(value).__module__.partition(".")[0]


def _make_tensor(name: str, value: object) -> InferInputTensor:
    if type(value) is np.ndarray:
        try:
            return InferInputTensor(name, datatype_of(value), list(value.shape), data=value)
        except TypeError as error:
            raise InvalidInput(f"input '{name}': {error}") from None
    if isinstance(value, Input):
        return _from_input(name, value)
    if isinstance(value, (list, tuple)):
        return _from_list(name, cast("Sequence[object]", value))
    if type(value) in _SCALARS:
        return _from_list(name, [value])
    package = _package(value)
    if package == "pyarrow":
        from srv_codecs.content_types import ArrowCodec  # imports pyarrow, which the caller has

        if ArrowCodec.can_encode(value):
            return ArrowCodec.encode_input(name, value)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # it takes it
    if package == "pandas":
        series = cast("pd.Series[str]", value)
        (tensor,) = make_inputs(series.to_frame(name))
        return tensor
    if hasattr(value, "__array__"):
        return _make_tensor(name, np.asarray(value, None))
    raise InvalidInput(
        f"input '{name}': expected an array, a list, a number, text, bytes or Input, got {type(value).__name__}"
    )


def _from_input(name: str, value: Input) -> InferInputTensor:
    if value.datatype is None:
        tensor = _make_tensor(name, value.data)
    elif value.datatype not in DATATYPES:
        raise InvalidInput(f"input '{name}': datatype: expected one of {', '.join(DATATYPES)}, got {value.datatype!r}")
    elif isinstance(value.data, (list, tuple)):
        # The elements are checked when the tensor is encoded.
        elements = list(cast("Sequence[object]", value.data))  # pyright: ignore[reportUnknownMemberType]  # of isinstance
        tensor = InferInputTensor(name, value.datatype, _shape_of(name, elements), data=elements)
    else:
        tensor = _make_tensor(name, value.data)
        if tensor.datatype != value.datatype:
            raise InvalidInput(f"input '{name}': expected {value.datatype}, got {tensor.datatype}; nothing is cast")
    if value.shape is not None:
        tensor.shape = [int(size) for size in value.shape]
    if value.parameters:
        tensor.parameters.update(value.parameters)
    return tensor


def _from_list(name: str, values: Sequence[object]) -> InferInputTensor:
    shape = _shape_of(name, values)
    flat: Sequence[object] = values
    for _ in shape[1:]:
        flat = [item for row in cast("Sequence[Sequence[object]]", flat) for item in row]
    kinds = set(map(type, flat))
    datatype = next((datatype for allowed, datatype in _LISTS if kinds <= allowed), None) if kinds else None
    if datatype is None:
        codec = input_codecs.find_for(values) if kinds else None
        if codec is not None:
            return codec.encode_input(name, values)
        if kinds and all(issubclass(kind, (np.ndarray, np.generic)) for kind in kinds):
            arrays = [np.asarray(item) for item in flat]
            if len({(each.dtype, each.shape) for each in arrays}) == 1:
                return _make_tensor(name, np.stack(arrays).reshape([*shape, *arrays[0].shape]))
        got = ", ".join(sorted(kind.__name__ for kind in kinds)) or "an empty list"
        raise InvalidInput(
            f"input '{name}': expected a list of booleans, of numbers, or of text and bytes, got {got}; "
            "an array, or Input with a datatype, says what it is"
        )
    if datatype is Datatype.INT64 and max(cast("Sequence[int]", flat)) > _MAX_INT64:
        datatype = Datatype.UINT64
    # The elements are checked when the tensor is encoded.
    return InferInputTensor(name, datatype, shape, data=list(flat))


_LISTS: Final[tuple[tuple[set[type], Datatype], ...]] = (
    ({bool}, Datatype.BOOL),
    ({int}, Datatype.INT64),
    ({int, float}, Datatype.FP64),
    ({str, bytes}, Datatype.BYTES),
)
"""Types of a list's elements, and what the list is."""


def _shape_of(name: str, values: Sequence[object]) -> list[int]:
    """Return the shape of nested lists; that they are even is checked here."""
    shape = [len(values)]
    level: Sequence[object] = values
    while level and isinstance(level[0], (list, tuple)):
        width = len(cast("Sequence[object]", level[0]))
        inner: list[object] = []
        for item in level:
            if not isinstance(item, (list, tuple)) or len(cast("Sequence[object]", item)) != width:
                raise InvalidInput(f"input '{name}': the list is nested unevenly at depth {len(shape)}")
            inner += cast("Sequence[object]", item)
        shape.append(width)
        level = inner
    return shape

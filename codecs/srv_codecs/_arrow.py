"""Content types ``arrow`` and ``arrow-table``: tensors as Apache Arrow arrays, record batches and tables."""

# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# Pyarrow's stubs leave type arguments open.

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from srv_codecs._arrays import tensor_array
from srv_codecs._byte_strings import all_as_bytes
from srv_codecs._columns import check_column, check_decoded, check_table, check_unique
from srv_codecs._content_types import decode_tensor
from srv_codecs._datetime import DatetimeCodec
from srv_codecs._elements import bytes_elements
from srv_codecs._numpy import NumpyCodec
from srv_codecs._packed import Packed
from srv_codecs._table_codec import TableCodec
from srv_codecs._tensor_codec import TensorCodec
from srv_codecs._tensor_form import TensorForm
from srv_protocol.datatypes import DATATYPES, Datatype, datatype_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TypeAlias

    from srv_codecs._place import Place
    from srv_codecs._registry import AnyInputCodec
    from srv_codecs._side import Side
    from srv_protocol.inference import Tensor

# Any: the elements' types are known at run time only.
ArrowArray: TypeAlias = "pa.Array[Any] | pa.ChunkedArray[Any]"

_TYPES: Final[dict[str, pa.DataType]] = {
    Datatype.BOOL: pa.bool_(),
    Datatype.UINT8: pa.uint8(),
    Datatype.UINT16: pa.uint16(),
    Datatype.UINT32: pa.uint32(),
    Datatype.UINT64: pa.uint64(),
    Datatype.INT8: pa.int8(),
    Datatype.INT16: pa.int16(),
    Datatype.INT32: pa.int32(),
    Datatype.INT64: pa.int64(),
    Datatype.FP16: pa.float16(),
    Datatype.FP32: pa.float32(),
    Datatype.FP64: pa.float64(),
    Datatype.BYTES: pa.binary(),
}
"""Datatype -> Arrow type; Arrow has none for BF16."""

_DECODED: Final[dict[str, pa.DataType]] = {"str": pa.string(), "base64": pa.binary(), "datetime": pa.timestamp("us")}
"""Content type -> Arrow type of what it decodes to."""

_NUMBERS: Final = frozenset(_TYPES.values()) - {pa.binary()}
_TEXTS: Final = frozenset({pa.string(), pa.large_string(), pa.string_view()})
_BINARIES: Final = frozenset({pa.binary(), pa.large_binary(), pa.binary_view()})


class ArrowCodec(TensorCodec[ArrowArray]):
    """One tensor of shape ``[N]`` or ``[N, 1]`` as an Arrow array.

    Numbers are a view of the tensor's memory, copied once where that is not aligned; booleans are always copied,
    since Arrow packs them into bits. BYTES is copied into ``binary``, or as the tensor's own content type says:
    ``str`` into ``string``, ``datetime`` into ``timestamp``, ``base64`` into ``binary``.

    Encoding gives shape ``[N, 1]`` and copies no numbers without nulls. A null is NaN in a float array, and an
    error in any other, since tensors have no nulls. Text and timestamps get their content type; chunks and
    dictionaries are resolved.
    """

    ContentType = "arrow"
    TypeHint = pa.Array
    takes = TensorForm(shape=(-1,))
    gives = TensorForm(shape=(-1, 1))

    @classmethod
    def can_encode(cls, payload: object) -> bool:
        """Whether `payload` is an Arrow array."""
        return isinstance(payload, (pa.Array, pa.ChunkedArray))

    @classmethod
    def pack(cls, payload: ArrowArray, place: Place) -> Packed:
        """Return the array as a tensor without a name; fail at `place` for types that no datatype carries."""
        if not cls.can_encode(payload):
            raise place.fail("", f"expected an Arrow array, got {type(payload).__name__}")
        packed = _pack(payload, place)
        return packed if packed.content_type else packed._replace(content_type=cls.ContentType)

    @classmethod
    def unpack(cls, tensor: Tensor, place: Place) -> pa.Array[Any]:
        """Return the array."""
        check_column(tensor, place)
        return _unpack(tensor, place)


class ArrowBatchCodec(TableCodec["pa.RecordBatch"]):
    """A request as a record batch, one column for each tensor; see :class:`ArrowCodec`."""

    ContentType = "arrow"
    TypeHint = pa.RecordBatch

    @classmethod
    def can_encode(cls, payload: object) -> bool:
        """Whether `payload` is a record batch."""
        return isinstance(payload, pa.RecordBatch)

    @classmethod
    def pack(cls, payload: pa.RecordBatch, side: Side) -> Iterable[tuple[str, Packed]]:
        """Return one tensor for each column."""
        return _pack_columns(payload.schema.names, payload.columns, side)

    @classmethod
    def unpack(cls, tensors: Sequence[Tensor], side: Side) -> pa.RecordBatch:
        """Return the record batch."""
        return pa.RecordBatch.from_arrays(_unpack_columns(tensors, side), [tensor.name for tensor in tensors])


class ArrowTableCodec(TableCodec["pa.Table"]):
    """A request as a table, one column of one chunk for each tensor; see :class:`ArrowCodec`."""

    ContentType = "arrow-table"
    TypeHint = pa.Table

    @classmethod
    def can_encode(cls, payload: object) -> bool:
        """Whether `payload` is a table."""
        return isinstance(payload, pa.Table)

    @classmethod
    def pack(cls, payload: pa.Table, side: Side) -> Iterable[tuple[str, Packed]]:
        """Return one tensor for each column."""
        return _pack_columns(payload.schema.names, payload.columns, side)

    @classmethod
    def unpack(cls, tensors: Sequence[Tensor], side: Side) -> pa.Table:
        """Return the table."""
        return pa.Table.from_arrays(_unpack_columns(tensors, side), [tensor.name for tensor in tensors])


def _unpack_columns(tensors: Sequence[Tensor], side: Side) -> list[pa.Array[Any]]:
    check_table(tensors, side)
    return [_unpack(tensor, side.place(tensor.name)) for tensor in tensors]


def _unpack(tensor: Tensor, place: Place) -> pa.Array[Any]:
    # Those two present what is in the tensor already.
    if tensor.parameters.content_type not in {ArrowCodec.ContentType, NumpyCodec.ContentType}:
        decoded = decode_tensor(tensor)
        if decoded is not None and decoded[0] not in {ArrowCodec, NumpyCodec}:
            column = _from_codec(*decoded, place)
            check_decoded(len(column), tensor, place)
            return column
    kind = _TYPES.get(tensor.datatype)
    if tensor.datatype == Datatype.BYTES:
        return pa.array(all_as_bytes(bytes_elements(tensor, place), place), kind)
    array = tensor_array(tensor, place).reshape(-1)
    if kind is None:
        raise place.fail("", f"Arrow has no type for {tensor.datatype}")
    if tensor.datatype == Datatype.BOOL:
        return pa.array(array, kind)
    aligned = np.require(array, DATATYPES[tensor.datatype].dtype, ["C_CONTIGUOUS", "ALIGNED"])
    return pa.Array.from_buffers(kind, aligned.size, [None, pa.py_buffer(aligned.data)])


def _from_codec(codec: AnyInputCodec, decoded: object, place: Place) -> pa.Array[Any]:
    """Return the array of what the tensor's own content type has made of it."""
    values: Any = decoded
    if codec is DatetimeCodec and len({value.tzinfo is None for value in values}) > 1:
        # Arrow would take those without for UTC.
        raise place.fail("", "expected points in time that all have a UTC offset, or none that has one")
    kind = _DECODED.get(codec.ContentType)
    if codec is DatetimeCodec and values:
        # They tell the type, which has their UTC offset.
        kind = None
    try:
        return pa.array(values, kind)
    except (pa.ArrowException, TypeError) as error:  # the latter of what is no sequence
        raise place.fail("", f"no Arrow array of content type '{codec.ContentType}': {error}") from None


def _pack_columns(names: Sequence[str], columns: Iterable[ArrowArray], side: Side) -> Iterator[tuple[str, Packed]]:
    seen: set[str] = set()
    for name, column in zip(names, columns, strict=True):
        place = side.place(name)
        check_unique(name, seen, place)
        yield name, _pack(column, place)


def _pack(payload: ArrowArray, place: Place) -> Packed:
    array: pa.Array[Any] = payload.combine_chunks() if isinstance(payload, pa.ChunkedArray) else payload
    if isinstance(array, pa.DictionaryArray):
        array = array.dictionary_decode()
    kind: pa.DataType = array.type
    if array.null_count and not (pa.types.is_floating(kind) or pa.types.is_null(kind)):
        raise place.fail(f"data[{array.is_null().index(True).as_py()}]", f"expected {kind}, got null")
    if kind in _NUMBERS:
        numbers = array.to_numpy(zero_copy_only=kind != pa.bool_() and not array.null_count)
        return Packed(datatype_of(numbers), [len(array), 1], numbers, None)
    if kind in _TEXTS or kind in _BINARIES:
        # Arrow holds UTF-8 already, and gives the same memory another type.
        items = array.cast(pa.large_binary()).to_numpy(zero_copy_only=False)
        return Packed(Datatype.BYTES, [len(array), 1], items, "str" if kind in _TEXTS else None)
    if isinstance(kind, pa.TimestampType):
        try:
            # The precision of Python's datetime; fails rather than round.
            times: list[Any] = array.cast(pa.timestamp("us", kind.tz)).to_pylist()
        except pa.ArrowInvalid as error:
            raise place.fail("", str(error)) from None
        return DatetimeCodec.pack(times, place)
    raise place.fail("", f"no V2 datatype carries the Arrow type {kind}")

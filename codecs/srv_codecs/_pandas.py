"""Content type ``pd``: a request as a pandas DataFrame, one column for each tensor."""

# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# Pandas' stubs leave type arguments open.

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pandas as pd
from pandas.api import types

from srv_codecs._arrays import tensor_array
from srv_codecs._byte_strings import all_as_bytes, all_as_text
from srv_codecs._columns import check_decoded, check_table, check_unique
from srv_codecs._content_types import decode_tensor
from srv_codecs._datetime import DatetimeCodec
from srv_codecs._elements import bytes_elements
from srv_codecs._json_cells import JsonCellsCodec
from srv_codecs._packed import Packed
from srv_codecs._table_codec import TableCodec
from srv_protocol.datatypes import Datatype, datatype_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeAlias

    from srv_codecs._place import Place
    from srv_codecs._side import Side
    from srv_protocol.inference import Tensor

# Any: the elements' types are known at run time only.
Series: TypeAlias = "pd.Series[Any]"
Dtype: TypeAlias = "np.dtype[Any] | pd.api.extensions.ExtensionDtype"


class PandasCodec(TableCodec["pd.DataFrame"]):
    """A request as a DataFrame, one column for each tensor of shape ``[N]`` or ``[N, 1]``.

    A column is what the tensor's own content type makes of it (``str``, ``datetime``, ``base64``, ``np``,
    ``pd_json``, or any registered one); without one, BYTES is text and everything else has the datatype's dtype.
    The frame is always a copy, free to be changed.

    Encoding gives each column as a tensor of shape ``[N, 1]``, and leaves out the index. Numbers and booleans keep
    their type; text, points in time and other objects get content type ``str``, ``datetime`` and ``pd_json``, bytes
    ``np``; a categorical is encoded as its values. A missing value is NaN in a float column, and an error in any
    other, since tensors have no nulls.
    """

    ContentType = "pd"
    TypeHint = pd.DataFrame
    JsonContentType = JsonCellsCodec.ContentType

    @classmethod
    def can_encode(cls, payload: object) -> bool:
        """Whether `payload` is a DataFrame."""
        return isinstance(payload, pd.DataFrame)

    @classmethod
    def pack(cls, payload: pd.DataFrame, side: Side) -> Iterator[tuple[str, Packed]]:
        """Return one tensor for each column."""
        seen: set[str] = set()
        for label, series in payload.items():
            name = str(label)
            place = side.place(name)
            if not isinstance(label, (str, int, np.integer)):
                raise place.fail("", f"expected a column whose name is text or an integer, got {label!r}")
            check_unique(name, seen, place)
            yield name, pack_column(series, place)

    @classmethod
    def unpack(cls, tensors: Sequence[Tensor], side: Side) -> pd.DataFrame:
        """Return the DataFrame."""
        check_table(tensors, side)
        columns: dict[str, Series] = {}
        for tensor in tensors:
            columns[tensor.name] = unpack_column(tensor, side.place(tensor.name))
        return pd.DataFrame(columns, copy=True)


def unpack_column(tensor: Tensor, place: Place) -> Series:
    """Return a tensor that is one column as its content type says, or by its datatype; may be a view.

    Fails at `place` for elements that no column has, or another number of them than the tensor's shape says.
    """
    column = _unpack_elements(tensor, place)
    check_decoded(len(column), tensor, place)
    return column


def _unpack_elements(tensor: Tensor, place: Place) -> Series:
    decoded = decode_tensor(tensor)
    if decoded is not None:
        codec, values = cast("tuple[object, Any]", decoded)
        if codec is JsonCellsCodec:
            return pd.Series(values, dtype=object)
        if codec is DatetimeCodec and not values:
            # Otherwise the elements tell the dtype.
            return pd.Series(values, dtype="datetime64[us]")
        return pd.Series(values.reshape(-1) if isinstance(values, np.ndarray) else values)
    if tensor.datatype == Datatype.BYTES:
        return pd.Series(all_as_text(bytes_elements(tensor, place), place))
    if tensor.datatype == Datatype.BF16:
        raise place.fail("", f"pandas has no dtype for {Datatype.BF16}")
    return pd.Series(tensor_array(tensor, place).reshape(-1))


def pack_column(series: Series, place: Place) -> Packed:
    """Return a column as a tensor of shape ``[N, 1]`` without a name; fail at `place`."""
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        if not types.is_float_dtype(dtype.categories.dtype):
            _check_present(series, place)
        return pack_column(series.astype(dtype.categories.dtype), place)
    for matches, pack in _PACKERS:
        if matches(dtype):
            return pack(series, place)
    raise place.fail("", f"no V2 datatype carries a column of dtype {dtype}")


def _pack_numbers(series: Series, place: Place) -> Packed:
    # Extension types (Int64, boolean, double[pyarrow]) name the numpy dtype of their elements.
    dtype: np.dtype[Any] | None = getattr(series.dtype, "numpy_dtype", None)
    if dtype is None:
        array = series.to_numpy()
    elif dtype.kind == "f":
        array = series.to_numpy(dtype, na_value=np.nan)
    else:
        _check_present(series, place)
        array = series.to_numpy(dtype)
    if array.dtype.kind not in "biuf":
        raise place.fail("", f"no V2 datatype carries a column of dtype {series.dtype}")
    try:
        return Packed(datatype_of(array), [len(array), 1], array, None)
    except TypeError as error:
        raise place.fail("", str(error)) from None


def _pack_times(series: Series, place: Place) -> Packed:
    _check_present(series, place)
    return Packed(Datatype.BYTES, [len(series), 1], [time.isoformat().encode() for time in series], "datetime")


def _pack_objects(series: Series, place: Place) -> Packed:
    """Return text, bytes, or the JSON of anything else."""
    items: list[object] = series.tolist()
    kinds = {type(item) for item in items if not _is_missing(item)}
    if kinds and all(issubclass(kind, datetime) for kind in kinds):
        # Of several UTC offsets, which no dtype has.
        return _pack_times(series, place)
    if kinds <= {str} or kinds == {bytes}:
        _check_present(series, place)
        data, content_type = all_as_bytes(items, place), "np" if kinds == {bytes} else "str"
    else:
        data = [_write_json(item, index, place) for index, item in enumerate(items)]
        content_type = JsonCellsCodec.ContentType
    return Packed(Datatype.BYTES, [len(items), 1], data, content_type)


def _write_json(item: object, index: int, place: Place) -> bytes:
    return JsonCellsCodec.write(None if _is_missing(item) else item, index, place)


def _is_missing(item: object) -> bool:
    return item is None or item is pd.NA or item is pd.NaT or (isinstance(item, float) and math.isnan(item))


def _check_present(series: Series, place: Place) -> None:
    missing = series.isna().to_numpy()
    if missing.any():
        raise place.fail(f"data[{missing.argmax()}]", f"expected a value of dtype {series.dtype}, got a missing one")


def _is_number(dtype: Dtype) -> bool:
    return types.is_numeric_dtype(dtype) and not isinstance(dtype, pd.SparseDtype)


def _is_binary(dtype: Dtype) -> bool:
    return dtype.type is bytes


_PACKERS: Final[tuple[tuple[Callable[[Dtype], bool], Callable[[Series, Place], Packed]], ...]] = (
    (_is_number, _pack_numbers),
    (types.is_datetime64_any_dtype, _pack_times),
    (types.is_object_dtype, _pack_objects),
    (types.is_string_dtype, _pack_objects),
    (_is_binary, _pack_objects),
)
"""How the columns of a dtype are packed; the first row that knows the dtype."""

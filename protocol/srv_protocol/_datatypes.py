"""The table of V2 tensor datatypes, which everything else reads.

Sources: Open Inference Protocol, "Tensor Data Types"; BF16 from the Triton extensions and the comments of the
protocol's own .proto file.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from srv_protocol._errors import Unsupported
from srv_protocol._text_enum import TextEnum

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


class Datatype(TextEnum):
    """The names of the datatypes as they stand in requests, responses and metadata."""

    BOOL = "BOOL"
    UINT8 = "UINT8"
    UINT16 = "UINT16"
    UINT32 = "UINT32"
    UINT64 = "UINT64"
    INT8 = "INT8"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    FP16 = "FP16"
    BF16 = "BF16"
    FP32 = "FP32"
    FP64 = "FP64"
    BYTES = "BYTES"

    # A member is the key that its name is. That of Enum says so, too, in a function of Python's.
    __hash__ = str.__hash__


class JsonForm(enum.Enum):
    """How one element of a tensor is written in V2 JSON."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    STRING = "string"
    NONE = "none"
    """No JSON form: the protocol carries FP16 and BF16 as binary data only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatatypeSpec:
    """One row of the table.

    Attributes:
        name: the datatype.
        dtype_name: numpy's name of the little-endian dtype; ``bfloat16`` is ml-dtypes', ``object`` holds ``bytes``.
        itemsize: bytes of one element in raw form; 0 for BYTES, whose elements carry their own length.
        contents: the field of ``InferTensorContents`` that carries it; ``None`` where raw is the only gRPC form.
        json: the form of an element in V2 JSON.
        config: the name in Triton's ``ModelConfig``.
    """

    name: Datatype
    dtype_name: str
    itemsize: int
    contents: str | None
    json: JsonForm
    config: str

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The little-endian numpy dtype; ml-dtypes is imported when BF16 is first asked for."""
        found = _DTYPES.get(self.name)
        if found is None:
            found = _DTYPES[self.name] = _make_dtype(self.dtype_name)
        return found


_DTYPES: Final[dict[str, np.dtype[np.generic]]] = {}


def _make_dtype(name: str) -> np.dtype[np.generic]:
    if name == "bfloat16":
        try:
            import ml_dtypes  # costs 10 ms at import, and few models use BF16
        except ModuleNotFoundError:  # in an environment of a model's own
            raise Unsupported("BF16 needs ml_dtypes, which is not installed: pip install ml-dtypes") from None

        bfloat16: np.dtype[np.generic] = np.dtype(ml_dtypes.bfloat16)
        return bfloat16
    return np.dtype(name)


def _row(name: Datatype, dtype: str, size: int, contents: str | None, json: JsonForm, config: str = "") -> DatatypeSpec:
    return DatatypeSpec(
        name=name, dtype_name=dtype, itemsize=size, contents=contents, json=json, config=config or f"TYPE_{name}"
    )


_ROWS: Final = (
    _row(Datatype.BOOL, "?", 1, "bool_contents", JsonForm.BOOLEAN),
    _row(Datatype.UINT8, "<u1", 1, "uint_contents", JsonForm.INTEGER),
    _row(Datatype.UINT16, "<u2", 2, "uint_contents", JsonForm.INTEGER),
    _row(Datatype.UINT32, "<u4", 4, "uint_contents", JsonForm.INTEGER),
    _row(Datatype.UINT64, "<u8", 8, "uint64_contents", JsonForm.INTEGER),
    _row(Datatype.INT8, "<i1", 1, "int_contents", JsonForm.INTEGER),
    _row(Datatype.INT16, "<i2", 2, "int_contents", JsonForm.INTEGER),
    _row(Datatype.INT32, "<i4", 4, "int_contents", JsonForm.INTEGER),
    _row(Datatype.INT64, "<i8", 8, "int64_contents", JsonForm.INTEGER),
    _row(Datatype.FP16, "<f2", 2, None, JsonForm.NONE),
    _row(Datatype.BF16, "bfloat16", 2, None, JsonForm.NONE),
    _row(Datatype.FP32, "<f4", 4, "fp32_contents", JsonForm.NUMBER),
    _row(Datatype.FP64, "<f8", 8, "fp64_contents", JsonForm.NUMBER),
    _row(Datatype.BYTES, "object", 0, "bytes_contents", JsonForm.STRING, "TYPE_STRING"),
)

DATATYPES: Final[Mapping[str, DatatypeSpec]] = MappingProxyType({row.name.value: row for row in _ROWS})
"""Datatype name -> its row, in the order of the specification."""

# Keyed by kind and item size, so that byte order and numpy's aliases (``long``, ``longlong``) do not matter.
_BY_KIND: Final[Mapping[tuple[str, int], Datatype]] = MappingProxyType(
    {
        (np.dtype(row.dtype_name).kind, row.itemsize): row.name
        for row in _ROWS
        if row.dtype_name not in {"bfloat16", "object"}
    }
)


def datatype_of(array: NDArray[np.generic]) -> Datatype:
    """Return the datatype that carries an array's dtype without loss.

    Object, bytes (``S``) and text (``U``) arrays are BYTES.

    Raises:
        TypeError: no V2 datatype carries the dtype (complex, datetime64, float128, records).
    """
    dtype = array.dtype
    found = _BY_KIND.get((dtype.kind, dtype.itemsize))
    if found is not None:
        return found
    if dtype.kind in "OSUT":
        return Datatype.BYTES
    # Asked last: numpy makes the name anew each time, which takes longer than all the rest.
    if dtype.name == "bfloat16":
        return Datatype.BF16
    message = f"no V2 datatype carries numpy dtype {dtype}; the datatypes are {', '.join(DATATYPES)}"
    raise TypeError(message)

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest

from srv_protocol._gen.model_config import DataType
from srv_protocol.datatypes import DATATYPES, Datatype, JsonForm, datatype_of
from srv_protocol.inference import InferTensorContents

if TYPE_CHECKING:
    from numpy.typing import NDArray


def test_table_is_complete() -> None:
    """One row for each datatype, under its name."""
    assert list(DATATYPES) == [datatype.value for datatype in Datatype]
    assert all(row.name == name for name, row in DATATYPES.items())


@pytest.mark.parametrize("row", DATATYPES.values(), ids=DATATYPES)
def test_row(row: Any) -> None:
    """Sizes, fields and names agree with numpy, the .proto file and the model configuration."""
    assert row.dtype.itemsize == (row.itemsize or np.dtype(object).itemsize)
    assert row.dtype.byteorder in "<|=" or row.name is Datatype.BF16
    assert row.dtype is row.dtype
    assert row.contents is None or row.contents in vars(InferTensorContents())
    assert (row.contents is None) == (row.json is JsonForm.NONE) == (row.name in {"FP16", "BF16"})
    assert DataType[row.config].name == row.config


@pytest.mark.parametrize("row", DATATYPES.values(), ids=DATATYPES)
def test_datatype_of_its_dtype(row: Any) -> None:
    """The table reads back, in either byte order."""
    array: NDArray[Any] = np.zeros(2, row.dtype)
    assert datatype_of(array) is row.name
    if row.name is not Datatype.BF16:
        assert datatype_of(array.astype(row.dtype.newbyteorder(">"))) is row.name


@pytest.mark.parametrize("dtype", ["S3", "U3", object, np.dtypes.StringDType()], ids=str)
def test_text_is_bytes(dtype: Any) -> None:
    """Texts and objects travel as BYTES."""
    assert datatype_of(np.array(["a"], dtype)) is Datatype.BYTES


@pytest.mark.parametrize("name", ["long", "longlong", "intp", "ulong", "ulonglong"])
def test_aliases(name: str) -> None:
    """The platform's names for integers do not matter."""
    assert datatype_of(np.zeros(1, name)).endswith(f"INT{8 * np.dtype(name).itemsize}")


@pytest.mark.parametrize(
    "dtype",
    ["c8", "M8[s]", "m8[s]", "V4", [("a", "i4")], "longdouble", ml_dtypes.float8_e4m3fn, ml_dtypes.int4],
    ids=str,
)
def test_what_no_datatype_carries(dtype: Any) -> None:
    """There is no lossy choice."""
    array: NDArray[Any] = np.zeros(1, dtype)
    with pytest.raises(TypeError, match=r"no V2 datatype carries numpy dtype .*BOOL, UINT8"):
        datatype_of(array)

"""Content type ``pd``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from srv_codecs.content_types import PandasCodec
from srv_protocol.errors import CodecError, CodecNotFound, InferenceError
from srv_protocol.inference import InferInputTensor, ModelInferRequest

# Any: the stubs know fewer values than pandas takes.
pd_array: Any = pd.array
to_datetime: Any = pd.to_datetime


SUMMER = datetime.fromisoformat("2024-07-01T00:00:00+02:00")
WINTER = datetime.fromisoformat("2024-01-01T00:00:00+01:00")


def decode(*inputs: InferInputTensor) -> pd.DataFrame:
    return PandasCodec.decode_request(ModelInferRequest(inputs=list(inputs)))


def decode_column(datatype: str, data: Any, content_type: str | None = None) -> Any:
    tensor = InferInputTensor("c", datatype, [len(data), 1], {"content_type": content_type}, data=data)
    return decode(tensor)["c"]


COLUMNS: dict[str, Any] = {
    "bool": [True, False],
    "integers": np.array([1, 2], np.int8),
    "floats": np.array([1.5, np.nan], np.float32),
    "text": ["a", "ä"],
    "old text": pd.Series(["a", "b"], dtype=object),
    "times": to_datetime(["2024-01-01T00:00:00.000005", "2025-01-01T00:00:00.000000"]),
    "times with an offset": to_datetime(["2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"]),
    "times of several offsets": pd.Series([SUMMER, WINTER], dtype=object),
    "bytes": [b"\xff", b""],
    "lists and mappings": [[1, {"a": None}], {"b": [True]}],
    "mixed": pd.Series([1, "a"], dtype=object),
}


@pytest.mark.parametrize("values", COLUMNS.values(), ids=COLUMNS)
def test_a_column_round_trips(values: Any) -> None:
    frame = pd.DataFrame({"c": values})
    request = PandasCodec.encode_request(frame)
    assert (request.parameters.content_type, request.inputs[0].shape) == ("pd", [2, 1])
    for decoded in (
        PandasCodec.decode_request(request),
        PandasCodec.decode_response(PandasCodec.encode_response("m", frame)),
    ):
        pd.testing.assert_frame_equal(decoded, frame, check_dtype=frame["c"].dtype != object)


ENCODED: dict[str, tuple[Any, str, str | None]] = {
    "int8": (np.array([1, 2], np.int8), "INT8", None),
    "bool": ([True, False], "BOOL", None),
    "text": (["a", "b"], "BYTES", "str"),
    "bytes": ([b"a", b"b"], "BYTES", "np"),
    "times": (to_datetime(["2024-01-01", "2025-01-01"]), "BYTES", "datetime"),
    "times of several offsets": (pd.Series([SUMMER, WINTER], dtype=object), "BYTES", "datetime"),
    "objects": ([[1], {}], "BYTES", "pd_json"),
    "Int64": (pd_array([1, 2], "Int64"), "INT64", None),
    "boolean": (pd_array([True, False], "boolean"), "BOOL", None),
    "Float32 with NA": (pd_array([1.0, None], "Float32"), "FP32", None),
    "string": (pd_array(["a", "b"], "string"), "BYTES", "str"),
    "Arrow integers": (pd_array([1, 2], pd.ArrowDtype(pa.uint16())), "UINT16", None),
    "Arrow text": (pd_array(["a", "b"], pd.ArrowDtype(pa.string())), "BYTES", "str"),
    "Arrow bytes": (pd_array([b"a", b"b"], pd.ArrowDtype(pa.binary())), "BYTES", "np"),
    "categories of text": (pd.Categorical(["a", "b"]), "BYTES", "str"),
    "categories of numbers": (pd.Categorical([2, 1]), "INT64", None),
}


@pytest.mark.parametrize(("values", "datatype", "content_type"), ENCODED.values(), ids=ENCODED)
def test_a_column_becomes_one_tensor(values: Any, datatype: str, content_type: str | None) -> None:
    (output,) = PandasCodec.encode_response("m", pd.DataFrame({"c": values})).outputs
    assert (output.datatype, output.shape, output.parameters.content_type) == (datatype, [2, 1], content_type)
    decoded = PandasCodec.decode_request(PandasCodec.encode_request(pd.DataFrame({"c": values})))
    assert len(decoded) == 2


def test_missing_values_are_nan_among_floats() -> None:
    frame = pd.DataFrame({"c": pd_array([1.0, None], "Float64")})
    (output,) = PandasCodec.encode_response("m", frame).outputs
    assert np.isnan(np.asarray(output.data)).tolist() == [False, True]


UNENCODABLE: dict[str, tuple[Any, str]] = {
    "complex": ([1j], "output 'c': no V2 datatype carries"),
    "timedelta": (pd.to_timedelta(["1s"]), "output 'c': no V2 datatype carries a column of dtype timedelta64"),
    "period": (pd.PeriodIndex(["2024"], freq="Y"), "output 'c': no V2 datatype carries a column of dtype period"),
    "sparse": (pd.arrays.SparseArray([1.0]), "output 'c': no V2 datatype carries a column of dtype Sparse"),
    "decimal": (pd_array([1], pd.ArrowDtype(pa.decimal128(5))), "output 'c': no V2 datatype carries a column"),
    "missing integer": (pd_array([1, None], "Int64"), "output 'c': data[1]: expected a value of dtype Int64"),
    "missing bool": (pd_array([None], "boolean"), "output 'c': data[0]: expected a value of dtype boolean"),
    "missing text": (["a", None], "output 'c': data[1]: expected a value of dtype"),
    "missing bytes": ([b"a", None], "output 'c': data[1]: expected a value of dtype object"),
    "missing time": (to_datetime(["2024-01-01", None]), "output 'c': data[1]: expected a value of dtype datetime"),
    "missing category": (pd.Categorical(["a", None]), "output 'c': data[1]: expected a value of dtype"),
    "missing integer category": (pd.Categorical([1, None]), "output 'c': data[1]: expected a value of dtype category"),
    "missing among offsets": (
        pd.Series([datetime(2024, 1, 1, tzinfo=UTC), None], dtype=object),
        "output 'c': data[1]: expected a value of dtype object, got a missing one",
    ),
    "bytes among text": (pd.Series(["a", b"b"], dtype=object), "output 'c': data[1]: expected a value that JSON can"),
    "any object": ([object()], "output 'c': data[0]: expected a value that JSON can carry (got object)"),
    "NaN inside": ([[float("nan")]], "output 'c': data[0]: expected a value that JSON can carry"),
    "half a surrogate": (pd.Series(["\ud800"], dtype=object), "output 'c': data[0]: text that UTF-8 cannot encode"),
}


@pytest.mark.parametrize(("values", "text"), UNENCODABLE.values(), ids=UNENCODABLE)
def test_a_column_that_no_datatype_carries_is_an_error_that_names_it(values: Any, text: str) -> None:
    with pytest.raises(InferenceError) as caught:
        PandasCodec.encode_response("m", pd.DataFrame({"c": values}))
    assert str(caught.value).startswith(text)


def test_integers_may_be_names_of_columns() -> None:
    frame = pd.DataFrame(np.zeros((2, 2)))
    assert [output.name for output in PandasCodec.encode_response("m", frame).outputs] == ["0", "1"]


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        (["a", "a"], "output 'a': expected columns of different names"),
        ([0, "0"], "output '0': expected columns of different names"),
        ([("a", 1), "b"], "output '('a', 1)': expected a column whose name is text or an integer"),
        ([1.5, "b"], "output '1.5': expected a column whose name is text or an integer, got 1.5"),
    ],
    ids=["twice", "twice as text", "tuple", "float"],
)
def test_other_names_of_columns_are_errors(columns: list[Any], text: str) -> None:
    frame = pd.DataFrame(np.zeros((1, 2)))
    frame.columns = pd.Index(columns, tupleize_cols=False)
    with pytest.raises(InferenceError) as caught:
        PandasCodec.encode_response("m", frame)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("data", [[b"a", "\u00e4".encode()], ["a", "\u00e4"]], ids=["bytes", "text"])
@pytest.mark.parametrize("content_type", [None, "str"])
def test_bytes_without_a_content_type_are_text(data: list[object], content_type: str | None) -> None:
    assert decode_column("BYTES", data, content_type).tolist() == ["a", "ä"]


def test_content_types_of_columns_are_followed() -> None:
    assert decode_column("BYTES", ["/wA="], "base64").tolist() == [b"\xff\x00"]
    assert decode_column("BYTES", [b"\xff"], "np").tolist() == [b"\xff"]
    assert decode_column("BYTES", ['{"a": [1]}'], "pd_json").tolist() == [{"a": [1]}]
    times = decode_column("BYTES", ["2024-01-01T00:00:00Z"], "datetime")
    assert times.dtype.kind == "M"
    assert times.tolist() == [datetime(2024, 1, 1, tzinfo=UTC)]


@pytest.mark.parametrize("shape", [[2], [2, 1]])
def test_several_rows_and_columns_are_read(shape: list[int]) -> None:
    frame = decode(
        InferInputTensor("a", "INT16", shape, data=np.array([1, 2], np.int16)),
        InferInputTensor("b", "FP64", [2, 1], data=[0.5, None]),
        InferInputTensor("c", "BYTES", [2], data=["x", "y"]),
    )
    assert list(frame.columns) == ["a", "b", "c"]
    assert frame["a"].dtype == np.int16
    assert frame["c"].tolist() == ["x", "y"]
    assert frame["b"].isna().tolist() == [False, True]


def test_a_frame_is_a_copy_that_may_be_changed() -> None:
    array = np.frombuffer(np.arange(3.0).tobytes())
    frame = decode(InferInputTensor("a", "FP64", [3], data=array))
    frame.loc[0, "a"] = 7.0
    assert not np.shares_memory(frame["a"].to_numpy(), array)
    assert array[0] == 0


def test_a_frame_may_be_empty() -> None:
    assert decode().shape == (0, 0)
    assert decode(InferInputTensor("a", "BYTES", [0, 1], data=[])).shape == (0, 1)
    assert decode_column("BYTES", [], "datetime").dt.year.tolist() == []
    assert PandasCodec.encode_response("m", pd.DataFrame({"a": np.zeros(0)})).outputs[0].shape == [0, 1]


BAD = {
    "two-dimensional": (InferInputTensor("b", "FP64", [2, 2], data=np.zeros((2, 2))), "expected one column, of shape"),
    "scalar": (
        InferInputTensor("b", "FP64", [], data=[1.0]),
        "expected one column, of shape [N] or [N, 1]",
    ),
    "shorter": (InferInputTensor("b", "FP64", [1], data=[1.0]), "expected 2 rows as in 'a', got 1"),
    "of the same name": (InferInputTensor("a", "FP64", [2], data=[1.0, 2]), "expected columns of different names"),
    "not text": (InferInputTensor("b", "BYTES", [2], data=[b"\xff", b""]), "data[0]: expected UTF-8 text"),
    "not JSON": (
        InferInputTensor("b", "BYTES", [2], {"content_type": "pd_json"}, data=["{", "1"]),
        "data[0]: expected JSON text, got '{'",
    ),
    "not of its type": (
        InferInputTensor("b", "INT8", [2], {"content_type": "str"}, data=[1, 2]),
        "expected BYTES",
    ),
    "bfloat16": (InferInputTensor("b", "BF16", [2], data=[1.0, 2.0]), "pandas has no dtype for BF16"),
}


@pytest.mark.parametrize(("tensor", "text"), BAD.values(), ids=BAD)
def test_a_tensor_that_is_no_column_is_an_error_that_names_it(tensor: InferInputTensor, text: str) -> None:
    with pytest.raises(CodecError) as caught:
        decode(InferInputTensor("a", "INT64", [2], data=[1, 2]), tensor)
    assert str(caught.value).startswith(f"input '{tensor.name}': {text}")


def test_an_unknown_content_type_of_a_column_is_an_error() -> None:
    with pytest.raises(CodecNotFound, match=r"^input 'c': no input codec for content type 'nope'; there are 'arrow'"):
        decode_column("BYTES", ["a"], "nope")


def test_only_frames_can_be_encoded() -> None:
    assert PandasCodec.can_encode(pd.DataFrame())
    assert not PandasCodec.can_encode(pd.Series([1]))

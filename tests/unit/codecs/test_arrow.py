"""Content types ``arrow`` and ``arrow-table``."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from srv_codecs._series import SeriesCodec
from srv_codecs.content_types import (
    ArrowBatchCodec,
    ArrowCodec,
    ArrowTableCodec,
    InputCodec,
    PandasCodec,
    input_codecs,
    request_codecs,
)
from srv_protocol.datatypes import DATATYPES
from srv_protocol.errors import CodecError, InferenceError
from srv_protocol.inference import InferInputTensor, ModelInferRequest

VIEWED = [name for name in DATATYPES if name not in {"BOOL", "BF16", "BYTES"}]


def address_of(array: Any) -> int:
    return int(array.buffers()[1].address)


@pytest.mark.parametrize("shape", [[3], [3, 1]])
@pytest.mark.parametrize("datatype", VIEWED)
def test_numbers_are_a_view_of_the_tensor(datatype: str, shape: list[int]) -> None:
    array = np.arange(3).astype(DATATYPES[datatype].dtype)
    decoded = ArrowCodec.decode_input(InferInputTensor("x", datatype, shape, data=array))
    decoded.validate(full=True)
    assert decoded.to_pylist() == array.tolist()
    assert address_of(decoded) == array.ctypes.data


def test_a_misaligned_tensor_is_copied_once() -> None:
    array = np.frombuffer(b"x" + np.arange(3.0).tobytes(), np.float64, offset=1)
    assert not array.flags.aligned
    decoded = ArrowCodec.decode_input(InferInputTensor("x", "FP64", [3], data=array))
    assert decoded.to_pylist() == [0, 1, 2]
    assert address_of(decoded) % 8 == 0


def test_a_view_keeps_the_memory_alive() -> None:
    decoded = ArrowCodec.decode_input(InferInputTensor("x", "FP64", [100], data=np.arange(100.0)))
    assert decoded.to_pylist() == list(range(100))


@pytest.mark.parametrize(
    ("datatype", "data", "content_type", "kind"),
    [
        ("BOOL", [True, False, True], None, pa.bool_()),
        ("BYTES", [b"\xff", b"", b"a"], None, pa.binary()),
        ("BYTES", ["a", "b", "c"], "np", pa.binary()),
        ("BYTES", ["a", "\u00e4", ""], "str", pa.string()),
        ("BYTES", ["/wA=", "", ""], "base64", pa.binary()),
        ("BYTES", ["2024-01-01T00:00:00"] * 3, "datetime", pa.timestamp("us")),
    ],
    ids=["bool", "bytes", "np", "str", "base64", "datetime"],
)
def test_other_elements_are_copied_as_their_content_type_says(
    datatype: str, data: list[object], content_type: str | None, kind: pa.DataType
) -> None:
    decoded = ArrowCodec.decode_input(InferInputTensor("x", datatype, [3], {"content_type": content_type}, data=data))
    assert decoded.type == kind
    assert len(decoded) == 3
    assert decoded.null_count == 0


@pytest.mark.parametrize(
    ("content_type", "kind"), [("str", pa.string()), ("base64", pa.binary()), ("datetime", pa.timestamp("us"))]
)
def test_an_empty_array_has_the_type_of_its_content_type(content_type: str, kind: pa.DataType) -> None:
    tensor = InferInputTensor("x", "BYTES", [0], {"content_type": content_type}, data=[])
    assert ArrowCodec.decode_input(tensor).type == kind


@pytest.mark.parametrize("datatype", VIEWED)
def test_numbers_are_encoded_without_a_copy(datatype: str) -> None:
    array: Any = pa.array(np.arange(3).astype(DATATYPES[datatype].dtype))
    output = ArrowCodec.encode_output("y", array)
    assert (output.datatype, output.shape, output.parameters.content_type) == (datatype, [3, 1], "arrow")
    assert output.data.array is not None
    assert output.data.array.ctypes.data == address_of(array)


@pytest.mark.parametrize("datatype", [*VIEWED, "BOOL", "BYTES"])
def test_an_empty_array_round_trips(datatype: str) -> None:
    empty: Any = ArrowCodec.decode_input(InferInputTensor("x", datatype, [0], data=[]))
    output = ArrowCodec.encode_output("y", empty)
    assert (output.datatype, output.shape) == (datatype, [0, 1])
    assert ArrowCodec.decode_output(output).equals(empty)


ENCODED: dict[str, tuple[Any, str, str, list[object]]] = {
    "text": (pa.array(["a", "\u00e4"]), "BYTES", "str", [b"a", "ä".encode()]),
    "large text": (pa.array(["a"], pa.large_string()), "BYTES", "str", [b"a"]),
    "bytes": (pa.array([b"\xff"]), "BYTES", "arrow", [b"\xff"]),
    "bool": (pa.array([True, False]), "BOOL", "arrow", [True, False]),
    "part of an array": (pa.array([1, 2, 3]).slice(1), "INT64", "arrow", [2, 3]),
    "part of text": (pa.array(["a", "b"]).slice(1), "BYTES", "str", [b"b"]),
    "chunks": (pa.chunked_array([[1], [2, 3]]), "INT64", "arrow", [1, 2, 3]),
    "dictionary": (
        pa.array(["b", "a"], pa.dictionary(pa.int8(), pa.string())),
        "BYTES",
        "str",
        [b"b", b"a"],
    ),
    "times": (pa.array([datetime(2024, 1, 1, tzinfo=UTC)]), "BYTES", "datetime", [b"2024-01-01T00:00:00+00:00"]),
}


@pytest.mark.parametrize(("array", "datatype", "content_type", "elements"), ENCODED.values(), ids=ENCODED)
def test_an_array_becomes_one_tensor(array: Any, datatype: str, content_type: str, elements: list[object]) -> None:
    output = ArrowCodec.encode_output("y", array)
    assert (output.datatype, output.shape) == (datatype, [len(elements), 1])
    assert output.parameters.content_type == content_type
    assert output.data.root == elements
    assert ArrowCodec.can_encode(array)


def test_a_null_is_nan_among_floats() -> None:
    output = ArrowCodec.encode_output("y", pa.array([1.5, None], pa.float32()))
    assert output.datatype == "FP32"
    assert np.isnan(np.asarray(output.data)).tolist() == [False, True]


UNENCODABLE: dict[str, tuple[Any, str]] = {
    "null among integers": (pa.array([1, None]), "output 'y': data[1]: expected int64, got null"),
    "null among booleans": (pa.array([None, True]), "output 'y': data[0]: expected bool, got null"),
    "null among text": (pa.array(["a", None]), "output 'y': data[1]: expected string, got null"),
    "nothing but nulls": (pa.nulls(1), "output 'y': no V2 datatype carries the Arrow type null"),
    "lists": (pa.array([[1]]), "output 'y': no V2 datatype carries the Arrow type list<item: int64>"),
    "decimals": (pa.array([1], pa.decimal128(5)), "output 'y': no V2 datatype carries the Arrow type decimal128(5, 0)"),
    "nanoseconds": (pa.array([1], pa.timestamp("ns")), "output 'y': Casting from timestamp[ns] to timestamp[us]"),
    "numpy": (np.zeros(1), "output 'y': expected an Arrow array, got ndarray"),
}


@pytest.mark.parametrize(("array", "text"), UNENCODABLE.values(), ids=UNENCODABLE)
def test_what_no_datatype_carries_is_an_error_that_names_the_tensor(array: Any, text: str) -> None:
    with pytest.raises(InferenceError) as caught:
        ArrowCodec.encode_output("y", array)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (InferInputTensor("x", "FP64", [2, 2], data=np.zeros(4)), "input 'x': expected one column, of shape [N] or"),
        (InferInputTensor("x", "BF16", [1], data=[1.0]), "input 'x': Arrow has no type for BF16"),
        (
            InferInputTensor("x", "BYTES", [1], {"content_type": "str"}, data=[b"\xff"]),
            "input 'x': data[0]: expected UTF-8 text",
        ),
        (
            InferInputTensor("x", "BYTES", [1], {"content_type": "nope"}, data=[b"\xff"]),
            "input 'x': no input codec for content type 'nope'",
        ),
        (
            InferInputTensor("x", "INT8", [1], data=np.zeros(1)),
            "input 'x': data: expected INT8, got an array",
        ),
    ],
)
def test_a_tensor_that_is_no_column_is_an_error(tensor: InferInputTensor, text: str) -> None:
    with pytest.raises(CodecError) as caught:
        ArrowCodec.decode_input(tensor)
    assert str(caught.value).startswith(text)


COLUMNS: dict[str, list[Any]] = {"a": [1, 2], "b": ["x", "y"], "c": [0.5, 1.5], "d": [b"\xff", b""], "e": [True, False]}


def test_a_record_batch_round_trips() -> None:
    batch = pa.RecordBatch.from_pydict(COLUMNS)
    request = ArrowBatchCodec.encode_request(batch)
    assert [tensor.name for tensor in request.inputs] == list(COLUMNS)
    assert [tensor.parameters.content_type for tensor in request.inputs] == [None, "str", None, None, None]
    assert ArrowBatchCodec.decode_request(request).equals(batch)
    response = ArrowBatchCodec.encode_response("m", batch)
    assert response.parameters.content_type == "arrow"
    assert ArrowBatchCodec.decode_response(response).equals(batch)


def test_a_table_round_trips() -> None:
    table = pa.Table.from_pydict(COLUMNS)
    assert ArrowTableCodec.decode_request(ArrowTableCodec.encode_request(table)).equals(table)
    response = ArrowTableCodec.encode_response("m", pa.concat_tables([table, table]))
    assert ArrowTableCodec.decode_response(response).num_rows == 4


def test_each_kind_of_table_has_its_codec() -> None:
    batch, table = pa.RecordBatch.from_pydict(COLUMNS), pa.Table.from_pydict(COLUMNS)
    assert ArrowBatchCodec.can_encode(batch)
    assert not ArrowBatchCodec.can_encode(table)
    assert ArrowTableCodec.can_encode(table)
    assert not ArrowTableCodec.can_encode(batch)


def test_columns_of_a_table_are_views() -> None:
    array = np.arange(3.0)
    table = ArrowTableCodec.decode_request(ModelInferRequest(inputs=[InferInputTensor("x", "FP64", [3], data=array)]))
    assert address_of(table.column("x").chunk(0)) == array.ctypes.data


@pytest.mark.parametrize(
    ("name", "size", "text"),
    [
        ("b", 1, "input 'b': expected 2 rows as in 'a', got 1"),
        ("a", 2, "input 'a': expected columns of different"),
    ],
)
def test_columns_that_do_not_fit_together_are_an_error(name: str, size: int, text: str) -> None:
    inputs = [
        InferInputTensor("a", "FP64", [2], data=np.zeros(2)),
        InferInputTensor(name, "FP64", [size], data=np.zeros(size)),
    ]
    for codec in (ArrowBatchCodec, ArrowTableCodec):
        with pytest.raises(CodecError) as caught:
            codec.decode_request(ModelInferRequest(inputs=inputs))
        assert str(caught.value).startswith(text)


def test_columns_of_one_name_cannot_be_encoded() -> None:
    columns: list[Any] = [pa.array([1]), pa.array([2])]
    batch = pa.RecordBatch.from_arrays(columns, ["a", "a"])  # pyright: ignore[reportUnknownMemberType]  # open in the stubs
    with pytest.raises(InferenceError, match=r"^output 'a': expected columns of different names"):
        ArrowBatchCodec.encode_response("m", batch)


class JoiningCodec(InputCodec[Any]):
    """A codec that makes one value of all elements."""

    ContentType = "joined"
    value: Any

    @classmethod
    def decode_input(cls, request_input: InferInputTensor) -> Any:
        del request_input
        return cls.value


@pytest.mark.parametrize("value", [["ab"], 5])
@pytest.mark.parametrize("codec", [ArrowCodec, ArrowBatchCodec, ArrowTableCodec, PandasCodec, SeriesCodec])
def test_a_column_has_the_elements_that_the_shape_says_whatever_its_codec_gives(
    codec: Any, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(input_codecs, "_codecs", {**input_codecs._codecs, "joined": JoiningCodec})
    monkeypatch.setattr(JoiningCodec, "value", value, raising=False)
    tensors = [InferInputTensor(name, "INT8", [2], {"content_type": "joined"}, data=[1, 2]) for name in "ab"]
    if codec in {*request_codecs}:
        decode = partial(codec.decode_request, ModelInferRequest(inputs=tensors))
    else:
        decode = partial(codec.decode_input, tensors[0])
    with pytest.raises(
        CodecError, match=r"^input 'a': (expected 2 elements from its codec, got 1|no Arrow array of .*)$"
    ):
        decode()

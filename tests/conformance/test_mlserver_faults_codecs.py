"""Where MLServer's codecs give wrong answers or fail: the faults that are known of them, one by one."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pandas as pd
import pytest
from grpc_client import Grpc
from tensors import grpc_outputs, grpc_request, rest_outputs, same

from srv.codecs import (
    Base64Codec,
    DatetimeCodec,
    InputCodec,
    NumpyCodec,
    NumpyRequestCodec,
    PandasCodec,
    RequestCodec,
    StringCodec,
    StringRequestCodec,
)
from srv.errors import CodecError, InferenceError
from srv.types import InferenceRequest, InferenceResponse, RequestInput, ResponseOutput

if TYPE_CHECKING:
    from serving import Server


def objects(*items: object) -> np.ndarray[Any, Any]:
    array = np.empty(len(items), object)
    array[:] = items
    return array


def round_trip(codec: type[InputCodec[Any]], value: Any) -> Any:
    return codec.decode_output(codec.encode_output("y", value))


# --- np ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "elements"),
    [
        (np.array(["a", "längst"]), [b"a", "längst".encode()]),
        (np.array([b"a", b"long"]), [b"a", b"long"]),
        (objects(b"a", "b\0", b"\xff"), [b"a", b"b\0", b"\xff"]),
    ],
    ids=["U", "S", "object"],
)
def test_arrays_of_text_and_of_bytes_keep_their_elements(array: Any, elements: list[bytes]) -> None:
    """There, an ``S`` array becomes one blob, and BYTES of several lengths cannot be read."""
    output = NumpyCodec.encode_output("y", array)
    assert (output.datatype, output.shape) == ("BYTES", [len(elements), 1])
    assert NumpyCodec.decode_output(output).ravel().tolist() == elements


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64])
def test_nan_and_infinity_stay_what_they_are(server: Server, dtype: Any) -> None:
    """There, they become null; here they go out in binary, and JSON has an error for them."""
    array = np.array([[np.nan, np.inf, -np.inf, 1.5]], dtype)
    assert same(round_trip(NumpyCodec, array), array)
    datatype = {"float16": "FP16", "bfloat16": "BF16", "float32": "FP32", "float64": "FP64"}[np.dtype(dtype).name]
    with Grpc(server) as client:
        found = grpc_outputs(client.infer(grpc_request("identity", {f"x:{datatype}": array})))["x"]
    assert same(found, array)


@pytest.mark.parametrize(
    "array", [np.array([1j]), np.array(["2026-11-22"], "M8[D]"), np.array([(1, 2)], "i4,i4"), objects(1)], ids=str
)
def test_what_no_datatype_carries_is_an_error_that_names_it(array: Any) -> None:
    """There, a KeyError."""
    with pytest.raises(InferenceError, match=r"^output 'y': "):
        NumpyCodec.encode_output("y", array)


def test_a_request_of_several_inputs_is_no_one_array() -> None:
    """The error says which there are."""
    request = InferenceRequest(inputs=[NumpyCodec.encode_input(name, np.zeros(1)) for name in "ab"])
    with pytest.raises(CodecError, match="content type 'np' expects exactly one input, got 'a', 'b'"):
        NumpyRequestCodec.decode_request(request)


@pytest.mark.parametrize(
    ("datatype", "data", "text"),
    [
        ("INT32", [1, None], "inputs[0].data[1]"),
        ("INT32", [1.5, 2], "inputs[0].data[0]"),
        ("UINT8", [300, 1], "inputs[0].data[0]"),
        ("INT8", [-129, 1], "inputs[0].data[0]"),
        ("INT64", [True, 1], "inputs[0].data[0]"),
        ("BOOL", [1, 0], "inputs[0].data[0]"),
        ("FP32", ["1", "2"], "inputs[0].data[0]"),
    ],
)
def test_numbers_that_are_none_of_their_datatype_are_the_clients_error(
    server: Server, datatype: str, data: list[object], text: str
) -> None:
    """There, a fraction is cut off in silence, and the others are internal errors."""
    body = {"inputs": [{"name": "x", "datatype": datatype, "shape": [2], "data": data}]}
    answer = server.post("/v2/models/identity/infer", body)
    assert (answer.status, text in answer.error()) == (400, True)


def test_a_null_among_floats_is_nan(server: Server) -> None:
    """As there."""
    body = {
        "inputs": [{"name": "x", "datatype": "FP64", "shape": [2], "data": [None, 1]}],
        "outputs": [{"name": "x", "parameters": {"binary_data": True}}],
    }
    (found,) = rest_outputs(server.post("/v2/models/identity/infer", body)).values()
    assert np.isnan(found[0])
    assert found[1] == 1


def test_a_shape_without_size_is_the_clients_error(server: Server) -> None:
    """There, -1 is accepted."""
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1], "data": [1]}]}
    assert server.post("/v2/models/identity/infer", body).status == 400


# --- str, base64, datetime --------------------------------------------------------------------------------------


def test_what_is_no_text_is_an_error() -> None:
    """There, it is an empty string."""
    with pytest.raises(CodecError, match="expected BYTES, got FP32"):
        StringCodec.decode_input(RequestInput(name="x", datatype="FP32", shape=[1], data=[1.5]))
    with pytest.raises(CodecError, match=r"data\[0\]: expected UTF-8 text"):
        StringCodec.decode_input(RequestInput(name="x", datatype="BYTES", shape=[1], data=[b"\xff"]))


def test_what_is_no_base64_is_an_error() -> None:
    """There, it is handed on as it is."""
    with pytest.raises(CodecError, match=r"data\[0\]: expected base64"):
        Base64Codec.decode_input(RequestInput(name="x", datatype="BYTES", shape=[1], data=["no base64!"]))


def test_a_time_in_utc_may_be_written_with_z() -> None:
    """There, it depends on the version of Python."""
    tensor = RequestInput(name="x", datatype="BYTES", shape=[1], data=["2026-11-22T12:00:00Z"])
    assert DatetimeCodec.decode_input(tensor) == [datetime(2026, 11, 22, 12, tzinfo=UTC)]


# --- pd ---------------------------------------------------------------------------------------------------------

COLUMNS: dict[str, tuple[pd.Series[Any], str, str | None, list[object]]] = {
    "datetimes": (
        pd.Series(pd.to_datetime(["2026-11-22"])), "BYTES", "datetime", [pd.Timestamp("2026-11-22")],
    ),
    "datetimes of a zone": (
        pd.Series(pd.to_datetime(["2026-11-22"], utc=True)),
        "BYTES",
        "datetime",
        [pd.Timestamp("2026-11-22", tz="UTC")],
    ),
    "categories": (pd.Series(["a", "b"], dtype="category"), "BYTES", "str", ["a", "b"]),
    "categories of numbers": (pd.Series([3, 4], dtype="category"), "INT64", None, [3, 4]),
    "strings of pandas 3": (pd.Series(["a", "b"], dtype="string"), "BYTES", "str", ["a", "b"]),
    "objects that are text": (pd.Series(["a", "b"], dtype=object), "BYTES", "str", ["a", "b"]),
    "mixed": (pd.Series(["a", 1, None], dtype=object), "BYTES", "pd_json", ["a", 1, None]),
    "lists": (pd.Series([[1, 2], [3]]), "BYTES", "pd_json", [[1, 2], [3]]),
    "mappings": (pd.Series([{"a": 1}]), "BYTES", "pd_json", [{"a": 1}]),
    "integers that may be missing": (pd.Series([1, 2], dtype="Int64"), "INT64", None, [1, 2]),
}  # fmt: skip


@pytest.mark.parametrize(("column", "datatype", "content_type", "expected"), COLUMNS.values(), ids=COLUMNS)
def test_a_column_goes_there_and_back(
    column: Any, datatype: str, content_type: str | None, expected: list[object]
) -> None:
    """There, several of these fail."""
    request = PandasCodec.encode_request(pd.DataFrame({"c": column}))
    (tensor,) = request.inputs
    assert (tensor.datatype, tensor.parameters.content_type) == (datatype, content_type)
    assert tensor.shape == [len(expected), 1]
    assert PandasCodec.decode_request(request)["c"].tolist() == expected


def test_names_of_columns_may_be_numbers() -> None:
    """There, they fail."""
    response = PandasCodec.encode_response("m", pd.DataFrame({0: [1], 1: [2]}))
    assert [output.name for output in response.outputs] == ["0", "1"]


def test_a_tensor_of_several_columns_is_an_error() -> None:
    """There, it is mangled into more rows."""
    request = InferenceRequest(inputs=[NumpyCodec.encode_input("x", np.zeros((2, 3)))])
    with pytest.raises(CodecError, match=r"expected one column, of shape \[N\] or \[N, 1\], got shape \[2, 3\]"):
        PandasCodec.decode_request(request)


# --- codecs as users of MLServer write them and call them ---------------------------------------------------------


class Wild(InputCodec[Any]):
    """An input codec as MLServer's documentation has it, with arguments that it does not know."""

    ContentType = "wild"
    TypeHint = complex

    @classmethod
    def can_encode(cls, payload: Any) -> bool:
        return isinstance(payload, complex)

    @classmethod
    def encode_output(cls, name: str, payload: Any, **kwargs: Any) -> ResponseOutput:
        return ResponseOutput(name=name, datatype="FP64", shape=[2], data=[payload.real, payload.imag, *kwargs])

    @classmethod
    def decode_output(cls, response_output: ResponseOutput) -> Any:
        return complex(*np.asarray(response_output.data))

    @classmethod
    def encode_input(cls, name: str, payload: Any, **kwargs: Any) -> RequestInput:
        output = cls.encode_output(name, payload, **kwargs)
        return RequestInput(name=output.name, datatype=output.datatype, shape=output.shape, data=output.data)

    @classmethod
    def decode_input(cls, request_input: RequestInput) -> Any:
        return complex(*np.asarray(request_input.data))


class WildRequest(RequestCodec[Any]):
    """A request codec, likewise."""

    ContentType = "wild"

    @classmethod
    def can_encode(cls, payload: Any) -> bool:
        return Wild.can_encode(payload)

    @classmethod
    def encode_response(
        cls, model_name: str, payload: Any, model_version: str | None = None, **kwargs: Any
    ) -> InferenceResponse:
        return InferenceResponse(
            model_name=model_name, model_version=model_version, outputs=[Wild.encode_output("y", payload, **kwargs)]
        )

    @classmethod
    def decode_request(cls, request: InferenceRequest) -> Any:
        return Wild.decode_input(request.inputs[0])


def test_codecs_of_users_work_both_ways() -> None:
    """What they leave out follows from the rest."""
    assert Wild.decode_input(Wild.encode_input("x", 1 + 2j)) == 1 + 2j
    assert Wild.decode_output(Wild.encode_output("x", 1 + 2j)) == 1 + 2j
    assert WildRequest.decode_request(WildRequest.encode_request(1 + 2j)) == 1 + 2j
    assert WildRequest.decode_response(WildRequest.encode_response("m", 1 + 2j)) == 1 + 2j


def test_the_old_names_of_methods_work_with_a_warning() -> None:
    """Deprecated there, too."""
    with pytest.warns(DeprecationWarning, match=r"^encode\(\) is deprecated; use encode_output\(\)$"):
        output = StringCodec.encode("y", ["a"])
    with pytest.warns(DeprecationWarning, match=r"^decode\(\) is deprecated; use decode_input\(\)$"):
        assert StringCodec.decode(StringCodec.encode_input("x", ["a"])) == ["a"]
    with pytest.warns(DeprecationWarning, match=r"^encode\(\) is deprecated; use encode_response\(\)$"):
        assert StringRequestCodec.encode("m", ["a"]).outputs[0].data == output.data
    with pytest.warns(DeprecationWarning, match=r"^decode\(\) is deprecated; use decode_request\(\)$"):
        assert StringRequestCodec.decode(StringRequestCodec.encode_request(["a"])) == ["a"]


@pytest.mark.parametrize(
    ("codec", "value", "data"),
    [
        (StringCodec, ["é"], ["é"]),
        (Base64Codec, [b"\xff"], ["/w=="]),
        (DatetimeCodec, [datetime(2026, 11, 22, tzinfo=UTC)], ["2026-11-22T00:00:00+00:00"]),
        (NumpyCodec, objects(b"a", "b"), ["a", "b"]),
    ],
)
def test_without_use_bytes_elements_are_text_for_any_json_encoder(codec: Any, value: Any, data: list[str]) -> None:
    """Of single tensors, and of whole requests and responses."""
    for tensor in (codec.encode_input("x", value, use_bytes=False), codec.encode_output("x", value, use_bytes=False)):
        assert tensor.data.root == data
    request = StringRequestCodec.encode_request(["é"], use_bytes=False)
    assert request.inputs[0].data.root == ["é"]
    frame = pd.DataFrame({"a": ["é"], "n": [1]})
    response = PandasCodec.encode_response("m", frame, use_bytes=False)
    assert [output.data.root for output in response.outputs] == [["é"], [1]]


def test_bytes_that_are_no_text_stay_bytes_or_are_an_error() -> None:
    """Nothing is replaced."""
    with pytest.raises(InferenceError, match=r"^output 'y': data\[0\]: expected UTF-8 text"):
        NumpyCodec.encode_output("y", objects(b"\xff"), use_bytes=False)


def test_several_codecs_that_fit_are_no_warning() -> None:
    """There, each empty list brings one."""
    from srv_codecs.content_types import input_codecs

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert input_codecs.find_for([]) is StringCodec

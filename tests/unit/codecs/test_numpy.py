"""Content type ``np``."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from strategies import same, tensors

from srv_codecs.content_types import NumpyCodec, NumpyRequestCodec
from srv_protocol.datatypes import DATATYPES, Datatype
from srv_protocol.errors import CodecError, InferenceError, InvalidInput
from srv_protocol.inference import (
    InferInputTensor,
    InferOutputTensor,
    ModelInferRequest,
    ModelInferResponse,
    TensorData,
)

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

NUMERIC = [name for name in DATATYPES if name != Datatype.BYTES]


@pytest.mark.parametrize("datatype", NUMERIC)
def test_a_numeric_tensor_is_its_own_array(datatype: str) -> None:
    array = np.arange(6).astype(DATATYPES[datatype].dtype)
    decoded = NumpyCodec.decode_input(InferInputTensor("x", datatype, [2, 3], data=array))
    assert decoded.shape == (2, 3)
    assert np.shares_memory(decoded, array)


@given(tensors())
def test_arrays_that_are_ready_go_the_way_of_all_others(tensor: tuple[str, Any]) -> None:
    """They go a shorter one, past what every codec has."""
    datatype, array = tensor
    received = InferInputTensor("x", datatype, list(array.shape), data=array)
    general = cast("Any", super(NumpyCodec, NumpyCodec))
    assert same(NumpyCodec.decode_input(received), general.decode_input(received))
    ours, theirs = NumpyCodec.encode_output("y", array), general.encode_output("y", array)
    assert same(ours.data.array, theirs.data.array)
    assert (ours.name, ours.datatype, ours.shape) == (theirs.name, theirs.datatype, theirs.shape)
    assert ours.parameters == theirs.parameters


def test_a_read_only_array_stays_read_only() -> None:
    array = np.frombuffer(b"\0\0\x80?", np.float32)
    assert not NumpyCodec.decode_input(InferInputTensor("x", "FP32", [1], data=array)).flags.writeable


@pytest.mark.parametrize(
    "data",
    [
        [b"a", b"\xc3\xa4"],
        ["a", "ä"],
        np.array([b"a", "ä".encode()], object),
        np.array(["a", "ä"], object),
        np.array(["a", "ä"]),
        np.array([b"a", "ä".encode()]),
    ],
    ids=["bytes", "text", "object of bytes", "object of text", "U", "S"],
)
def test_bytes_tensors_are_object_arrays_of_bytes_in_whatever_form_they_came(
    data: list[object] | NDArray[np.generic],
) -> None:
    decoded = NumpyCodec.decode_input(InferInputTensor("x", "BYTES", [2, 1], data=data))
    assert decoded.dtype == object
    assert decoded.tolist() == [[b"a"], ["ä".encode()]]


def test_an_object_array_of_bytes_is_not_copied() -> None:
    array = np.array([b"a", b"b"], object)
    assert np.shares_memory(NumpyCodec.decode_input(InferInputTensor("x", "BYTES", [2], data=array)), array)


@pytest.mark.parametrize("datatype", NUMERIC)
def test_encoding_holds_the_array_itself(datatype: str) -> None:
    array = np.zeros((2, 3), DATATYPES[datatype].dtype)
    output = NumpyCodec.encode_output("y", array)
    assert output.datatype == datatype
    assert output.data.array is array


@pytest.mark.parametrize(("shape", "expected"), [((), [1]), ((3,), [3, 1]), ((0,), [0, 1]), ((2, 3), [2, 3])])
def test_shapes_have_a_batch_dimension(shape: tuple[int, ...], expected: list[int]) -> None:
    assert NumpyCodec.encode_output("y", np.zeros(shape)).shape == expected
    assert NumpyCodec.encode_input("x", np.zeros(shape)).shape == expected


@pytest.mark.parametrize(
    "array", [np.array([b"ab", b"c"]), np.array(["ab", "c"]), np.array([b"ab", "c"], object)], ids=["S", "U", "O"]
)
def test_arrays_of_text_and_bytes_are_bytes_and_keep_their_elements(array: NDArray[np.generic]) -> None:
    output = NumpyCodec.encode_output("y", array)
    assert (output.datatype, output.shape) == ("BYTES", [2, 1])
    assert NumpyCodec.decode_output(output).tolist() == [[b"ab"], [b"c"]]


def test_nan_and_infinity_stay_what_they_are() -> None:
    array = np.array([np.nan, np.inf, -np.inf])
    decoded = NumpyCodec.decode_output(NumpyCodec.encode_output("y", array))
    assert np.array_equal(decoded.reshape(-1), array, equal_nan=True)


def test_bfloat16_goes_through() -> None:
    array = np.array([1, 2], ml_dtypes.bfloat16)
    assert NumpyCodec.decode_output(NumpyCodec.encode_output("y", array)).dtype == ml_dtypes.bfloat16


UNENCODABLE = {
    "complex": (np.zeros(1, complex), "no V2 datatype carries numpy dtype complex128"),
    "datetime64": (np.zeros(1, "M8[s]"), "no V2 datatype carries numpy dtype datetime64[s]"),
    "records": (np.zeros(1, [("a", "i4")]), "no V2 datatype carries numpy dtype"),
    "numbers as objects": (np.array([b"a", 1], object), "data[1]: expected bytes or text in an object array, got int"),
    "masked": (np.ma.masked_array([1, 2], [False, True]), "a tensor has no mask"),
    "list": ([1, 2], "expected a numpy array, got list"),
    "scalar": (np.float32(1), "expected a numpy array, got float32"),
}


@pytest.mark.parametrize(("value", "text"), UNENCODABLE.values(), ids=UNENCODABLE)
def test_what_no_datatype_carries_is_an_error_that_names_the_tensor(value: NDArray[np.generic], text: str) -> None:
    with pytest.raises(InferenceError) as output:
        NumpyCodec.encode_output("y", value)
    assert str(output.value).startswith("output 'y': ")
    assert text in str(output.value)
    with pytest.raises(CodecError) as given:
        NumpyCodec.encode_input("x", value)
    assert str(given.value).startswith("input 'x': ")


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (
            InferInputTensor("x", "FP32", [2], data=np.zeros(2)),
            "input 'x': data: expected FP32, got an array",
        ),
        (InferInputTensor("x", "FP32", [3], data=np.zeros(2, np.float32)), "input 'x': data: expected 3 elements"),
        (
            InferInputTensor("x", "INT8", [1], data=[1.5]),
            "input 'x': data[0]: expected integer values for INT8",
        ),
        (InferInputTensor("x", "FP99", [1], data=[1.5]), "input 'x': datatype: expected one of BOOL"),
        (InferInputTensor("x", "FP32", [1]), "input 'x': data: there is none"),
        (InferInputTensor("x", "BYTES", [1], data=[1]), "input 'x': data[0]: expected bytes or text, got int"),
    ],
)
def test_a_tensor_that_contradicts_itself_is_an_error(tensor: InferInputTensor, text: str) -> None:
    with pytest.raises(CodecError) as caught:
        NumpyCodec.decode_input(tensor)
    assert str(caught.value).startswith(text)


def test_an_output_is_decoded_at_the_client() -> None:
    with pytest.raises(CodecError, match="output 'y': data: expected 2 elements"):
        NumpyCodec.decode_output(InferOutputTensor("y", "FP32", [2], data=np.zeros(1, np.float32)))


def test_requests_and_responses_of_one_tensor_round_trip() -> None:
    array = np.array([[1, 2], [3, 4]], np.int16)
    request = NumpyRequestCodec.encode_request(array)
    assert (request.inputs[0].name, request.parameters.content_type) == ("input-1", "np")
    assert np.shares_memory(NumpyRequestCodec.decode_request(request), array)
    response = NumpyRequestCodec.encode_response("model", array, "2")
    assert (response.model_name, response.model_version, response.outputs[0].name) == ("model", "2", "output-1")
    assert np.array_equal(NumpyRequestCodec.decode_response(response), array)


@pytest.mark.parametrize(("names", "text"), [([], "got none"), (["a", "b"], "got 'a', 'b'")])
def test_a_request_codec_of_one_tensor_refuses_any_other_number(names: list[str], text: str) -> None:
    inputs = [InferInputTensor(name, "FP32", [1], data=[1.0]) for name in names]
    with pytest.raises(CodecError, match=f"content type 'np' expects exactly one input, {text}"):
        NumpyRequestCodec.decode_request(ModelInferRequest(inputs=inputs))
    with pytest.raises(InvalidInput, match="exactly one output"):
        NumpyRequestCodec.decode_response(ModelInferResponse())


def test_what_can_be_encoded_is_an_array() -> None:
    assert NumpyCodec.can_encode(np.zeros(1))
    assert NumpyRequestCodec.can_encode(np.zeros(1))
    assert not NumpyCodec.can_encode([1.0])
    assert not NumpyCodec.can_encode(TensorData([1.0]))

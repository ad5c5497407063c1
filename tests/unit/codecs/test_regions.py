"""Tensors in shared memory, over REST and gRPC."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from regions import Buffers
from strategies import same, tensors

from srv_codecs._place import input_place
from srv_codecs._raw import encode_raw
from srv_codecs.arrays import tensor_array
from srv_codecs.grpc import OutputForms, bind_request, lower_response
from srv_codecs.rest import EncodedBody, decode_request, encode_response
from srv_protocol.datatypes import DATATYPES
from srv_protocol.errors import InferenceError, InvalidInput, NotFound, SrvError, Unsupported, WireError
from srv_protocol.inference import (
    InferInputTensor,
    InferOutputTensor,
    InferRequestedOutputTensor,
    InferTensorContents,
    ModelInferRequest,
    ModelInferResponse,
)

if TYPE_CHECKING:
    from collections.abc import Callable

PLACE = input_place(0, "x")


def inside(size: int, offset: int | None = None, region: str = "r") -> dict[str, Any]:
    """Return the parameters of a tensor in shared memory."""
    given_offset = {} if offset is None else {"shared_memory_offset": offset}
    return {"shared_memory_region": region, "shared_memory_byte_size": size, **given_offset}


def raw(datatype: str, array: Any) -> bytes:
    return bytes(encode_raw(array, DATATYPES[datatype], PLACE))


def by_rest(
    regions: Buffers | None, *inputs: InferInputTensor, outputs: list[InferRequestedOutputTensor] | None = None
) -> tuple[ModelInferRequest, OutputForms]:
    """Return the request that a body without binary data gives."""
    wanted = [{"name": each.name, "parameters": dict(each.parameters)} for each in outputs or []]
    tensors_ = [
        {"name": each.name, "datatype": each.datatype, "shape": each.shape, "parameters": dict(each.parameters)}
        for each in inputs
    ]
    return decode_request(json.dumps({"inputs": tensors_, "outputs": wanted}).encode(), model="m", regions=regions)


def by_grpc(
    regions: Buffers | None, *inputs: InferInputTensor, outputs: list[InferRequestedOutputTensor] | None = None
) -> tuple[ModelInferRequest, OutputForms]:
    """Return the request that a message without raw contents gives."""
    request = ModelInferRequest.parse(bytes(ModelInferRequest("m", inputs=list(inputs), outputs=outputs)))
    return request, bind_request(request, regions)


BOTH = pytest.mark.parametrize("decode", [by_rest, by_grpc], ids=["rest", "grpc"])


@BOTH
@given(tensors(), st.integers(0, 9), st.integers(0, 9))
def test_every_tensor_can_lie_anywhere_in_a_region(
    decode: Callable[..., tuple[ModelInferRequest, OutputForms]], tensor: tuple[str, Any], before: int, behind: int
) -> None:
    """Aligned or not."""
    datatype, array = tensor
    data = raw(datatype, array)
    regions = Buffers(r=bytearray(b"?" * before + data + b"?" * behind))
    request, _ = decode(regions, InferInputTensor("x", datatype, list(array.shape), inside(len(data), before)))
    assert same(tensor_array(request.inputs[0], PLACE), array)


@BOTH
def test_inputs_are_read_only_views_of_the_memory(
    decode: Callable[..., tuple[ModelInferRequest, OutputForms]],
) -> None:
    regions = Buffers(r=bytearray(np.arange(8.0).tobytes()))
    request, _ = decode(regions, InferInputTensor("x", "FP64", [8], inside(64)))
    array = tensor_array(request.inputs[0], PLACE)
    assert np.shares_memory(array, np.frombuffer(regions["r"], np.uint8))
    assert not array.flags.writeable
    with pytest.raises(ValueError, match="cannot set WRITEABLE"):
        array.flags.writeable = True


@BOTH
def test_text_is_a_copy_of_the_memory(decode: Callable[..., tuple[ModelInferRequest, OutputForms]]) -> None:
    """What the client writes later does not show."""
    regions = Buffers(r=bytearray(b"\1\0\0\0a"))
    request, _ = decode(regions, InferInputTensor("x", "BYTES", [1], inside(5)))
    regions["r"][:] = b"\xff" * 5
    assert request.inputs[0].data.root == [b"a"]


@BOTH
def test_the_runtime_does_not_see_where_tensors_lie(
    decode: Callable[..., tuple[ModelInferRequest, OutputForms]],
) -> None:
    """Other parameters stay."""
    tensor = InferInputTensor("x", "INT8", [1], {**inside(1, 0), "content_type": "np"})
    output = InferRequestedOutputTensor("y", {**inside(1, 1), "mine": 1})
    request, forms = decode(Buffers(r=bytearray(2)), tensor, outputs=[output])
    assert request.inputs[0].parameters == {"content_type": "np"}
    assert request.outputs[0].parameters == {"mine": 1}
    assert {name: (span.size, span.view().obj) for name, span in forms.spans.items()} == {"y": (1, bytearray(2))}


MISMATCH = "input byte size mismatch for input 'x' for model 'm'."
REGION, SIZE, OFFSET = (f"inputs[0].parameters.shared_memory_{each}" for each in ("region", "byte_size", "offset"))
WRONG: dict[str, tuple[dict[str, Any], type[SrvError], str]] = {
    "region": ({**inside(1), "shared_memory_region": 7}, InvalidInput, f"{REGION}: expected text, got 7"),
    "no size": (
        {"shared_memory_region": "r"},
        InvalidInput,
        f"{SIZE}: there is none beside shared_memory_region",
    ),
    "text for a size": (
        {**inside(1), "shared_memory_byte_size": "1"},
        InvalidInput,
        f"{SIZE}: expected an unsigned integer, got '1'",
    ),
    "boolean size": (inside(True), InvalidInput, f"{SIZE}: expected an unsigned integer, got True"),
    "size of a float": (
        {**inside(1), "shared_memory_byte_size": 1.5},
        InvalidInput,
        f"{SIZE}: expected an unsigned integer, got 1.5",
    ),
    "negative size": (inside(-1), InvalidInput, f"{SIZE}: expected an unsigned integer, got -1"),
    "negative offset": (inside(1, -1), InvalidInput, f"{OFFSET}: expected an unsigned integer, got -1"),
    "size alone": (
        {"shared_memory_byte_size": 1},
        InvalidInput,
        f"{SIZE}: expected shared_memory_region beside it, there is none",
    ),
    "offset alone": (
        {"shared_memory_offset": 1},
        InvalidInput,
        f"{OFFSET}: expected shared_memory_region beside it, there is none",
    ),
    "unknown": (inside(1, region="s"), NotFound, f"{REGION}: no region s"),
    "beyond": (inside(2**64 - 1, 2**64 - 1), InvalidInput, f"{REGION}: beyond r"),
    "another size": (
        inside(2),
        InvalidInput,
        f"inputs[0].data: {MISMATCH} Expected 1, got 2 bytes for INT8 of shape [1] (input 'x')",
    ),
}


@BOTH
@pytest.mark.parametrize("case", WRONG)
def test_wrong_parameters_are_refused_with_the_place(
    decode: Callable[..., tuple[ModelInferRequest, OutputForms]], case: str
) -> None:
    parameters, error, text = WRONG[case]
    with pytest.raises(error) as caught:
        decode(Buffers(r=bytearray(4)), InferInputTensor("x", "INT8", [1], parameters))
    assert str(caught.value) == text


@BOTH
def test_without_regions_tensors_in_shared_memory_are_unsupported(
    decode: Callable[..., tuple[ModelInferRequest, OutputForms]],
) -> None:
    """Ignoring the parameters would be a wrong answer."""
    text = r"\[0\]\.parameters\.shared_memory_region: shared memory is not served by this server$"
    with pytest.raises(Unsupported, match=f"^inputs{text}"):
        decode(None, InferInputTensor("x", "INT8", [1], inside(1)))
    with pytest.raises(Unsupported, match=f"^outputs{text}"):
        decode(None, outputs=[InferRequestedOutputTensor("y", inside(1))])


@BOTH
def test_the_classes_of_an_output_cannot_lie_in_shared_memory(
    decode: Callable[..., tuple[ModelInferRequest, OutputForms]],
) -> None:
    with pytest.raises(InvalidInput, match=r"^outputs\[0\]\.parameters\.classification: shared memory"):
        decode(Buffers(r=bytearray(4)), outputs=[InferRequestedOutputTensor("y", {**inside(4), "classification": 2})])


@pytest.mark.parametrize(
    ("members", "parameters", "fields"),
    [
        ({"data": [1]}, {}, "'data' 'shared_memory_region'"),
        ({}, {"binary_data_size": 1}, "'binary_data_size' 'shared_memory_region'"),
        ({"data": [1]}, {"binary_data_size": 1}, "'data' 'binary_data_size' 'shared_memory_region'"),
    ],
)
def test_a_rest_input_lies_in_one_place_only(members: dict[str, Any], parameters: dict[str, Any], fields: str) -> None:
    tensor = {"name": "x", "datatype": "INT8", "shape": [1], "parameters": {**inside(1), **parameters}, **members}
    header = json.dumps({"inputs": [tensor]}).encode()
    with pytest.raises(InvalidInput, match=f"Input must set only one of the following fields: .* But set {fields} "):
        decode_request(header + b"\1", str(len(header)), regions=Buffers(r=bytearray(1)))


def test_binary_data_belongs_to_the_next_input_outside_of_shared_memory() -> None:
    binary = {"name": "a", "datatype": "INT8", "shape": [1], "parameters": {"binary_data_size": 1}}
    shared = {"name": "b", "datatype": "INT8", "shape": [1], "parameters": inside(1)}
    header = json.dumps({"inputs": [binary, shared, {**binary, "name": "c"}]}).encode()
    request, _ = decode_request(header + b"\1\3", str(len(header)), regions=Buffers(r=bytearray(b"\2")))
    assert [each.data.root for each in request.inputs] == [[1], [2], [3]]


def grpc_inputs() -> list[InferInputTensor]:
    return [InferInputTensor("a", "INT8", [1], inside(1)), *(InferInputTensor(name, "INT8", [1]) for name in "bc")]


def test_a_raw_entry_belongs_to_the_next_input_outside_of_shared_memory() -> None:
    request = ModelInferRequest("m", inputs=grpc_inputs(), raw_input_contents=[b"\2", b"\3"])
    forms = bind_request(request, Buffers(r=bytearray(b"\1")))
    assert [each.data.root for each in request.inputs] == [[1], [2], [3]]
    assert not forms.typed


@pytest.mark.parametrize("entries", [1, 3])
def test_as_many_raw_entries_as_inputs_outside_of_shared_memory(entries: int) -> None:
    request = ModelInferRequest("m", inputs=grpc_inputs(), raw_input_contents=[b"\1" for _ in range(entries)])
    with pytest.raises(InvalidInput) as caught:
        bind_request(request, Buffers(r=bytearray(1)))
    assert str(caught.value) == (
        "the number of inputs outside of shared memory (2) does not match the expected number of "
        f"raw input contents ({entries}) for model 'm'."
    )


def test_raw_entries_beside_nothing_but_shared_memory_are_refused() -> None:
    request = ModelInferRequest("m", inputs=grpc_inputs()[:1], raw_input_contents=[b"\1"])
    with pytest.raises(InvalidInput, match="outside of shared memory"):
        bind_request(request, Buffers(r=bytearray(1)))


def test_typed_contents_beside_shared_memory() -> None:
    """In another input they are fine, and the answer is typed; in the same one they are refused."""
    shared, typed, _ = grpc_inputs()
    typed.contents = InferTensorContents(int_contents=[2])
    request = ModelInferRequest("m", inputs=[shared, typed])
    assert bind_request(request, Buffers(r=bytearray(b"\1"))).typed
    assert [each.data.root for each in request.inputs] == [[1], [2]]
    wrong = InferInputTensor("a", "INT8", [1], inside(1), contents=InferTensorContents(int_contents=[2]))
    with pytest.raises(InvalidInput, match="only one of the following fields: 'contents', 'shared_memory_region'"):
        bind_request(ModelInferRequest("m", inputs=[wrong]), Buffers(r=bytearray(1)))


def test_a_request_in_shared_memory_is_not_sent_on_without_its_data() -> None:
    request, _ = by_grpc(Buffers(r=bytearray(1)), InferInputTensor("x", "INT8", [1], inside(1)))
    with pytest.raises(WireError, match="give it a wire form"):
        bytes(request)


# ---- Outputs


def spans(regions: Buffers, **places: tuple[int, int]) -> OutputForms:
    """Return the forms of outputs by the offset and size of each."""
    return OutputForms(spans={name: regions.find("r", offset, size) for name, (offset, size) in places.items()})


def send_rest(response: ModelInferResponse, forms: OutputForms) -> EncodedBody:
    return encode_response(response, forms)


def send_grpc(response: ModelInferResponse, forms: OutputForms) -> ModelInferResponse:
    return lower_response(response, forms, typed=False)


SEND = pytest.mark.parametrize("send", [send_rest, send_grpc], ids=["rest", "grpc"])


@SEND
@given(tensors(), st.integers(0, 9), st.integers(0, 9))
def test_every_output_can_be_written_anywhere(
    send: Callable[[ModelInferResponse, OutputForms], object], tensor: tuple[str, Any], before: int, room: int
) -> None:
    """The bytes around it stay as they are."""
    datatype, array = tensor
    data = raw(datatype, array)
    regions = Buffers(r=bytearray(b"?" * (before + len(data) + room + 1)))
    output = InferOutputTensor("y", datatype, list(array.shape), data=array)
    send(ModelInferResponse("m", outputs=[output]), spans(regions, y=(before, len(data) + room)))
    assert bytes(regions["r"]) == b"?" * before + data + b"?" * (room + 1)


def response(**outputs: Any) -> ModelInferResponse:
    tensors_ = [
        InferOutputTensor(name, "INT8", [len(array)], {"content_type": "np"}, data=array)
        for name, array in outputs.items()
    ]
    return ModelInferResponse("m", outputs=tensors_)


def test_a_rest_response_only_describes_what_lies_in_shared_memory() -> None:
    """It has neither data nor parameters, which tritonclient would take for binary data."""
    regions = Buffers(r=bytearray(2))
    forms = OutputForms(listed=frozenset("yz"), spans={"y": regions.find("r", 0, 2)})
    body = encode_response(response(y=np.array([1, 2], np.int8), z=np.array([3], np.int8)), forms)
    assert body.header_length is not None
    shared, binary = json.loads(bytes(body.parts[0]))["outputs"]
    assert shared == {"name": "y", "shape": [2], "datatype": "INT8"}
    assert binary["parameters"]["binary_data_size"] == 1
    assert (bytes(regions["r"]), bytes(body.parts[1])) == (b"\1\2", b"\3")


@pytest.mark.parametrize("typed", [False, True])
def test_a_grpc_response_is_raw_with_an_empty_entry_for_shared_memory(typed: bool) -> None:
    """Also where the request was typed: clients take entries by position."""
    regions = Buffers(r=bytearray(2))
    sent = lower_response(
        response(y=np.array([1, 2], np.int8), z=np.array([3], np.int8)), spans(regions, y=(0, 2)), typed=typed
    )
    assert [bytes(each) for each in sent.raw_output_contents] == [b"", b"\3"]
    assert [each.contents for each in sent.outputs] == [None, None]
    assert bytes(regions["r"]) == b"\1\2"


@SEND
def test_an_output_that_does_not_fit_is_an_error_and_nothing_is_written(
    send: Callable[[ModelInferResponse, OutputForms], object],
) -> None:
    regions = Buffers(r=bytearray(4))
    outputs = response(y=np.ones(1, np.int8), z=np.ones(3, np.int8))
    with pytest.raises(InferenceError) as caught:
        send(outputs, spans(regions, y=(0, 2), z=(2, 2)))
    assert str(caught.value) == (
        "outputs[1]: shared memory size specified with the request for output 'z' (2 bytes) "
        "should be at least 3 bytes to hold the results"
    )
    assert regions["r"] == bytearray(4)


@SEND
def test_outputs_may_be_written_over_the_inputs_that_they_are(
    send: Callable[[ModelInferResponse, OutputForms], object],
) -> None:
    """A model that returns its inputs as they are, to a client that wants each in the place of the other."""
    regions = Buffers(r=bytearray(b"\1\2\3\4"))
    inputs = [InferInputTensor(name, "INT8", [2], inside(2, offset)) for name, offset in (("a", 0), ("b", 2))]
    request, _ = by_grpc(regions, *inputs)
    arrays = {each.name: tensor_array(each, PLACE) for each in request.inputs}
    sent = send(response(**arrays, c=arrays["a"]), spans(regions, a=(2, 2), b=(0, 2)))
    assert bytes(regions["r"]) == b"\3\4\1\2"
    if isinstance(sent, ModelInferResponse):
        assert bytes(sent.raw_output_contents[2]) == b"\1\2"


def test_outputs_outside_of_shared_memory_stay_views() -> None:
    array = np.ones(8, np.int8)
    sent = lower_response(
        response(y=array, z=np.ones(1, np.int8)), spans(Buffers(r=bytearray(1)), z=(0, 1)), typed=False
    )
    assert np.shares_memory(np.frombuffer(sent.raw_output_contents[0], np.uint8), array)

"""What a request, a response and an error are on the other side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import same, tensors

from srv._status import describe_error
from srv.workers._frames import decode_header, encode_header
from srv.workers._messages import (
    WorkerCodeError,
    pack_error,
    pack_request,
    pack_response,
    pack_tensors,
    unpack_error,
    unpack_request,
    unpack_response,
    unpack_tensors,
)
from srv_protocol import errors
from srv_protocol.errors import ErrorKind, InvalidInput, ModelNotFound, SrvError
from srv_protocol.inference import (
    Headers,
    InferInputTensor,
    InferOutputTensor,
    InferRequestedOutputTensor,
    ModelInferRequest,
    ModelInferResponse,
    Parameters,
    TensorMetadata,
)

TEXT = st.text(st.characters(codec=None, max_codepoint=0xDBFF), max_size=6)
VALUES = st.one_of(st.booleans(), st.integers(-(1 << 63), (1 << 64) - 1), st.floats(), TEXT, st.binary(max_size=6))
PARAMETERS = st.dictionaries(TEXT.filter(lambda name: name != "headers"), VALUES, max_size=3).map(Parameters)
HEADERS = st.none() | st.dictionaries(st.sampled_from(["a", "x-b", "cookie"]), TEXT, max_size=3).map(Headers)
OWN = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, SrvError)]


def through_json(header: object) -> object:
    return decode_header(encode_header(header))


def show(parameters: Parameters) -> object:
    """Return what tells NaN, -0.0, true and 1 apart."""
    return [(name, type(value), repr(value)) for name, value in parameters.items()], parameters.headers


def written(bundle: Any) -> memoryview:
    memory = bytearray(bundle.size)
    bundle.write(memory)
    return memoryview(bytes(memory))


@given(st.data())
def test_a_request_arrives_as_it_was(data: st.DataObject) -> None:
    request = ModelInferRequest("model", data.draw(TEXT), data.draw(TEXT))
    request.parameters = data.draw(PARAMETERS)
    request.parameters.headers = data.draw(HEADERS)
    arrays = data.draw(st.lists(tensors(), max_size=3))
    for index, (datatype, array) in enumerate(arrays):
        tensor = InferInputTensor(
            f"{index}{data.draw(TEXT)}", datatype, [*array.shape], data.draw(PARAMETERS), data=array
        )
        request.inputs.append(tensor)
    wanted = data.draw(st.lists(st.tuples(TEXT, PARAMETERS), max_size=2))
    request.outputs.extend(InferRequestedOutputTensor(name, own) for name, own in wanted)

    header, bundle = pack_request(request)
    arrived = unpack_request("model", through_json(header), written(bundle))

    assert (arrived.model_name, arrived.model_version, arrived.id) == ("model", request.model_version, request.id)
    assert show(arrived.parameters) == show(request.parameters)
    assert [each.name for each in arrived.inputs] == [each.name for each in request.inputs]
    for before, after in zip(request.inputs, arrived.inputs, strict=True):
        assert (after.datatype, after.shape, show(after.parameters)) == (
            before.datatype,
            before.shape,
            show(before.parameters),
        )
        assert same(after.data.array, before.data.array)
    assert [(each.name, show(each.parameters)) for each in arrived.outputs] == [
        (name, show(own)) for name, own in wanted
    ]


@given(st.data())
def test_a_response_arrives_as_it_was(data: st.DataObject) -> None:
    response = ModelInferResponse("model", data.draw(TEXT))
    response.parameters = data.draw(PARAMETERS)
    response.parameters.headers = data.draw(HEADERS)
    for index, (datatype, array) in enumerate(data.draw(st.lists(tensors(), max_size=3))):
        response.outputs.append(
            InferOutputTensor(f"{index}", datatype, [*array.shape], data.draw(PARAMETERS), data=array)
        )

    header, bundle = pack_response(response)
    arrived = unpack_response("model", through_json(header), written(bundle))

    assert arrived.model_version == response.model_version
    assert show(arrived.parameters) == show(response.parameters)
    for before, after in zip(response.outputs, arrived.outputs, strict=True):
        assert (after.name, after.shape, show(after.parameters)) == (before.name, before.shape, show(before.parameters))
        assert same(after.data.array, before.data.array)


@pytest.mark.parametrize("number", [np.int64(3), np.int32(3)])
def test_numbers_of_numpy_in_a_shape_are_numbers(number: Any) -> None:
    """A runtime gives ``[array.size]`` of an array of sizes, and is understood in the server's process."""
    response = ModelInferResponse("model")
    response.outputs.append(InferOutputTensor("y", "FP32", [number], data=np.zeros(3, np.float32)))
    header, bundle = pack_response(response)
    arrived = unpack_response("model", through_json(header), written(bundle))
    assert arrived.outputs[0].shape == [3]
    assert list(map(type, arrived.outputs[0].shape)) == [int]


@given(st.lists(st.tuples(TEXT, st.lists(st.integers(-1, 5), max_size=3), PARAMETERS), max_size=3))
def test_metadata_of_tensors_arrives(given_tensors: list[Any]) -> None:
    before = [TensorMetadata(name, "FP32", shape, own) for name, shape, own in given_tensors]
    after = unpack_tensors(through_json(pack_tensors(before)))
    assert [(each.name, each.datatype, each.shape, show(each.parameters)) for each in after] == [
        (each.name, each.datatype, each.shape, show(each.parameters)) for each in before
    ]


class _Mine(ModelNotFound):
    status_code = 418


class _Strange(SrvError):
    kind = ErrorKind.UNAVAILABLE

    def __init__(self) -> None:
        super().__init__("there is\nno more \ud800")


class WithStatus(InvalidInput):
    pass


class _Unreadable(InvalidInput):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    @property
    def message(self) -> str:
        raise RuntimeError("no text either")

    @message.setter
    def message(self, value: str) -> None:
        pass


def made(cls: type[SrvError]) -> SrvError:
    error = cls.__new__(cls)
    SrvError.__init__(error, "the text")
    return error


@pytest.mark.parametrize(
    "error", [*map(made, OWN), _Mine("m"), _Strange(), WithStatus("x", 422)], ids=lambda each: type(each).__name__
)
def test_an_error_is_the_same_to_clients(error: SrvError) -> None:
    arrived = unpack_error(through_json(pack_error(error)))
    assert isinstance(arrived, SrvError)
    assert isinstance(error, type(arrived))
    assert describe_error(arrived, "a call") == describe_error(error, "a call")


def test_an_error_keeps_where_it_came_from() -> None:
    """The log shows it, as it would that of this process."""
    try:
        try:
            raise ZeroDivisionError("the reason")  # noqa: TRY301  # the cause
        except ZeroDivisionError as error:
            raise InvalidInput("the text") from error
    except InvalidInput as error:
        arrived = unpack_error(through_json(pack_error(error)))
    assert isinstance(arrived.__cause__, WorkerCodeError)
    assert "ZeroDivisionError: the reason" in str(arrived.__cause__)
    assert "test_messages.py" in str(arrived.__cause__)


@pytest.mark.parametrize("error", [ValueError("v"), KeyError(), ExceptionGroup("g", [ValueError("v")])])
def test_any_other_error_is_its_traceback(error: Exception) -> None:
    arrived = unpack_error(through_json(pack_error(error)))
    assert type(arrived) is WorkerCodeError
    assert type(error).__name__ in str(arrived)
    assert describe_error(arrived, "a call") == describe_error(error, "a call")


def test_an_error_whose_text_cannot_be_had_still_arrives() -> None:
    arrived = unpack_error(through_json(pack_error(_Unreadable("x"))))
    assert type(arrived) is InvalidInput
    assert "_Unreadable" in arrived.message


@pytest.mark.parametrize("status", ["no number", 3.5, 200, (1,)])
def test_an_error_with_a_status_that_is_none_still_arrives(status: object) -> None:
    """What is not answered would be waited for for ever."""
    error = InvalidInput("the text")
    vars(error)["status_code"] = status
    arrived = unpack_error(through_json(pack_error(error)))
    assert describe_error(arrived, "a call") == describe_error(error, "a call")

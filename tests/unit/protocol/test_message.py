from __future__ import annotations

import copy
import io
import pickle
import threading
from typing import TYPE_CHECKING, Any

import betterproto2
import numpy as np
import pytest

from srv_protocol._varint import read_varint, write_varint
from srv_protocol.errors import WireError
from srv_protocol.inference import (
    InferInputTensor,
    InferParameter,
    InferTensorContents,
    ModelConfigRequest,
    ModelInferRequest,
    ModelInferResponse,
    ModelMetadataResponse,
    ModelReadyRequest,
    ServerLiveResponse,
    ServerMetadataResponse,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from srv_protocol._message import Message

# --- memory -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cls", "field"), [(ModelInferRequest, "raw_input_contents"), (ModelInferResponse, "raw_output_contents")]
)
@pytest.mark.parametrize("buffer", [bytes, bytearray, memoryview])
def test_raw_contents_are_views(cls: type[Message], field: str, buffer: Callable[[bytes], Any]) -> None:
    """Raw tensors share the parsed buffer's memory, and cannot be written to."""
    data = buffer(bytes(cls(**{field: [np.arange(4, dtype="<f4").tobytes(), b""]})))
    view, empty = getattr(cls.parse(data), field)
    array = np.frombuffer(view, "<f4")
    assert array.tolist() == [0, 1, 2, 3]
    assert np.shares_memory(array, np.frombuffer(data, np.uint8))
    assert not array.flags.writeable
    assert view.readonly
    assert empty.readonly
    assert len(empty) == 0


def test_other_bytes_are_copies() -> None:
    """Fields that are not documented as views do not keep the buffer alive."""
    data = bytearray(bytes(InferTensorContents(bytes_contents=[b"abc"])))
    (value,) = InferTensorContents.parse(data).bytes_contents
    assert type(value) is bytes
    data[-1] = 0
    assert value == b"abc"


@pytest.mark.parametrize("value", [np.zeros(1000, "<f8"), np.zeros((10, 100), "<f8")], ids=["1d", "2d"])
def test_wire_parts_do_not_copy(value: np.ndarray[Any, Any]) -> None:
    """Large values go out as they are; only the pieces around them are made."""
    request = ModelInferRequest(model_name="m", raw_input_contents=[value.data])
    parts = request.wire_parts()
    assert b"".join(parts) == bytes(request)
    assert any(np.shares_memory(np.frombuffer(part, np.uint8), value) for part in parts if isinstance(part, memoryview))
    assert sum(len(part) for part in parts if not isinstance(part, memoryview)) < 16


def test_packed_arrays_are_their_own_wire_form() -> None:
    """An array of a fixed-width field's own dtype is not copied."""
    array = np.arange(3, dtype="<f4")
    contents = InferTensorContents(fp32_contents=array)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # what codecs do
    parts = contents.wire_parts()
    assert any(np.shares_memory(np.frombuffer(part, np.uint8), array) for part in parts)
    assert InferTensorContents.parse(bytes(contents)).fp32_contents == [0, 1, 2]


@pytest.mark.parametrize(
    "array", [np.arange(3, dtype=">f4"), np.arange(6, dtype="<f4")[::2], np.arange(3.0), np.array([])]
)
def test_other_arrays_give_the_same_bytes(array: Any) -> None:
    """Another byte order, layout or width changes nothing on the wire."""
    assert bytes(InferTensorContents(fp32_contents=array)) == bytes(InferTensorContents(fp32_contents=array.tolist()))


@pytest.mark.parametrize("value", [b"", memoryview(b""), bytearray(), np.zeros((0, 2), "<f4"), np.zeros((2, 0)).data])
def test_empty_raw_values(value: Any) -> None:
    """An empty entry is an entry, whatever it is empty of."""
    assert bytes(ModelInferRequest(raw_input_contents=[value])) == b":\x00"


@pytest.mark.parametrize(
    "value", [np.zeros(4, ">f4"), np.zeros(4, "<f4")[::2], np.array([b"a"], dtype=object), "a", 1, None]
)
def test_raw_values_that_are_no_little_endian_bytes(value: Any) -> None:
    """What is not plain memory is refused instead of sent as something else."""
    with pytest.raises(WireError, match=r"ModelInferRequest\.raw_input_contents: expected bytes"):
        bytes(ModelInferRequest(raw_input_contents=[value]))


# --- copies -----------------------------------------------------------------------------------------------------


def _pickled(message: Any) -> Any:
    return pickle.loads(pickle.dumps(message))  # noqa: S301  # our own pickle


@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, _pickled],
    ids=["copy", "deepcopy", "pickle"],
)
def test_copies(again: Callable[[ModelInferRequest], ModelInferRequest]) -> None:
    """A copy equals its original: views, headers and unknown fields too."""
    request = ModelInferRequest.parse(bytes.fromhex("0a 01 6d 3a 02 01 02 78 05"))
    request.parameters.headers = {"A": "1"}  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]  # what authors do
    copied = again(request)
    assert type(copied) is ModelInferRequest
    assert copied == request
    assert copied.parameters.headers == {"a": "1"}
    assert bytes(copied) == bytes(request)


def test_deep_copies_are_independent() -> None:
    """A deep copy shares neither lists nor the parsed buffer; a shallow one shares both."""
    data = bytearray.fromhex("3a 01 01")
    request = ModelInferRequest.parse(data)
    shallow, deep = copy.copy(request), copy.deepcopy(request)
    data[2] = 9
    assert shallow.raw_input_contents is request.raw_input_contents
    assert (bytes(request), bytes(deep)) == (b":\x01\x09", b":\x01\x01")


# --- reading ----------------------------------------------------------------------------------------------------


def test_subclasses_of_users() -> None:
    """A subclass in another module, annotated or not, reads and writes as its base."""

    class Mine(ModelInferRequest):
        extra: NameThatNobodyKnows = 1  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore[reportUndefinedVariable]  # on purpose

    message = Mine.parse(bytes.fromhex("0a 01 6d 2a 03 0a 01 78"))
    assert type(message) is Mine
    assert type(message.inputs[0]) is InferInputTensor
    assert bytes(message) == bytes.fromhex("0a 01 6d 2a 03 0a 01 78")


def test_load_is_as_strict_as_parse() -> None:
    """The methods of betterproto2 use the same parser."""
    stream = io.BytesIO(b"\x08\x01\x02\x08\x00\x03\x08\x01")
    assert ServerLiveResponse().load(stream, 2).live
    assert not ServerLiveResponse().load(stream, betterproto2.SIZE_DELIMITED).live
    with pytest.raises(WireError, match="expected a message of 3 bytes, but the stream has only 2 left"):
        ServerLiveResponse().load(stream, betterproto2.SIZE_DELIMITED)
    assert ServerLiveResponse().load(io.BytesIO(b"\x08\x01")).live
    with pytest.raises(WireError, match="truncated"):
        ServerLiveResponse.FromString(b"\x08")


def test_load_gives_read_only_views() -> None:
    """Views of what a stream gave cannot be written to, whatever it gave."""

    class Stream:
        def read(self, _size: int = -1, /) -> Any:
            return bytearray(b"\x3a\x01\x05")

    (view,) = ModelInferRequest().load(Stream()).raw_input_contents
    assert isinstance(view, memoryview)
    assert view.readonly


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", "the message is truncated at byte 0"),
        (b"\x80", "the message is truncated at byte 1"),
        (b"\x80\x80\x80\x80\x80\x00", "the length before the message has more than 5 bytes"),
        (b"\xff\xff\xff\xff\x0f", "expected a message of 4294967295 bytes, but the stream has only 0 left"),
    ],
)
def test_a_length_before_a_message_that_is_none(data: bytes, error: str) -> None:
    """The length that a stream gives is read as strictly as any other."""
    with pytest.raises(WireError, match=f"^protobuf: {error}$"):
        ServerLiveResponse().load(io.BytesIO(data), betterproto2.SIZE_DELIMITED)


def test_plans_are_built_once_for_all_threads() -> None:
    """Threads that ask for a class's tables at the same time all get whole ones."""

    class Mine(ModelMetadataResponse):
        pass

    start = threading.Barrier(8)
    wrong: list[object] = []

    def parse() -> None:
        start.wait()
        message = Mine.parse(bytes.fromhex("0a 01 6d"))
        if message.name != "m" or bytes(message) != bytes.fromhex("0a 01 6d"):
            wrong.append(message)

    threads = [threading.Thread(target=parse) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ("08", "the message is truncated at byte 1"),
        ("07 01", "invalid tag 7 at byte 0"),
        ("12 05 61", "the value at byte 1 declares 5 bytes, but the message has only 1 left"),
        ("08 ff ff ff ff ff ff ff ff ff ff 01", "varint at byte 1 has more than 10 bytes"),
        ("12 80 80 80 80 80 00", "the length at byte 1 has more than 5 bytes"),
        ("1a 01 ff", "the string at byte 2 is not valid UTF-8"),
        ("7b" * 200, "unmatched or too deep group at byte"),
        ("7c", "unmatched or too deep group at byte 1"),
    ],
)
def test_errors_name_the_place(data: str, error: str) -> None:
    """The text says where and why."""
    with pytest.raises(WireError, match=f"^protobuf: {error}"):
        InferParameter.parse(bytes.fromhex(data))


def test_packed_fixed_of_a_wrong_size() -> None:
    """Packed values must fill their length."""
    with pytest.raises(WireError, match="packed values at byte 2: 3 bytes are no multiple of 4"):
        InferTensorContents.parse(bytes.fromhex("32 03 00 00 00"))


# --- writing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (ModelReadyRequest(name=b"m"), r"ModelReadyRequest\.name: expected string, got bytes"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        (ModelReadyRequest(name=[]), r"ModelReadyRequest\.name: expected string, got list"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        (ModelReadyRequest(name="\ud800"), r"ModelReadyRequest\.name: expected string"),
        (ServerMetadataResponse(extensions="ab"), "expected a sequence of string, got one str"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        (ServerMetadataResponse(extensions=3), r"ServerMetadataResponse\.extensions: got int"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        (ModelInferRequest(inputs=[ModelConfigRequest()]), "inputs: expected InferInputTensor, got ModelConfigRequest"),  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
        (ModelMetadataResponse(properties={"k": 1}), r"properties\['k'\]: value: expected string, got int"),  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
        (InferParameter(bool_param=True, int64_param=1), "only one of bool_param and int64_param may be set"),
        (InferTensorContents(int_contents=[1 << 31]), "int_contents: expected int32, got 2147483648"),
        (InferTensorContents(int_contents=[1.0]), r"int_contents: expected int32, got 1\.0"),  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
        (InferTensorContents(fp32_contents=[1e39]), "fp32_contents: expected float"),
    ],
)  # fmt: skip
def test_wrong_values_are_errors(message: Message, error: str) -> None:
    """A value that does not fit is an error that names the field."""
    with pytest.raises(WireError, match=error):
        bytes(message)


def test_presence_in_the_json_of_betterproto() -> None:
    """A member of a oneof is there even with its default value."""
    assert InferParameter(bool_param=False).to_dict() == {"boolParam": False}
    assert ModelInferRequest(parameters={"k": 0}).to_dict() == {"parameters": {"k": {"int64Param": "0"}}}
    assert InferParameter.from_dict({"boolParam": False}) == InferParameter(bool_param=False)


# --- varints ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, (1 << 32) - 1, 1 << 32, (1 << 63), (1 << 64) - 1])
def test_varints(value: int) -> None:
    """Varints read back, from anywhere in a buffer, and not beyond its end."""
    data = write_varint(value)
    buffer = memoryview(b"\xff" + data + b"\xff")
    assert read_varint(buffer, 1, len(buffer)) == (value, 1 + len(data))
    assert read_varint(buffer, 1, 1 + len(data)) == (value, 1 + len(data))
    for end in range(1, 1 + len(data)):
        with pytest.raises(WireError, match=f"truncated at byte {end}"):
            read_varint(buffer, 1, end)

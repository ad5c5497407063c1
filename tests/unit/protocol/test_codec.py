"""The generated codecs of the hot messages: the general path, which they stand in front of, is the judge."""

from __future__ import annotations

import copy
import pickle
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

import betterproto2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srv_protocol._decoding import decode, merge
from srv_protocol._encoding import encode
from srv_protocol._message import Message
from srv_protocol._scalars import FIXED, VARINTS
from srv_protocol._varint import write_varint
from srv_protocol.errors import WireError
from srv_protocol.inference import (
    InferInputTensor,
    InferOutputTensor,
    InferRequestedOutputTensor,
    InferTensorContents,
    ModelInferRequest,
    ModelInferResponse,
    ModelStreamInferResponse,
    Parameters,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOT: Final[list[type[Message]]] = [
    InferTensorContents,
    InferInputTensor,
    InferOutputTensor,
    InferRequestedOutputTensor,
    ModelInferRequest,
    ModelInferResponse,
    ModelStreamInferResponse,
]
# --- both ways --------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """Return what a field holds in a form that compares by type and bits."""
    if isinstance(value, Message):
        fields: list[str] = cast("Any", value)._betterproto.sorted_field_names
        return {name: plain(getattr(value, name)) for name in fields} | {"": vars(value)["_unknown_fields"]}
    if isinstance(value, dict):
        return [(key, plain(item)) for key, item in cast("dict[str, Any]", value).items()]
    if isinstance(value, list):
        items: list[Any] = cast("Any", value)
        return [plain(item) for item in items]
    if isinstance(value, memoryview):
        return ("view", value.tobytes(), value.readonly)
    return (type(value), repr(value))


def outcome(parse: Callable[[], Any]) -> Any:
    """Return the message as plain values, or the error's text; anything but WireError is a failure."""
    try:
        return plain(parse())
    except WireError as error:
        return str(error)


def general(cls: type[Message], data: bytes) -> Any:
    """Parse by the general path alone."""
    return decode(cls, memoryview(data), 0, len(data))


def general_bytes(message: Message) -> bytes:
    """Encode by the general path alone."""
    parts: list[bytes | memoryview] = []
    size = encode(message, parts)
    data = b"".join(parts)
    assert size == len(data)
    return data


def check(cls: type[Message], data: bytes) -> bool:
    """Assert that both ways say the same, of bytes and of other buffers; return whether the bytes are a message."""
    expected = outcome(lambda: general(cls, data))
    assert outcome(lambda: cls.parse(data)) == expected
    assert outcome(lambda: cls.parse(bytearray(data))) == expected
    if isinstance(expected, str):
        return False
    assert bytes(cls.parse(data)) == general_bytes(general(cls, data))
    assert cls.parse(data) == general(cls, data) or "nan" in repr(general(cls, data))
    return True


# --- random messages --------------------------------------------------------------------------------------------

# Signalling NaNs stay as they are in an array, and do not in a list.
FLOATS: Final = st.floats(width=32, allow_nan=False).map(lambda value: np.float32(value).tobytes())
NUMBERS: Final = st.integers(0, (1 << 64) - 1) | st.integers(0, 200)


def field(number: int, wire: int, value: bytes) -> bytes:
    """Return a field with its tag."""
    return write_varint(number << 3 | wire) + (write_varint(len(value)) if wire == 2 else b"") + value


def unknown(wire: int, values: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Give fields that no message has."""
    return st.tuples(st.integers(9, 3000), values).map(lambda pair: field(pair[0], wire, pair[1]))


GROUP: Final = field(12, 3, field(1, 0, b"\x01") + field(12, 4, b""))
UNKNOWN: Final = st.one_of(
    unknown(0, NUMBERS.map(write_varint)),
    unknown(2, st.binary(max_size=200)),
    unknown(5, st.binary(min_size=4, max_size=4)),
    st.just(GROUP),
)
TEXT: Final = st.text(max_size=20).map(str.encode) | st.just(b"x" * 130) | st.binary(max_size=3)


@cache
def messages(cls: Any) -> st.SearchStrategy[bytes]:
    """Bytes of a message: its fields in any order, number and wire form, and others."""
    meta = cls._betterproto
    records: list[st.SearchStrategy[bytes]] = [UNKNOWN]
    for name, each in meta.meta_by_field_name.items():
        records += _records(each, meta.cls_by_field[name if each.map_meta is None else f"{name}.value"])
    weighted = st.one_of(records[1:])
    any_order = st.lists(st.one_of(weighted, weighted, weighted, records[0]), max_size=8)
    # As clients send them.
    sorted_ = st.lists(weighted, max_size=8).map(lambda found: sorted(found, key=lambda record: record[0]))
    return st.one_of(any_order, sorted_).map(b"".join)


def _records(each: Any, target: Any) -> Iterator[st.SearchStrategy[bytes]]:
    number, kind = each.number, each.proto_type
    if each.map_meta is not None:
        value = messages(each.map_meta[1].unwrap())
        usual = st.tuples(TEXT, value).map(lambda pair: field(1, 2, pair[0]) + field(2, 2, pair[1]))
        odd = st.lists(TEXT.map(lambda key: field(1, 2, key)) | value.map(lambda item: field(2, 2, item)) | UNKNOWN)
        yield (usual | usual | odd.map(b"".join)).map(lambda entry: field(number, 2, entry))
    elif kind == betterproto2.TYPE_MESSAGE:
        yield messages(target).map(lambda inner: field(number, 2, inner))
    elif kind in {betterproto2.TYPE_STRING, betterproto2.TYPE_BYTES}:
        yield TEXT.map(lambda value: field(number, 2, value))
    else:
        size = int(FIXED[kind][-1]) if kind in FIXED else 0
        single = (
            NUMBERS.map(write_varint)
            if kind in VARINTS
            else (FLOATS if size == 4 else st.floats(allow_nan=False).map(lambda value: np.float64(value).tobytes()))
        )
        wire = 0 if kind in VARINTS else 5 if size == 4 else 1
        yield single.map(lambda value: field(number, wire, value))
        if each.repeated:
            yield st.lists(single, max_size=40).map(lambda values: field(number, 2, b"".join(values)))
            yield st.lists(single, min_size=64, max_size=64).map(lambda values: field(number, 2, b"".join(values)))


@pytest.mark.parametrize("cls", HOT)
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_random_messages(cls: type[Message], data: Any) -> None:
    """Whatever the fields, their order and their wire form: the same message, the same error, the same bytes."""
    check(cls, data.draw(messages(cls)))


# --- damage -----------------------------------------------------------------------------------------------------


def _corpus() -> Iterator[tuple[type[Message], bytes]]:
    parameters: Any = {"b": True, "i": -5, "s": "text", "d": 0.5, "u": (1 << 64) - 1, "n": 7}
    typed = [
        InferTensorContents(bool_contents=[True, False], int_contents=[-1, 300], int64_contents=[1 << 40]),
        InferTensorContents(uint_contents=[1, 1 << 31], uint64_contents=[1 << 63], fp32_contents=[1.5, -2.0]),
        InferTensorContents(fp64_contents=[1.5], bytes_contents=[b"ab", b""]),
        InferTensorContents(int64_contents=list(range(-40, 40))),
    ]
    for contents in typed:
        yield InferTensorContents, bytes(contents)
        yield InferInputTensor, bytes(InferInputTensor("x", "FP32", [2, 300], {"content_type": "np"}, contents))
    outputs = [InferRequestedOutputTensor("o", {"binary_data": True})]
    inputs = [InferInputTensor("a", "INT8", [2]), InferInputTensor("ä", "INT8", [0])]
    yield ModelInferRequest, bytes(ModelInferRequest("m", "1", "id", parameters, inputs, outputs, [b"\1\2", b""]))
    response = ModelInferResponse("m", "", "7", {"k": "v"}, [InferOutputTensor("o", "FP32", [1])], [bytes(4)])
    yield ModelInferResponse, bytes(response)
    yield ModelStreamInferResponse, bytes(ModelStreamInferResponse("wrong", response))
    yield ModelStreamInferResponse, bytes.fromhex("12 04 0a 02 6d 6e  12 06 1a 01 69 7a 01 00  0a 00")


CORPUS: Final = list(_corpus())


@pytest.mark.parametrize(("cls", "data"), CORPUS, ids=range(len(CORPUS)))
def test_the_corpus_parses(cls: type[Message], data: bytes) -> None:
    """What is damaged below is whole at first, and encodes to itself where it came from the encoder."""
    assert check(cls, data)


@pytest.mark.parametrize(("cls", "data"), CORPUS, ids=range(len(CORPUS)))
def test_truncated_at_every_byte(cls: type[Message], data: bytes) -> None:
    """The same message, or the same error at the same offset."""
    for end in range(len(data)):
        check(cls, data[:end])


@pytest.mark.parametrize(("cls", "data"), CORPUS, ids=range(len(CORPUS)))
def test_every_byte_changed(cls: type[Message], data: bytes) -> None:
    """The same message, or the same error at the same offset; of long messages, by a selection of values."""
    values = range(256) if len(data) < 40 else (0, 1, 2, 10, 18, 26, 58, 0x7A, 0x7F, 0x80, 0x81, 0xC3, 0xFF)
    for index in range(len(data)):
        for value in values:
            changed = data[:index] + bytes((value,)) + data[index + 1 :]
            assert outcome(lambda: cls.parse(changed)) == outcome(lambda: general(cls, changed)), changed.hex()  # noqa: B023  # called at once


# --- writing ----------------------------------------------------------------------------------------------------

ODD: Final = st.sampled_from(
    [None, "", b"", (), ("a",), 1, "text", b"bytes", 1.5, True, [], ["a"], [b"a"], {}, {"k": None}, {"k": 1 << 63}]
)


@pytest.mark.parametrize("cls", [cls for cls in HOT if cls is not InferTensorContents])
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_odd_values_are_written_or_refused_the_same(cls: Any, data: Any) -> None:
    """A value of any type in any field: the same bytes, or the same error."""
    message = cls()
    for name in cls._betterproto.sorted_field_names:
        if data.draw(st.booleans()):
            value: Any = data.draw(ODD)
            vars(message)[name] = (
                Parameters(cast("Any", value)) if name == "parameters" and type(value) is dict else value
            )
    ways: list[Callable[[], bytes]] = [lambda: bytes(message), lambda: general_bytes(message)]
    results: list[object] = []
    for way in ways:
        try:
            results.append(way())
        except (WireError, AttributeError) as error:
            results.append(str(error))
    assert results[0] == results[1]


class Mine(ModelInferRequest):
    """A subclass of somebody's."""


def test_subclasses_of_users_take_the_generated_way() -> None:
    """A subclass reads and writes as its base, also where it is an element of another message."""
    for _, data in CORPUS[8:9]:
        parsed = Mine.parse(data)
        assert type(parsed) is Mine
        assert bytes(parsed) == data

    class Output(InferOutputTensor):
        pass

    assert bytes(ModelInferResponse(outputs=[Output("o")])) == bytes(
        ModelInferResponse(outputs=[InferOutputTensor("o")])
    )


# --- arrays inside, lists outside -------------------------------------------------------------------------------

LISTS: Final = {
    "bool_contents": [True, False],
    "int_contents": [-1, 2],
    "int64_contents": [-1, 1 << 40],
    "uint_contents": [1, 1 << 31],
    "uint64_contents": [1, 1 << 63],
    "fp32_contents": [0.5, -1.0],
    "fp64_contents": [0.1, 2.0],
}


@pytest.mark.parametrize("name", LISTS)
def test_parsed_numbers_are_arrays_and_read_as_lists(name: str) -> None:
    """Nobody sees the array who does not ask for it, and then it is read-only."""
    values: Any = LISTS[name]
    parsed = InferTensorContents.parse(bytes(InferTensorContents(**{name: values})))
    assert parsed.filled() == [name]
    array: Any = parsed.elements(name)
    assert isinstance(array, np.ndarray)
    assert not array.flags.writeable
    for again in (copy.copy(parsed), copy.deepcopy(parsed), pickle.loads(pickle.dumps(parsed))):  # noqa: S301  # our own
        assert again == parsed
        assert bytes(again) == bytes(parsed)
    assert parsed == InferTensorContents(**{name: values})
    assert repr(parsed) == repr(InferTensorContents(**{name: values}))
    assert parsed.to_dict() == InferTensorContents(**{name: values}).to_dict()
    listed: list[Any] = getattr(parsed, name)
    assert type(listed) is list
    assert listed == values
    listed.append(values[0])
    assert parsed.elements(name) is listed
    assert InferTensorContents.parse(bytes(parsed)) == InferTensorContents(**{name: [*values, values[0]]})
    assert parsed.bytes_contents == []


def test_fixed_width_numbers_are_views() -> None:
    """Packed floats share the memory of the parsed buffer."""
    data = bytes(InferTensorContents(fp32_contents=[1.0, 2.0]))
    parsed: Any = InferTensorContents.parse(data).elements("fp32_contents")
    assert np.shares_memory(parsed, np.frombuffer(data, np.uint8))


def test_an_array_that_is_given_reads_as_a_list() -> None:
    """Messages with arrays compare and print, and the array is kept."""
    array: Any = np.arange(3, dtype="<f4")
    contents = InferTensorContents(int_contents=[1])
    before = copy.copy(contents)
    contents.fp32_contents = array
    assert contents.elements("fp32_contents") is array
    assert before == InferTensorContents(int_contents=[1])
    assert contents == InferTensorContents(int_contents=[1], fp32_contents=[0.0, 1.0, 2.0])
    assert "fp32_contents=[0.0, 1.0, 2.0]" in repr(contents)
    contents.fp32_contents = [5.0]
    assert contents.elements("fp32_contents") == [5.0]


def test_a_message_is_loaded_behind_arrays() -> None:
    """More bytes extend what an array holds."""
    import io  # only here

    contents = InferTensorContents.parse(bytes.fromhex("12 02 01 02"))
    contents.load(io.BytesIO(bytes.fromhex("12 01 03 10 04 42 01 61")))
    assert contents == InferTensorContents(int_contents=[1, 2, 3, 4], bytes_contents=[b"a"])


def test_an_unknown_field_leaves_arrays_alone() -> None:
    """What is kept as it is does not turn the numbers before and behind it into lists."""
    contents = InferTensorContents.parse(bytes.fromhex("12 02 01 02  78 01  2a 01 07"))
    assert isinstance(contents.elements("int_contents"), np.ndarray)
    assert isinstance(contents.elements("uint64_contents"), np.ndarray)


VARINT_DTYPES: Final = {
    "bool_contents": "?",
    "int_contents": "i4",
    "int64_contents": "i8",
    "uint_contents": "u4",
    "uint64_contents": "u8",
}


@pytest.mark.parametrize("size", [1, 63, 64, 1000])
@pytest.mark.parametrize(("field_name", "dtype"), VARINT_DTYPES.items())
def test_varints_of_one_byte_are_copied(field_name: str, dtype: str, size: int) -> None:
    """They are never a view of what was parsed, whose bytes they are, and have the field's dtype."""
    ones: Any = {field_name: [1] * size}
    data = bytearray(bytes(InferTensorContents(**ones)))
    found: Any = InferTensorContents.parse(data).elements(field_name)
    data[-1] = 0
    assert found.dtype == dtype
    assert found.tolist() == [1] * size
    assert not found.flags.writeable


# --- merging ----------------------------------------------------------------------------------------------------


def test_unknown_fields_of_a_submessage_grow_in_place() -> None:
    """A submessage may come as often as its bytes fit: no copy of all that came before for each of them."""
    contents = InferTensorContents.parse(bytes.fromhex("78 01"))
    merge(contents, memoryview(bytes.fromhex("78 02")), 0, 2, 1)
    held = vars(contents)["_unknown_fields"]
    merge(contents, memoryview(bytes.fromhex("78 03")), 0, 2, 1)
    assert vars(contents)["_unknown_fields"] is held
    assert bytes(contents) == bytes.fromhex("78 01 78 02 78 03")
    assert {type(part) for part in contents.wire_parts()} == {bytes}
    again = InferInputTensor.parse(field(5, 2, b"\x78\x01") * 3)
    assert bytes(again) == field(5, 2, b"\x78\x01" * 3)
    assert bytes(InferInputTensor.parse(bytes(again))) == bytes(again)


def test_a_copy_of_a_merged_message_is_loaded_alone() -> None:
    """What is loaded into a copy is not in the message that it was copied from."""
    import io  # only here

    first: Any = InferInputTensor.parse(field(5, 2, b"\x78\x01") * 3).contents
    second = copy.copy(first)
    second.load(io.BytesIO(b"\x78\x02"))
    assert bytes(first) == b"\x78\x01" * 3
    assert bytes(second) == b"\x78\x01" * 3 + b"\x78\x02"

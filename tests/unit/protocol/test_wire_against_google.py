"""Google's protobuf is the judge of the wire: on the same bytes both refuse, or both give equal values."""

from __future__ import annotations

import importlib
import struct
from typing import TYPE_CHECKING, Any, Final

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.internal import api_implementation
from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from srv_codegen._naming import class_names, field_name, module_name
from srv_protocol._gen.descriptors import FILES
from srv_protocol._parameters import Parameters
from srv_protocol.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message as GoogleMessage

    from srv_protocol._message import Message

pytestmark = pytest.mark.skipif(
    api_implementation.Type() != "upb",
    reason="the pure Python implementation of protobuf is laxer than the one that people use",
)

# A property is tried on few examples here: each is compared several ways, and the seeds differ from run to run.
few = settings(deadline=None, max_examples=100)
many = settings(deadline=None, max_examples=600)

# --- both sides of every message --------------------------------------------------------------------------------

POOL: Final = descriptor_pool.DescriptorPool()


def _add(path: str) -> None:
    file = descriptor_pb2.FileDescriptorProto.FromString(FILES[path])
    for dependency in file.dependency:
        _add(dependency)
    POOL.Add(file)


for _path in FILES:
    _add(_path)


def _descriptors(scope: Any) -> Iterator[Any]:
    for descriptor in scope:
        if not descriptor.GetOptions().map_entry:
            yield descriptor
            yield from _descriptors(descriptor.nested_types)


def _pairs() -> Iterator[tuple[str, type[GoogleMessage], type[Message]]]:
    for path in FILES:
        file: Any = POOL.FindFileByName(path)
        prefix = f"{file.package}."
        module = importlib.import_module(f"srv_protocol._gen.{module_name(path)}")
        types = list(_descriptors(file.message_types_by_name.values()))
        names = {descriptor.full_name for descriptor in types}
        enums = [enum.full_name for scope in (file, *types) for enum in scope.enum_types_by_name.values()]
        classes = class_names(name.removeprefix(prefix) for name in [*sorted(names), *enums])
        for descriptor in types:
            ours = getattr(module, classes[descriptor.full_name.removeprefix(prefix)])
            yield descriptor.full_name, message_factory.GetMessageClass(descriptor), ours


GOOGLE: Final[dict[str, type[GoogleMessage]]] = {}
OURS: Final[dict[str, type[Message]]] = {}
for _name, _google, _ours in _pairs():
    GOOGLE[_name], OURS[_name] = _google, _ours


# --- comparison -------------------------------------------------------------------------------------------------


def plain(value: object) -> object:
    """Return a scalar in a form that compares by type and bits."""
    if isinstance(value, float):
        return ("float", struct.pack("<d", value))
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, int):
        return ("int", int(value))
    if isinstance(value, memoryview):
        return value.tobytes()
    return value


def of_google(message: Any) -> dict[str, object]:
    """Return Google's message as a dictionary; a field that has presence and is not there is None."""
    out: dict[str, object] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        name = field_name(field.name)
        if _is_map(field):
            out[name] = {key: _google_value(field.message_type.fields_by_name["value"], value[key]) for key in value}
        elif field.is_repeated:
            out[name] = [_google_value(field, item) for item in value]
        elif field.has_presence and not message.HasField(field.name):
            out[name] = None
        else:
            out[name] = _google_value(field, value)
    return out


def _google_value(field: Any, value: Any) -> object:
    return of_google(value) if field.message_type is not None else plain(value)


def of_ours(message: Message, descriptor: Any) -> dict[str, object]:
    """Return our message as the same dictionary."""
    out: dict[str, object] = {}
    for field in descriptor.fields:
        name = field_name(field.name)
        value = getattr(message, name)
        if _is_map(field):
            entry = field.message_type.fields_by_name["value"]
            out[name] = {key: _our_value(entry, value[key], wrapped=isinstance(value, Parameters)) for key in value}
        elif field.is_repeated:
            out[name] = [_our_value(field, item) for item in value]
        else:
            out[name] = None if value is None else _our_value(field, value)
    return out


def _our_value(field: Any, value: Any, *, wrapped: bool = False) -> object:
    if wrapped:
        wrapper: Any = OURS[field.message_type.full_name]
        return of_ours(wrapper.from_wrapped(value), field.message_type)
    return of_ours(value, field.message_type) if field.message_type is not None else plain(value)


def _is_map(field: Any) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def parse_google(name: str, data: bytes) -> GoogleMessage | None:
    try:
        return GOOGLE[name].FromString(data)
    except DecodeError:
        return None


def parse_ours(name: str, data: bytes) -> Message | None:
    try:
        return OURS[name].parse(data)
    except WireError:
        return None


def check(name: str, data: bytes) -> bool:
    """Assert that both judge `data` alike; return whether they accept it."""
    theirs, ours = parse_google(name, data), parse_ours(name, data)
    assert (ours is None) == (theirs is None), f"{name}: ours {'refuses' if ours is None else 'accepts'} {data.hex()}"
    if ours is None or theirs is None:
        return False
    _as_python(theirs)
    assert of_ours(ours, theirs.DESCRIPTOR) == of_google(theirs), f"{name}: {data.hex()}"
    again = GOOGLE[name].FromString(bytes(ours))
    # Compares the unknown fields too, and NaNs by their bits.
    assert again.SerializeToString(deterministic=True) == theirs.SerializeToString(deterministic=True)
    return True


def _as_python(message: Any) -> None:
    """Reduce Google's message to what Python's values say; see the tests of what is lossy.

    Parameters lose unknown fields and the kind of integer, and signalling NaNs of 32 bits become quiet ones.
    """
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_FLOAT and field.is_repeated:
            value[:] = list(value)
        elif field.type == FieldDescriptor.TYPE_FLOAT:
            setattr(message, field.name, value)
        if field.message_type is None:
            continue
        if not _is_map(field):
            for item in value if field.is_repeated else (value,):
                _as_python(item)
        elif field.message_type.fields_by_name["value"].message_type is not None:
            for item in value.values():
                if item.DESCRIPTOR.name not in {"InferParameter", "ModelRepositoryParameter"}:
                    _as_python(item)
                    continue
                item.DiscardUnknownFields()
                if getattr(item, "uint64_param", 1 << 63) < 1 << 63 and item.HasField("uint64_param"):
                    item.int64_param = item.uint64_param


# --- literal cases ----------------------------------------------------------------------------------------------

PARAMETER: Final = "inference.InferParameter"
CONTENTS: Final = "inference.InferTensorContents"
DURATION: Final = "inference.StatisticDuration"
ERROR: Final = "grpc.reflection.v1.ErrorResponse"
EMPTY: Final = "inference.ServerLiveRequest"
REQUEST: Final = "inference.ModelInferRequest"
INPUT: Final = "inference.ModelInferRequest.InferInputTensor"
REGIONS: Final = "inference.SystemSharedMemoryStatusResponse"
SETTINGS: Final = "inference.LogSettingsResponse"
REFLECTION: Final = "grpc.reflection.v1.ServerReflectionRequest"
BATCHING: Final = "inference.ModelDynamicBatching"

ACCEPTED: Final = {
    "nothing": (EMPTY, ""),
    # Oneofs: a default value is present; the last member wins; a message member merges only with itself.
    "oneof-false": (PARAMETER, "08 00"),
    "oneof-zero": (PARAMETER, "10 00"),
    "oneof-empty-string": (PARAMETER, "1a 00"),
    "oneof-last-wins": (PARAMETER, "08 01  10 05  1a 01 61"),
    "oneof-first-again": (PARAMETER, "08 01  10 05  08 00"),
    "oneof-message-merged": (REFLECTION, "2a 03 0a 01 61  2a 02 10 05"),
    "oneof-message-replaced": (REFLECTION, "2a 03 0a 01 61  3a 00  2a 02 10 05"),
    # Repeated fields: packed, unpacked, mixed, empty; empty entries of bytes.
    "packed": (CONTENTS, "12 03 01 02 03"),
    "packed-empty": (CONTENTS, "12 00  3a 00  32 00"),
    "unpacked": (CONTENTS, "10 01  10 02"),
    "mixed": (CONTENTS, "10 01  12 02 02 03  10 04"),
    "packed-bool": (CONTENTS, "0a 05 00 01 02 ff 01"),
    "packed-float": (CONTENTS, "32 08 00 00 80 3f 00 00 00 80"),
    "unpacked-float": (CONTENTS, "35 00 00 80 3f  35 00 00 00 80"),
    "packed-double": (CONTENTS, "3a 08 00 00 00 00 00 00 f0 7f"),
    "unpacked-double": (CONTENTS, "39 01 00 00 00 00 00 f8 ff"),
    "empty-bytes": (CONTENTS, "42 00  42 01 61  42 00"),
    "empty-raw": (REQUEST, "3a 00  3a 02 01 02  3a 00"),
    # Integers: signs, extremes, long and overlong forms, bits beyond the width.
    "int32-negative": (ERROR, "08 ff ff ff ff ff ff ff ff ff 01"),
    "int32-five-bytes": (ERROR, "08 ff ff ff ff 0f"),
    "int32-high-bits": (ERROR, "08 81 80 80 80 f0 01"),
    "int64-lowest": (PARAMETER, "10 80 80 80 80 80 80 80 80 80 01"),
    "uint64-highest": (DURATION, "08 ff ff ff ff ff ff ff ff ff 01"),
    "uint64-beyond": (DURATION, "08 ff ff ff ff ff ff ff ff ff 7f"),
    "uint64-overlong": (DURATION, "08 81 80 80 80 80 80 80 80 80 00"),
    "bool-high-bit": (PARAMETER, "08 80 80 80 80 80 80 80 80 80 01"),
    "bool-beyond": (PARAMETER, "08 80 80 80 80 80 80 80 80 80 02"),
    "enum-unknown": ("grpc.health.v1.HealthCheckResponse", "08 63"),
    "enum-negative": ("grpc.health.v1.HealthCheckResponse", "08 ff ff ff ff ff ff ff ff ff 01"),
    # Floating point.
    "minus-zero": ("inference.ModelSequenceBatching.StrategyDirect", "15 00 00 00 80"),
    "plus-zero": ("inference.ModelSequenceBatching.StrategyDirect", "15 00 00 00 00"),
    "infinity": (PARAMETER, "21 00 00 00 00 00 00 f0 ff"),
    "nan-payload": (PARAMETER, "21 ef be ad de 00 00 f8 7f"),
    "signalling-nan": (PARAMETER, "21 01 00 00 00 00 00 f0 7f"),
    # Maps: the parts in any order, missing, twice; a key twice; what else an entry may hold.
    "map": (REGIONS, "0a 08 0a 01 6b 12 03 0a 01 61"),
    "map-value-first": (REGIONS, "0a 08 12 03 0a 01 61 0a 01 6b"),
    "map-no-key": (REGIONS, "0a 05 12 03 0a 01 61"),
    "map-no-value": (REGIONS, "0a 03 0a 01 6b"),
    "map-empty-entry": (REGIONS, "0a 00"),
    "map-key-twice": (REGIONS, "0a 08 0a 01 6b 12 03 0a 01 61  0a 08 0a 01 6b 12 03 12 01 62"),
    "map-parts-twice": (REGIONS, "0a 10 0a 01 6b 0a 01 6c 12 03 0a 01 61 12 03 12 01 62"),
    "map-extra-field": (REGIONS, "0a 0a 0a 01 6b 12 03 0a 01 61 18 05"),
    "map-wrong-key-type": (REGIONS, "0a 07 08 01 12 03 0a 01 61"),
    "map-extra-then-good": (REGIONS, "0a 05 0a 01 6b 18 05  1d 00 00 00 00  0a 08 0a 01 6b 12 03 0a 01 61"),
    "map-uint64-key": (BATCHING, "3a 06 08 ff ff ff ff 0f 12 00"),
    "map-string-no-value": ("inference.ModelMetadataResponse", "32 03 0a 01 6b"),
    "map-oneof-unset": (REQUEST, "22 05 0a 01 6b 12 00"),
    "map-oneof-default": (SETTINGS, "0a 07 0a 01 6b 12 02 08 00"),
    "parameter-uint64": (REQUEST, "22 10 0a 01 6b 12 0b 28 ff ff ff ff ff ff ff ff ff 01"),
    # A submessage that comes twice is merged, repeated fields too.
    "merged": ("inference.InferStatistics", "0a 02 08 01  0a 02 10 02"),
    "merged-repeated": (INPUT, "2a 03 12 01 01  2a 03 12 01 02  2a 00"),
    "merged-unknown": (INPUT, "2a 02 78 01  2a 02 78 02"),
    # Unknown fields of every wire type, and known ones with another wire type.
    "unknown": (EMPTY, "08 96 01  11 01 02 03 04 05 06 07 08  1a 02 61 62  25 01 02 03 04"),
    "unknown-group": (EMPTY, "0b 10 01 1b 1c 22 01 61 0c"),
    "unknown-highest-number": (EMPTY, "f8 ff ff ff 0f 01"),
    "wrong-type": (REQUEST, "08 01  11 00 00 00 00 00 00 00 00  1d 00 00 00 00  2b 2c"),
    "wrong-type-packed": (DURATION, "0a 01 05"),
    "wrong-fixed": (PARAMETER, "25 00 00 00 00  20 01"),
    "overlong-tag": (DURATION, "88 80 80 80 00 05"),
    "overlong-length": (CONTENTS, "42 81 80 80 80 00 61"),
    "text": (ERROR, "12 09 c3 a9 e2 98 83 00 ef bf bf"),
}

REFUSED: Final = {
    "tag-only": (EMPTY, "08"),
    "tag-cut": (EMPTY, "f8"),
    "tag-six-bytes": (DURATION, "88 80 80 80 80 00 05"),
    "tag-33-bits": (EMPTY, "88 80 80 80 10 01"),
    "wire-type-6": (EMPTY, "0e 00"),
    "wire-type-7": (EMPTY, "0f 00"),
    "varint-cut": (DURATION, "08 ff"),
    "varint-eleven-bytes": (DURATION, "08 ff ff ff ff ff ff ff ff ff ff 01"),
    "unknown-varint-eleven-bytes": (EMPTY, "08 80 80 80 80 80 80 80 80 80 80 00"),
    "length-beyond": (CONTENTS, "42 02 61"),
    "length-huge": (CONTENTS, "42 ff ff ff ff 0f 61"),
    "unknown-length-beyond": (EMPTY, "0a 02 61"),
    "fixed32-cut": (CONTENTS, "35 00 00 00"),
    "fixed64-cut": (CONTENTS, "39 00 00 00 00 00 00 00"),
    "unknown-fixed64-cut": (EMPTY, "09 00 00 00 00 00 00 00"),
    "packed-varint-cut": (CONTENTS, "12 01 80"),
    "packed-varint-over-the-end": (CONTENTS, "12 01 80 01"),
    "packed-float-cut": (CONTENTS, "32 03 00 00 00"),
    "packed-double-cut": (CONTENTS, "3a 0c 00 00 00 00 00 00 00 00 00 00 00 00"),
    "inner-beyond-outer": (INPUT, "2a 02 12 02 01 02"),
    "map-value-beyond-entry": (REGIONS, "0a 05 0a 01 6b 12 03 0a 01 61"),
    "group-open": (EMPTY, "0b 10 01"),
    "group-end-alone": (EMPTY, "0c"),
    "group-end-of-another": (EMPTY, "0b 14"),
    "group-end-in-submessage": (INPUT, "2a 01 0c"),
    "known-group-end": (INPUT, "2c"),
    "utf8-invalid": (ERROR, "12 01 ff"),
    "utf8-cut": (ERROR, "12 02 e2 98"),
    "utf8-surrogate": (ERROR, "12 03 ed a0 80"),
    "utf8-overlong": (ERROR, "12 02 c0 80"),
    "utf8-beyond": (ERROR, "12 04 f4 90 80 80"),
    "utf8-map-key": (REGIONS, "0a 03 0a 01 ff"),
    "utf8-repeated": ("inference.ServerMetadataResponse", "1a 01 61 1a 01 ff"),
    "utf8-oneof": (PARAMETER, "1a 01 ff"),
}


@pytest.mark.parametrize(("name", "data"), ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(name: str, data: str) -> None:
    """Both read these bytes, and read the same."""
    assert check(name, bytes.fromhex(data))


@pytest.mark.parametrize(("name", "data"), REFUSED.values(), ids=REFUSED)
def test_refused(name: str, data: str) -> None:
    """Both refuse these bytes."""
    assert not check(name, bytes.fromhex(data))


@pytest.mark.parametrize(("name", "data"), ACCEPTED.values(), ids=ACCEPTED)
def test_truncated_at_every_byte(name: str, data: str) -> None:
    """Both take the same prefixes of a message for a whole one."""
    whole = bytes.fromhex(data)
    for size in range(len(whole)):
        check(name, whole[:size])


# --- differences ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["00 01", "02 00", "03 04", "05 00 00 00 00", "0b 00 01 0c"])
def test_stricter_field_number_zero(data: str) -> None:
    """The specification forbids number 0; some releases of upb, Google's parser under Python, take some forms of it."""
    with pytest.raises(WireError, match="invalid tag"):
        OURS[EMPTY].parse(bytes.fromhex(data))


def test_stricter_length_of_six_bytes() -> None:
    """A length has at most 32 bits, so five bytes; some releases of upb take padding behind them."""
    with pytest.raises(WireError, match="the length at byte 1 has more than 5 bytes"):
        OURS[CONTENTS].parse(bytes.fromhex("42 80 80 80 80 80 00"))


def test_lossy_signalling_nan_of_32_bits() -> None:
    """A Python float has 64 bits, and widening makes a signalling NaN quiet; the rest of the payload survives."""
    data = bytes.fromhex("35 23 01 80 7f")
    assert bytes(OURS[CONTENTS].parse(data)) == bytes.fromhex("32 04 23 01 c0 7f")
    theirs = parse_google(CONTENTS, data)
    assert theirs is not None
    assert theirs.SerializeToString() == bytes.fromhex("32 04 23 01 80 7f")


def test_lossy_parameters() -> None:
    """A bare value does not say which kind of integer it was, and has no place for unknown fields."""
    uint64 = OURS[REQUEST].parse(bytes.fromhex("22 07 0a 01 6b 12 02 28 05"))
    assert bytes(uint64) == bytes.fromhex("22 07 0a 01 6b 12 02 10 05")
    unknown = OURS[REQUEST].parse(bytes.fromhex("22 07 0a 01 6b 12 02 78 05"))
    assert bytes(unknown) == bytes.fromhex("22 05 0a 01 6b 12 00")


# --- depth ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 98, 99, 100, 101, 5000, 100_000])
@pytest.mark.parametrize("within", [(), (0x2A,), (0x22,), (0x12, 0x22), (0x2A, 0x2A)], ids=str)
def test_nested_groups(depth: int, within: tuple[int, ...]) -> None:
    """Both count messages, map entries and groups alike, and neither overflows its stack."""
    data = b"\x0b" * depth + b"\x0c" * depth
    for tag in within:
        data = bytes((tag,)) + varint(len(data)) + data
    check(REQUEST, data)


# --- random messages --------------------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    """Return a varint, written the plain way."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def integers(bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    """Integers of a width; edges come often, as Hypothesis prefers them."""
    return st.integers(-(1 << bits - 1), (1 << bits - 1) - 1) if signed else st.integers(0, (1 << bits) - 1)


SCALARS: Final[dict[int, st.SearchStrategy[Any]]] = {
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_INT32: integers(32, signed=True),
    FieldDescriptor.TYPE_INT64: integers(64, signed=True),
    FieldDescriptor.TYPE_UINT32: integers(32, signed=False),
    FieldDescriptor.TYPE_UINT64: integers(64, signed=False),
    FieldDescriptor.TYPE_ENUM: integers(32, signed=True),
    FieldDescriptor.TYPE_FLOAT: st.floats(width=32),
    FieldDescriptor.TYPE_DOUBLE: st.floats(),
    FieldDescriptor.TYPE_STRING: st.text(max_size=8),
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=8),
}

MESSAGES: Final = (
    "inference.ModelInferRequest",
    "inference.ModelInferResponse",
    "inference.ModelMetadataResponse",
    "inference.ModelConfig",
    "inference.ModelStatisticsResponse",
    "inference.TraceSettingResponse",
    "inference.LogSettingsRequest",
    "inference.RepositoryModelLoadRequest",
    "inference.CudaSharedMemoryRegisterRequest",
    "grpc.reflection.v1.ServerReflectionRequest",
    "grpc.reflection.v1.ServerReflectionResponse",
    "grpc.health.v1.HealthListResponse",
)


@st.composite
def messages(draw: st.DrawFn, name: str) -> GoogleMessage:
    """A message of Google's class with some of its fields set."""
    message = GOOGLE[name]()
    _fill(draw, message)
    return message


def _fill(draw: st.DrawFn, message: Any) -> None:
    fields = list(message.DESCRIPTOR.fields)
    for field in draw(st.permutations(fields))[: draw(st.integers(0, 4))]:
        value = getattr(message, field.name)
        if _is_map(field):
            entry = field.message_type.fields_by_name
            for key in draw(st.lists(SCALARS[entry["key"].type], max_size=2, unique=True)):
                if entry["value"].message_type is not None:
                    _fill(draw, value[key])
                else:
                    value[key] = draw(SCALARS[entry["value"].type])
        elif field.message_type is not None and field.is_repeated:
            for _ in range(draw(st.integers(0, 2))):
                _fill(draw, value.add())
        elif field.message_type is not None:
            value.SetInParent()
            _fill(draw, value)
        elif field.is_repeated:
            value.extend(draw(st.lists(SCALARS[field.type], max_size=4)))
        else:
            setattr(message, field.name, draw(SCALARS[field.type]))


@pytest.mark.parametrize("name", MESSAGES)
@few
@given(data=st.data())
def test_random_messages(name: str, data: st.DataObject) -> None:
    """What Google writes we read alike, and write back in as many bytes."""
    theirs = data.draw(messages(name))
    encoded = theirs.SerializeToString()
    assert check(name, encoded)
    assert len(bytes(OURS[name].parse(encoded))) == len(encoded)


# --- random bytes -----------------------------------------------------------------------------------------------

NUMBERS: Final = st.sampled_from([1, 2, 3, 7, 15, 16, 2047, 2048, 19000, (1 << 29) - 1])
VARINT_BYTES: Final = st.one_of(
    integers(64, signed=False).map(varint),
    st.integers(0, 300).map(varint),
    st.binary(min_size=1, max_size=11).map(lambda data: bytes(byte | 0x80 for byte in data[:-1]) + data[-1:]),
)
FIXED32_BYTES: Final = st.binary(min_size=4, max_size=4)
FIXED64_BYTES: Final = st.binary(min_size=8, max_size=8)
TEXT_BYTES: Final = st.one_of(st.text(max_size=5).map(str.encode), st.binary(max_size=5))
WIRE_TYPES: Final = {
    FieldDescriptor.TYPE_FLOAT: 5,
    FieldDescriptor.TYPE_DOUBLE: 1,
    FieldDescriptor.TYPE_STRING: 2,
    FieldDescriptor.TYPE_BYTES: 2,
    FieldDescriptor.TYPE_MESSAGE: 2,
}


@st.composite
def records(draw: st.DrawFn, descriptor: Any, depth: int = 0) -> bytes:
    """Bytes that look like fields of a message: known and unknown ones, of the right and the wrong wire type."""
    out = b""
    for _ in range(draw(st.integers(0, 4 if depth < 3 else 1))):
        field = draw(st.sampled_from([None, *(descriptor.fields if descriptor else ())]))
        number = draw(NUMBERS) if field is None else field.number
        kind = draw(st.sampled_from([0, 1, 2, 3, 5]))
        if field is not None and draw(st.integers(0, 7)):
            kind = 2 if field.is_repeated and draw(st.booleans()) else WIRE_TYPES.get(field.type, 0)
        out += varint(number << 3 | kind) + _payload(draw, field, kind, number, depth)
    return out


def _payload(draw: st.DrawFn, field: Any, kind: int, number: int, depth: int) -> bytes:
    if kind == 3:
        return draw(records(None, depth + 1)) + varint(number << 3 | 4)
    if kind != 2:
        return draw({0: VARINT_BYTES, 1: FIXED64_BYTES, 5: FIXED32_BYTES}[kind])
    if field is not None and field.message_type is not None:
        data = draw(records(field.message_type, depth + 1))
    elif field is not None and WIRE_TYPES.get(field.type, 0) != 2:
        element = {0: VARINT_BYTES, 1: FIXED64_BYTES, 5: FIXED32_BYTES}[WIRE_TYPES.get(field.type, 0)]
        data = b"".join(draw(st.lists(element, max_size=4)))
    else:
        data = draw(TEXT_BYTES)
    return varint(len(data)) + data


@many
@given(data=st.data())
def test_random_records(data: st.DataObject) -> None:
    """Both judge any sequence of fields alike, of every message there is."""
    name = data.draw(st.sampled_from(sorted(GOOGLE)))
    encoded = data.draw(records(GOOGLE[name].DESCRIPTOR))
    if not _is_stricter(name, encoded):
        check(name, encoded)


CORPUS: Final = [(name, bytes.fromhex(data)) for name, data in ACCEPTED.values() if data]


@many
@given(
    case=st.sampled_from(CORPUS),
    where=st.integers(0, 1 << 16),
    size=st.integers(0, 3),
    new=st.binary(max_size=3),
)
@example(case=CORPUS[0], where=0, size=0, new=b"")
def test_random_corruption(case: tuple[str, bytes], where: int, size: int, new: bytes) -> None:
    """With some bytes replaced, inserted or removed, both read the same or both refuse."""
    name, data = case
    where %= len(data)
    corrupted = data[:where] + new + data[where + size :]
    if not _is_stricter(name, corrupted):
        check(name, corrupted)


def _is_stricter(name: str, data: bytes) -> bool:
    """Whether we refuse `data` for a reason that not every release of upb has; see the tests of what is stricter."""
    try:
        OURS[name].parse(data)
    except WireError as error:
        reasons = ["has more than 5 bytes", *(f"invalid tag {tag} " for tag in range(8))]
        return any(reason in str(error) for reason in reasons)
    return False

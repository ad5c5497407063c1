"""The general protobuf codec: tables built from a message class, then one loop each way.

betterproto2's own parser accepts truncated values, replaces submessages that it should merge and takes wrong
wire types as data, so messages are read and written here; a test holds this against Google's protobuf on the
same bytes. What is not known is kept: unknown fields of every wire type are written back behind the known ones.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import betterproto2
import numpy as np

from srv_protocol._errors import WireError
from srv_protocol._varint import (
    MAX_SHORT_VARINT_BYTES,
    MAX_TAG,
    UINT64_MASK,
    WireType,
    read_varint,
    read_varints,
    truncated,
    write_varint,
    write_varints,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

MAX_DEPTH: Final = 100
"""Nested messages and groups beyond this depth are refused, as in Google's parsers."""
MANY: Final = 64
"""From so many bytes or values of packed varints on, numpy is faster than a loop."""

# A decoder reads the value at `pos` into the message's attributes and returns the position behind it, or 0 when the
# field is to be kept as an unknown one.
Values = dict[str, Any]
Decoder = Callable[[Values, memoryview, int, int, int], int]
# An encoder appends the wire form of a value to the parts and returns its size.
Part = bytes | memoryview
Encoder = Callable[[Any, list[Part]], int]
Scalar = Callable[[int], Any]
# The same for an array of varints.
Vector = Callable[["NDArray[np.uint64]"], "NDArray[Any]"]


@dataclass(frozen=True, slots=True)
class _Varint:
    """How the 64 bits of a varint become a Python value, and back."""

    read: Scalar
    low: int
    high: int
    read_all: Vector | None = None
    zigzag: bool = False


def _signed(bits: int) -> Scalar:
    sign, mask = 1 << (bits - 1), (1 << bits) - 1
    return lambda value: ((value & mask) ^ sign) - sign


def _zigzag(bits: int) -> Scalar:
    mask = (1 << bits) - 1
    return lambda value: ((value & mask) >> 1) ^ -(value & 1)


def _all_signed(bits: int) -> Vector:
    return lambda values: values.astype(f"u{bits // 8}", copy=False).view(f"i{bits // 8}")


def _all_zigzag(bits: int) -> Vector:
    signed, mask, one = _all_signed(bits), np.uint64((1 << bits) - 1), np.uint64(1)
    return lambda values: signed((values & mask) >> one) ^ -signed(values & one)


_INT32: Final = (-(1 << 31), (1 << 31) - 1)
_INT64: Final = (-(1 << 63), (1 << 63) - 1)
_VARINTS: Final[Mapping[str, _Varint]] = {
    betterproto2.TYPE_BOOL: _Varint(lambda value: value != 0, 0, 1, lambda values: values != 0),
    betterproto2.TYPE_INT32: _Varint(_signed(32), *_INT32, _all_signed(32)),
    betterproto2.TYPE_INT64: _Varint(_signed(64), *_INT64, _all_signed(64)),
    betterproto2.TYPE_UINT32: _Varint(
        lambda value: value & 0xFFFF_FFFF, 0, 0xFFFF_FFFF, lambda values: values.astype(np.uint32)
    ),
    betterproto2.TYPE_UINT64: _Varint(lambda value: value, 0, UINT64_MASK, lambda values: values),
    betterproto2.TYPE_SINT32: _Varint(_zigzag(32), *_INT32, _all_zigzag(32), zigzag=True),
    betterproto2.TYPE_SINT64: _Varint(_zigzag(64), *_INT64, _all_zigzag(64), zigzag=True),
    betterproto2.TYPE_ENUM: _Varint(_signed(32), *_INT32),
}
_FIXED: Final[Mapping[str, str]] = {
    betterproto2.TYPE_FLOAT: "<f4",
    betterproto2.TYPE_DOUBLE: "<f8",
    betterproto2.TYPE_FIXED32: "<u4",
    betterproto2.TYPE_FIXED64: "<u8",
    betterproto2.TYPE_SFIXED32: "<i4",
    betterproto2.TYPE_SFIXED64: "<i8",
}
_STRUCT: Final = {"<f4": "<f", "<f8": "<d", "<u4": "<I", "<u8": "<Q", "<i4": "<i", "<i8": "<q"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What the loops need to know of one message class."""

    defaults: tuple[tuple[str, Callable[[], Any]], ...]
    decoders: Mapping[int, Decoder]
    encoders: tuple[tuple[str, Encoder], ...]
    groups: tuple[tuple[str, ...], ...]


def build_plan(cls: type[betterproto2.Message], views: frozenset[str]) -> Plan:
    """Compile the tables of a message class; fields named in `views` give views of the input instead of copies."""
    # The field table, which has no public name.
    meta: betterproto2.ProtoClassMetadata = cls._betterproto  # type: ignore[arg-type]  # mypy misreads classproperty
    groups: dict[str, tuple[str, ...]] = {}
    for name, field in meta.meta_by_field_name.items():
        if field.group is not None:
            groups[field.group] = (*groups.get(field.group, ()), name)
    decoders: dict[int, Decoder] = {}
    encoders: list[tuple[str, Encoder]] = []
    for name in meta.sorted_field_names:
        field = meta.meta_by_field_name[name]
        target = meta.cls_by_field[name]
        if field.map_meta is not None:
            target = meta.cls_by_field[f"{name}.value"]
        others = tuple(other for other in groups.get(field.group or "", ()) if other != name)
        decoders.update(_decoders(name, field, target, others, view=name in views))
        encoders.append((name, _encoder(f"{cls.__name__}.{name}", field, target)))
    return Plan(tuple(meta.default_gen.items()), decoders, tuple(encoders), tuple(groups.values()))


def decode(cls: type[betterproto2.Message], buffer: memoryview, pos: int, end: int, depth: int = 0) -> Any:
    """Return a new message of `cls` from ``buffer[pos:end]``.

    Raises:
        WireError: the bytes are no valid message; the text names the offset.
    """
    message = cls.__new__(cls)
    values = vars(message)
    for name, factory in _plan(cls).defaults:
        values[name] = factory()
    values["_unknown_fields"] = b""
    merge(message, buffer, pos, end, depth)
    return message


def merge(message: betterproto2.Message, buffer: memoryview, pos: int, end: int, depth: int = 0) -> None:
    """Read ``buffer[pos:end]`` into an existing message, as protobuf merges a submessage that comes twice."""
    if depth > MAX_DEPTH:
        raise WireError(f"protobuf: messages nested deeper than {MAX_DEPTH} at byte {pos}")
    decoders = _plan(type(message)).decoders
    values = vars(message)
    unknown: list[memoryview] = []
    while pos < end:
        start = pos
        tag, pos = _read_tag(buffer, pos, end)
        decoder = decoders.get(tag)
        stop = 0 if decoder is None else decoder(values, buffer, pos, end, depth)
        if not stop:
            stop = _skip(tag, buffer, pos, end, depth)
            unknown.append(buffer[start:stop])
        pos = stop
    if unknown:
        values["_unknown_fields"] += b"".join(unknown)


def encode(message: betterproto2.Message, parts: list[Part]) -> int:
    """Append the wire form of a message to `parts` and return its size in bytes.

    Large bytes values are appended as they are, not copied.

    Raises:
        WireError: a value has the wrong type or does not fit its field.
    """
    message.check_encodable()  # type: ignore[attr-defined]  # a method of our own base class
    plan = _plan(type(message))
    for group in plan.groups:
        present = [name for name in group if getattr(message, name) is not None]
        if len(present) > 1:
            raise WireError(f"{type(message).__name__}: only one of {' and '.join(present)} may be set")
    size = 0
    for name, encoder in plan.encoders:
        value = getattr(message, name)
        if value is not None:
            try:
                size += encoder(value, parts)
            except (AttributeError, TypeError, ValueError) as error:
                raise WireError(f"{type(message).__name__}.{name}: got {type(value).__name__}: {error}") from error
    unknown: bytes = vars(message)["_unknown_fields"]
    if unknown:
        parts.append(unknown)
        size += len(unknown)
    return size


def _plan(cls: Any) -> Plan:
    found: Plan | None = cls.__dict__.get("_wire_plan")
    if found is None:
        found = cls._wire_plan = build_plan(cls, cls._view_fields)
    return found


def _read_tag(buffer: memoryview, pos: int, end: int) -> tuple[int, int]:
    start = pos
    tag, pos = read_varint(buffer, pos, end)
    if tag < 8 or tag > MAX_TAG or tag & 7 > WireType.FIXED32 or pos - start > MAX_SHORT_VARINT_BYTES:
        raise WireError(f"protobuf: invalid tag {tag} at byte {start}")
    return tag, pos


def _read_length(buffer: memoryview, pos: int, end: int) -> tuple[int, int]:
    """Return the start and the end of the length-delimited value at `pos`."""
    length, start = read_varint(buffer, pos, end)
    if start - pos > MAX_SHORT_VARINT_BYTES:
        raise WireError(f"protobuf: the length at byte {pos} has more than {MAX_SHORT_VARINT_BYTES} bytes")
    if length > end - start:
        raise WireError(
            f"protobuf: the value at byte {pos} declares {length} bytes, but the message has only {end - start} left"
        )
    return start, start + length


def _skip(tag: int, buffer: memoryview, pos: int, end: int, depth: int) -> int:
    """Return the position behind the value of an unknown field."""
    kind = tag & 7
    if kind == WireType.VARINT:
        return read_varint(buffer, pos, end)[1]
    if kind == WireType.LENGTH:
        return _read_length(buffer, pos, end)[1]
    if kind in _SIZES:
        return _fixed_end(pos, end, _SIZES[kind])
    if kind == WireType.GROUP_END or depth >= MAX_DEPTH:
        raise WireError(f"protobuf: unmatched or too deep group at byte {pos}")
    closing = tag + 1
    while True:
        inner, pos = _read_tag(buffer, pos, end)
        if inner == closing:
            return pos
        pos = _skip(inner, buffer, pos, end, depth + 1)


_SIZES: Final[Mapping[int, int]] = {WireType.FIXED32: 4, WireType.FIXED64: 8}


def _fixed_end(pos: int, end: int, size: int) -> int:
    if end - pos < size:
        raise truncated(end)
    return pos + size


# --- decoding ---------------------------------------------------------------------------------------------------


def _decoders(
    name: str, field: betterproto2.FieldMetadata, target: Any, others: Sequence[str], *, view: bool
) -> Iterable[tuple[int, Decoder]]:
    """Yield (tag, decoder) for each wire form of a field."""
    tag, kind = field.number << 3, field.proto_type
    if field.map_meta is not None:
        yield tag | WireType.LENGTH, _map_decoder(name, *field.map_meta, target)
    elif kind == betterproto2.TYPE_MESSAGE:
        yield (
            tag | WireType.LENGTH,
            (_repeated_message_decoder(name, target) if field.repeated else _message_decoder(name, target, others)),
        )
    elif kind in {betterproto2.TYPE_STRING, betterproto2.TYPE_BYTES}:
        read = _read_text if kind == betterproto2.TYPE_STRING else _read_view if view else _read_bytes
        yield tag | WireType.LENGTH, _value_decoder(name, read, others, repeated=bool(field.repeated))
    else:
        single = _varint_reader(kind, target) if kind in _VARINTS else _fixed_reader(kind)
        wire = WireType.VARINT if kind in _VARINTS else _FIXED_WIRE[_FIXED[kind]]
        yield tag | wire, _value_decoder(name, single, others, repeated=bool(field.repeated))
        if field.repeated:
            packed = _packed_varints(name, kind, single) if kind in _VARINTS else _packed_fixed(name, _FIXED[kind])
            yield tag | WireType.LENGTH, packed


_FIXED_WIRE: Final = {
    "<f4": WireType.FIXED32,
    "<u4": WireType.FIXED32,
    "<i4": WireType.FIXED32,
    "<f8": WireType.FIXED64,
    "<u8": WireType.FIXED64,
    "<i8": WireType.FIXED64,
}

Reader = Callable[[memoryview, int, int], tuple[Any, int]]


def _value_decoder(name: str, read: Reader, others: Sequence[str], *, repeated: bool) -> Decoder:
    if repeated:

        def append(values: Values, buffer: memoryview, pos: int, end: int, _depth: int) -> int:
            value, pos = read(buffer, pos, end)
            values[name].append(value)
            return pos

        return append

    def assign(values: Values, buffer: memoryview, pos: int, end: int, _depth: int) -> int:
        values[name], pos = read(buffer, pos, end)
        for other in others:
            values[other] = None
        return pos

    return assign


def _read_text(buffer: memoryview, pos: int, end: int) -> tuple[str, int]:
    start, stop = _read_length(buffer, pos, end)
    try:
        return str(buffer[start:stop], "utf-8"), stop
    except UnicodeDecodeError as error:
        raise WireError(f"protobuf: the string at byte {start} is not valid UTF-8: {error.reason}") from None


def _read_bytes(buffer: memoryview, pos: int, end: int) -> tuple[bytes, int]:
    start, stop = _read_length(buffer, pos, end)
    return bytes(buffer[start:stop]), stop


def _read_view(buffer: memoryview, pos: int, end: int) -> tuple[memoryview, int]:
    start, stop = _read_length(buffer, pos, end)
    return buffer[start:stop], stop


def _varint_reader(kind: str, target: Any) -> Reader:
    convert = _VARINTS[kind].read
    if kind == betterproto2.TYPE_ENUM:

        def read_enum(buffer: memoryview, pos: int, end: int) -> tuple[Any, int]:
            value, pos = read_varint(buffer, pos, end)
            return target(convert(value)), pos

        return read_enum

    def read(buffer: memoryview, pos: int, end: int) -> tuple[Any, int]:
        value, pos = read_varint(buffer, pos, end)
        return convert(value), pos

    return read


def _fixed_reader(kind: str) -> Reader:
    unpack = struct.Struct(_STRUCT[_FIXED[kind]])

    def read(buffer: memoryview, pos: int, end: int) -> tuple[Any, int]:
        stop = _fixed_end(pos, end, unpack.size)
        return unpack.unpack_from(buffer, pos)[0], stop

    return read


def _packed_varints(name: str, kind: str, read: Reader) -> Decoder:
    read_all = _VARINTS[kind].read_all

    def decode_packed(values: Values, buffer: memoryview, pos: int, end: int, _depth: int) -> int:
        pos, stop = _read_length(buffer, pos, end)
        found = read_varints(buffer[pos:stop]) if read_all is not None and stop - pos >= MANY else None
        if read_all is not None and found is not None:
            values[name].extend(read_all(found).tolist())
            return stop
        # Also what is malformed, to say where.
        append = values[name].append
        while pos < stop:
            value, pos = read(buffer, pos, stop)
            append(value)
        return stop

    return decode_packed


def _packed_fixed(name: str, dtype: str) -> Decoder:
    size = np.dtype(dtype).itemsize

    def decode_packed(values: Values, buffer: memoryview, pos: int, end: int, _depth: int) -> int:
        start, stop = _read_length(buffer, pos, end)
        if (stop - start) % size:
            raise WireError(f"protobuf: packed values at byte {start}: {stop - start} bytes are no multiple of {size}")
        values[name].extend(np.frombuffer(buffer[start:stop], dtype).tolist())
        return stop

    return decode_packed


def _message_decoder(name: str, target: Any, others: Sequence[str]) -> Decoder:
    def decode_message(values: Values, buffer: memoryview, pos: int, end: int, depth: int) -> int:
        start, stop = _read_length(buffer, pos, end)
        present = values[name]
        if present is None:
            values[name] = decode(target, buffer, start, stop, depth + 1)
        else:
            merge(present, buffer, start, stop, depth + 1)
        for other in others:
            values[other] = None
        return stop

    return decode_message


def _repeated_message_decoder(name: str, target: Any) -> Decoder:
    def decode_message(values: Values, buffer: memoryview, pos: int, end: int, depth: int) -> int:
        start, stop = _read_length(buffer, pos, end)
        values[name].append(decode(target, buffer, start, stop, depth + 1))
        return stop

    return decode_message


def _map_decoder(name: str, key: betterproto2.FieldMetadata, value: betterproto2.FieldMetadata, target: Any) -> Decoder:
    """A map is a repeated message {key = 1, value = 2} in which either may be missing; the last of a key wins.

    An entry with any other field, or with a wrong wire type, becomes an unknown field as a whole.
    """
    wrapped: Any = value.unwrap() if value.unwrap is not None else None
    decoders = dict(_decoders("key", key, str, (), view=False))
    decoders.update(_decoders("value", value, wrapped or target, (), view=False))
    key_default = _DEFAULTS[key.proto_type]
    value_default: Callable[[], Any] = _DEFAULTS.get(value.proto_type) or partial(target, 0)
    if value.proto_type == betterproto2.TYPE_MESSAGE:
        value_default = wrapped or target

    def decode_entry(values: Values, buffer: memoryview, pos: int, end: int, depth: int) -> int:
        pos, stop = _read_length(buffer, pos, end)
        entry: Values = {"key": key_default(), "value": None}
        known = True
        while pos < stop:
            tag, pos = _read_tag(buffer, pos, stop)
            decoder = decoders.get(tag)
            if decoder is None:
                pos = _skip(tag, buffer, pos, stop, depth + 1)
                known = False
            else:
                pos = decoder(entry, buffer, pos, stop, depth + 1)
        if not known:
            return 0
        found = entry["value"]
        if found is None:
            found = value_default()
        values[name][entry["key"]] = found.to_wrapped() if wrapped is not None else found
        return stop

    return decode_entry


_DEFAULTS: Final[Mapping[str, Callable[[], Any]]] = {
    **dict.fromkeys(_VARINTS, int),
    **dict.fromkeys(_FIXED, int),
    betterproto2.TYPE_BOOL: bool,
    betterproto2.TYPE_FLOAT: float,
    betterproto2.TYPE_DOUBLE: float,
    betterproto2.TYPE_STRING: str,
    betterproto2.TYPE_BYTES: bytes,
}


# --- encoding ---------------------------------------------------------------------------------------------------


def _encoder(place: str, field: betterproto2.FieldMetadata, target: Any) -> Encoder:
    """Return the encoder of a field; implicit presence leaves out a default value, explicit presence does not."""
    kind = field.proto_type
    if field.map_meta is not None:
        return _map_encoder(place, field, field.map_meta, target)
    if field.repeated and kind in {**_VARINTS, **_FIXED}:
        return _packed_encoder(place, field)
    single = _single_encoder(place, field, target)
    if field.repeated:

        def encode_all(value: Any, parts: list[Part]) -> int:
            if isinstance(value, (str, bytes)):
                raise WireError(f"{place}: expected a sequence of {kind}, got one {type(value).__name__}")
            return sum([single(item, parts) for item in value])

        return encode_all
    if field.group is not None or field.optional or kind == betterproto2.TYPE_MESSAGE:
        return single

    plain = str if kind == betterproto2.TYPE_STRING else bytes if kind == betterproto2.TYPE_BYTES else (int, float)

    def encode_unless_default(value: Any, parts: list[Part]) -> int:
        # A float's -0.0 equals 0.0 and is still not the default: protobuf compares the bits.
        if isinstance(value, plain) and not value and not (isinstance(value, float) and math.copysign(1, value) < 0):
            return 0
        return single(value, parts)

    return encode_unless_default


def _single_encoder(place: str, field: betterproto2.FieldMetadata, target: Any) -> Encoder:
    kind = field.proto_type
    tag = field.number << 3
    if kind in _VARINTS:
        head = write_varint(tag | WireType.VARINT)
        to_bytes = _varint_bytes(place, kind)
    elif kind in _FIXED:
        head = write_varint(tag | _FIXED_WIRE[_FIXED[kind]])
        to_bytes = _fixed_bytes(place, kind)
    elif kind == betterproto2.TYPE_MESSAGE:
        return _message_encoder(place, write_varint(tag | WireType.LENGTH), field, target)
    else:
        return _bytes_encoder(place, write_varint(tag | WireType.LENGTH), kind)

    def encode_scalar(value: Any, parts: list[Part]) -> int:
        data = head + to_bytes(value)
        parts.append(data)
        return len(data)

    return encode_scalar


def _varint_bytes(place: str, kind: str) -> Callable[[Any], bytes]:
    row = _VARINTS[kind]

    def to_bytes(value: Any) -> bytes:
        number = int(cast("int", value)) if isinstance(value, (int, np.integer, np.bool_)) else None
        if number is None or not row.low <= number <= row.high:
            raise WireError(f"{place}: expected {kind}, got {value!r}")
        if row.zigzag:
            number = number << 1 if number >= 0 else ~(number << 1)
        return write_varint(number & UINT64_MASK)

    return to_bytes


def _fixed_bytes(place: str, kind: str) -> Callable[[Any], bytes]:
    pack = struct.Struct(_STRUCT[_FIXED[kind]]).pack

    def to_bytes(value: Any) -> bytes:
        try:
            return pack(value)
        except (struct.error, OverflowError) as error:
            raise WireError(f"{place}: expected {kind}, got {value!r}: {error}") from None

    return to_bytes


def _bytes_encoder(place: str, head: bytes, kind: str) -> Encoder:
    text = kind == betterproto2.TYPE_STRING

    def encode_value(value: Any, parts: list[Part]) -> int:
        try:
            data = value.encode() if text else _flat(memoryview(value))
        except (AttributeError, TypeError, ValueError) as error:
            raise WireError(f"{place}: expected {kind}, got {type(value).__name__}: {error}") from None
        prefix = head + write_varint(len(data))
        parts.append(prefix)
        parts.append(data)
        return len(prefix) + len(data)

    return encode_value


def _flat(view: memoryview) -> Part:
    """Return the bytes of a view, not a copy."""
    if not _FOREIGN_FORMAT.isdisjoint(view.format):
        raise TypeError(f"memory of format {view.format!r} is not little-endian data")
    # A view with a 0 in its shape cannot be cast.
    return view.cast("B") if view.nbytes else b""


# Big-endian values, Python objects, pointers: cast() would give their memory all the same.
_FOREIGN_FORMAT: Final = frozenset(">!OP")


def _message_encoder(place: str, head: bytes, field: betterproto2.FieldMetadata, target: Any) -> Encoder:
    wrapped: Any = field.unwrap() if field.unwrap is not None else None
    expected: Any = wrapped or target

    def encode_message(value: Any, parts: list[Part]) -> int:
        if wrapped is not None:
            value = wrapped.from_wrapped(value)
        if not isinstance(value, expected):
            raise WireError(f"{place}: expected {expected.__name__}, got {type(value).__name__}")
        inner: list[Part] = []
        size = encode(value, inner)
        prefix = head + write_varint(size)
        parts.append(prefix)
        parts += inner
        return len(prefix) + size

    return encode_message


def _packed_encoder(place: str, field: betterproto2.FieldMetadata) -> Encoder:
    head = write_varint(field.number << 3 | WireType.LENGTH)
    kind = field.proto_type
    to_bytes = _varint_bytes(place, kind) if kind in _VARINTS else _fixed_bytes(place, kind)

    def encode_packed(value: Any, parts: list[Part]) -> int:
        if not len(value):
            return 0
        bits = _bits(value, _VARINTS[kind]) if kind in _VARINTS and len(value) >= MANY else None
        # The loop also says which value is wrong.
        data = b"".join([to_bytes(item) for item in value]) if bits is None else write_varints(bits)
        prefix = head + write_varint(len(data))
        parts += (prefix, data)
        return len(prefix) + len(data)

    if kind not in _FIXED:
        return encode_packed

    def encode_array(value: Any, parts: list[Part]) -> int:
        # An array that already has the field's dtype is its own wire form.
        array = cast("NDArray[Any]", value)
        if isinstance(value, np.ndarray) and array.dtype == _FIXED[kind] and array.size:
            data = np.ascontiguousarray(array).reshape(-1).data.cast("B")
            prefix = head + write_varint(len(data))
            parts += (prefix, data)
            return len(prefix) + len(data)
        return encode_packed(value, parts)

    return encode_array


def _bits(value: Any, row: _Varint) -> NDArray[np.uint64] | None:
    """Return what the varints of integers or booleans hold; ``None`` for other values and those out of range."""
    if type(value) in {list, tuple} and set(map(type, value)) <= {int, bool}:
        try:
            array = np.array(value, np.int64 if row.low < 0 else np.uint64)
        except OverflowError:
            return None
    elif type(value) is np.ndarray and value.ndim == 1 and value.dtype.kind in "biu":
        array = value
    else:
        return None
    if not row.low <= int(array.min()) <= int(array.max()) <= row.high:
        return None
    if row.low == 0:
        return array.astype(np.uint64, copy=False)
    signed = array.astype(np.int64, copy=False)
    return (signed << 1 ^ signed >> 63 if row.zigzag else signed).view(np.uint64)


def _map_encoder(
    place: str,
    field: betterproto2.FieldMetadata,
    entry: tuple[betterproto2.FieldMetadata, betterproto2.FieldMetadata],
    target: Any,
) -> Encoder:
    head = write_varint(field.number << 3 | WireType.LENGTH)
    key = _single_encoder("key", entry[0], str)
    value = _single_encoder("value", entry[1], target)

    def encode_map(mapping: Any, parts: list[Part]) -> int:
        size = 0
        for name, item in mapping.items():
            inner: list[Part] = []
            try:
                inner_size = key(name, inner) + value(item, inner)
            except WireError as error:
                raise WireError(f"{place}[{name!r}]: {error}") from None
            prefix = head + write_varint(inner_size)
            parts.append(prefix)
            parts += inner
            size += len(prefix) + inner_size
        return size

    return encode_map

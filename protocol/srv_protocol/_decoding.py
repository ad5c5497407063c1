"""Bytes -> messages: a table of decoders from each message class, then one loop.

betterproto2's own parser accepts truncated values, replaces submessages that it should merge and takes wrong
wire types as data, so messages are read here; a test holds this against Google's protobuf on the same bytes. What is
not known is kept: unknown fields of every wire type are written back behind the known ones.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import betterproto2
import numpy as np

from srv_protocol._errors import WireError
from srv_protocol._scalars import FIXED, FIXED_WIRES, MANY, STRUCTS, VARINTS
from srv_protocol._varint import MAX_SHORT_VARINT_BYTES, MAX_TAG, WireType, read_varint, read_varints, truncated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from srv_protocol._varint import Bytes

MAX_DEPTH: Final = 100
"""Nested messages and groups beyond this depth are refused, as in Google's parsers."""

# A decoder reads the value at `pos` into the message's attributes and returns the position behind it, or 0 when the
# field is to be kept as an unknown one.
Values = dict[str, Any]
Decoder = Callable[[Values, memoryview, int, int, int], int]
Reader = Callable[[memoryview, int, int], tuple[Any, int]]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the loop needs to know of one message class."""

    defaults: tuple[tuple[str, Callable[[], Any]], ...]
    decoders: Mapping[int, Decoder]


def _build_plan(cls: type[betterproto2.Message], views: frozenset[str]) -> _Plan:
    """Compile the tables of a message class; fields named in `views` give views of the input instead of copies."""
    # The field table, which has no public name.
    meta: betterproto2.ProtoClassMetadata = cls._betterproto  # type: ignore[arg-type]  # mypy misreads classproperty
    decoders: dict[int, Decoder] = {}
    for name, field in meta.meta_by_field_name.items():
        target = meta.cls_by_field[name if field.map_meta is None else f"{name}.value"]
        others = [
            other
            for other, each in meta.meta_by_field_name.items()
            if field.group is not None and each.group == field.group and other != name
        ]
        decoders.update(_decoders(name, field, target, others, view=name in views))
    return _Plan(tuple(meta.default_gen.items()), decoders)


def _plan(cls: Any) -> _Plan:
    found: _Plan | None = cls.__dict__.get("_decoding_plan")
    if found is None:
        found = cls._decoding_plan = _build_plan(cls, cls._view_fields)
    return found


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
    unknown: list[memoryview] = []
    while pos < end:
        pos = read_field(message, buffer, pos, end, depth, unknown)
    if unknown:
        values, more = vars(message), b"".join(unknown)
        held: bytes | bytearray = values["_unknown_fields"]
        if held and depth:
            # In place: a submessage may come thousands of times.
            if isinstance(held, bytes):
                values["_unknown_fields"] = held = bytearray(held)
            held += more
        else:
            values["_unknown_fields"] = held + more


def read_field(
    message: betterproto2.Message, buffer: memoryview, pos: int, end: int, depth: int, unknown: list[memoryview]
) -> int:
    """Read the field at `pos` into a message, or append it to `unknown`; return the position behind it."""
    tag, start = _read_tag(buffer, pos, end)
    decoder = _plan(type(message)).decoders.get(tag)
    stop = 0
    if decoder is not None:
        message.unpack_arrays()  # type: ignore[attr-defined]  # a method of our own base class
        stop = decoder(vars(message), buffer, start, end, depth)
    if not stop:
        stop = _skip(tag, buffer, start, end, depth)
        unknown.append(buffer[pos:stop])
    return stop


def _read_tag(buffer: memoryview, pos: int, end: int) -> tuple[int, int]:
    start = pos
    tag, pos = read_varint(buffer, pos, end)
    if tag < 8 or tag > MAX_TAG or tag & 7 > WireType.FIXED32 or pos - start > MAX_SHORT_VARINT_BYTES:
        raise WireError(f"protobuf: invalid tag {tag} at byte {start}")
    return tag, pos


def read_length(buffer: Bytes, pos: int, end: int) -> tuple[int, int]:
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
        return read_length(buffer, pos, end)[1]
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
        single = _varint_reader(kind, target) if kind in VARINTS else _fixed_reader(kind)
        wire = WireType.VARINT if kind in VARINTS else FIXED_WIRES[FIXED[kind]]
        yield tag | wire, _value_decoder(name, single, others, repeated=bool(field.repeated))
        if field.repeated:
            packed = _packed_varints(name, kind, single) if kind in VARINTS else _packed_fixed(name, FIXED[kind])
            yield tag | WireType.LENGTH, packed


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
    start, stop = read_length(buffer, pos, end)
    try:
        return str(buffer[start:stop], "utf-8"), stop
    except UnicodeDecodeError as error:
        raise WireError(f"protobuf: the string at byte {start} is not valid UTF-8: {error.reason}") from None


def _read_bytes(buffer: memoryview, pos: int, end: int) -> tuple[bytes, int]:
    start, stop = read_length(buffer, pos, end)
    return bytes(buffer[start:stop]), stop


def _read_view(buffer: memoryview, pos: int, end: int) -> tuple[memoryview, int]:
    start, stop = read_length(buffer, pos, end)
    return buffer[start:stop], stop


def _varint_reader(kind: str, target: Any) -> Reader:
    convert = VARINTS[kind].read
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
    unpack = struct.Struct(STRUCTS[FIXED[kind]])

    def read(buffer: memoryview, pos: int, end: int) -> tuple[Any, int]:
        stop = _fixed_end(pos, end, unpack.size)
        return unpack.unpack_from(buffer, pos)[0], stop

    return read


def _packed_varints(name: str, kind: str, read: Reader) -> Decoder:
    read_all = VARINTS[kind].read_all

    def decode_packed(values: Values, buffer: memoryview, pos: int, end: int, _depth: int) -> int:
        pos, stop = read_length(buffer, pos, end)
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
        start, stop = read_length(buffer, pos, end)
        if (stop - start) % size:
            raise WireError(f"protobuf: packed values at byte {start}: {stop - start} bytes are no multiple of {size}")
        values[name].extend(np.frombuffer(buffer[start:stop], dtype).tolist())
        return stop

    return decode_packed


def _message_decoder(name: str, target: Any, others: Sequence[str]) -> Decoder:
    def decode_message(values: Values, buffer: memoryview, pos: int, end: int, depth: int) -> int:
        start, stop = read_length(buffer, pos, end)
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
        start, stop = read_length(buffer, pos, end)
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
        pos, stop = read_length(buffer, pos, end)
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
    **dict.fromkeys(VARINTS, int),
    **dict.fromkeys(FIXED, int),
    betterproto2.TYPE_BOOL: bool,
    betterproto2.TYPE_FLOAT: float,
    betterproto2.TYPE_DOUBLE: float,
    betterproto2.TYPE_STRING: str,
    betterproto2.TYPE_BYTES: bytes,
}

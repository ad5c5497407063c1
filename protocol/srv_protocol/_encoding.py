"""Messages -> bytes: a table of encoders from each message class, then one loop.

A value that does not fit its field is an error that names the field, rather than wrong bytes.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import betterproto2
import numpy as np

from srv_protocol._errors import WireError
from srv_protocol._scalars import FIXED, FIXED_WIRES, MANY, STRUCTS, VARINTS
from srv_protocol._varint import UINT64_MASK, WireType, write_varint, write_varints

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from srv_protocol._scalars import Varint

Part = bytes | memoryview
# An encoder appends the wire form of a value to the parts and returns its size.
Encoder = Callable[[Any, list[Part]], int]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the loop needs to know of one message class."""

    encoders: tuple[tuple[str, Encoder], ...]
    groups: tuple[tuple[str, ...], ...]


def _build_plan(cls: type[betterproto2.Message]) -> _Plan:
    # The field table, which has no public name.
    meta: betterproto2.ProtoClassMetadata = cls._betterproto  # type: ignore[arg-type]  # mypy misreads classproperty
    groups: dict[str, tuple[str, ...]] = {}
    encoders: list[tuple[str, Encoder]] = []
    for name in meta.sorted_field_names:
        field = meta.meta_by_field_name[name]
        if field.group is not None:
            groups[field.group] = (*groups.get(field.group, ()), name)
        target = meta.cls_by_field[name if field.map_meta is None else f"{name}.value"]
        encoders.append((name, _encoder(f"{cls.__name__}.{name}", field, target)))
    return _Plan(tuple(encoders), tuple(groups.values()))


def _plan(cls: Any) -> _Plan:
    found: _Plan | None = cls.__dict__.get("_encoding_plan")
    if found is None:
        found = cls._encoding_plan = _build_plan(cls)
    return found


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
    unknown: bytes | bytearray = vars(message)["_unknown_fields"]
    if unknown:
        parts.append(bytes(unknown))
        size += len(unknown)
    return size


def _encoder(place: str, field: betterproto2.FieldMetadata, target: Any) -> Encoder:
    """Return the encoder of a field; implicit presence leaves out a default value, explicit presence does not."""
    kind = field.proto_type
    if field.map_meta is not None:
        return _map_encoder(place, field, field.map_meta, target)
    if field.repeated and kind in {**VARINTS, **FIXED}:
        return packed_encoder(place, field.number, kind)
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
    if kind in VARINTS:
        head = write_varint(tag | WireType.VARINT)
        to_bytes = _varint_bytes(place, kind)
    elif kind in FIXED:
        head = write_varint(tag | FIXED_WIRES[FIXED[kind]])
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
    row = VARINTS[kind]

    def to_bytes(value: Any) -> bytes:
        number = int(cast("int", value)) if isinstance(value, (int, np.integer, np.bool_)) else None
        if number is None or not row.low <= number <= row.high:
            raise WireError(f"{place}: expected {kind}, got {value!r}")
        if row.zigzag:
            number = number << 1 if number >= 0 else ~(number << 1)
        return write_varint(number & UINT64_MASK)

    return to_bytes


def _fixed_bytes(place: str, kind: str) -> Callable[[Any], bytes]:
    pack = struct.Struct(STRUCTS[FIXED[kind]]).pack

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
            data = value.encode() if text else flat(memoryview(value))
        except (AttributeError, TypeError, ValueError) as error:
            raise WireError(f"{place}: expected {kind}, got {type(value).__name__}: {error}") from None
        prefix = head + write_varint(len(data))
        parts.append(prefix)
        parts.append(data)
        return len(prefix) + len(data)

    return encode_value


def flat(view: memoryview) -> Part:
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


# Varints of one byte are smaller (protobuf's "Encoding", Base 128 Varints).
_ONE_BYTE: Final = 128
_INTS: Final = {int}


def _fit_bytes(value: Any) -> bool:
    return value.__class__ is list and set(map(type, value)) == _INTS and 0 <= min(value) <= max(value) < _ONE_BYTE


def packed_encoder(place: str, number: int, kind: str) -> Encoder:
    """Return the encoder of a repeated field of numbers, which `place` names in errors."""
    head = write_varint(number << 3 | WireType.LENGTH)
    to_bytes = _varint_bytes(place, kind) if kind in VARINTS else _fixed_bytes(place, kind)
    bytewise = kind in VARINTS and not VARINTS[kind].zigzag and VARINTS[kind].high >= _ONE_BYTE

    def encode_packed(value: Any, parts: list[Part]) -> int:
        if not len(value):
            return 0
        if bytewise and _fit_bytes(value):
            # Most shapes. Each varint is its own number.
            data = bytes(value)
        else:
            bits = _bits(value, VARINTS[kind]) if kind in VARINTS and len(value) >= MANY else None
            # The loop also says which value is wrong.
            data = b"".join([to_bytes(item) for item in value]) if bits is None else write_varints(bits)
        prefix = head + write_varint(len(data))
        parts += (prefix, data)
        return len(prefix) + len(data)

    if kind not in FIXED:
        return encode_packed

    def encode_array(value: Any, parts: list[Part]) -> int:
        # An array that already has the field's dtype is its own wire form.
        array = cast("NDArray[Any]", value)
        if isinstance(value, np.ndarray) and array.dtype == FIXED[kind] and array.size:
            data = np.ascontiguousarray(array).reshape(-1).data.cast("B")
            prefix = head + write_varint(len(data))
            parts += (prefix, data)
            return len(prefix) + len(data)
        return encode_packed(value, parts)

    return encode_array


def _bits(value: Any, row: Varint) -> NDArray[np.uint64] | None:
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

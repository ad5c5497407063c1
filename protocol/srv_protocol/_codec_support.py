"""What the generated codecs call, beside the functions of the general path."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from srv_protocol._codec import Codec, NotPlain
from srv_protocol._decoding import merge, read_field, read_length
from srv_protocol._encoding import flat, packed_encoder
from srv_protocol._scalars import FIXED, MANY, VARINTS
from srv_protocol._varint import read_varint, read_varints, write_varint

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from srv_protocol._codec import Decode, Encode
    from srv_protocol._message import Message
    from srv_protocol._varint import Bytes

__all__ = [
    "HEADS",
    "NotPlain",
    "flat",
    "install",
    "merge",
    "packed_encoder",
    "plain_list",
    "read_array",
    "read_double",
    "read_field",
    "read_length",
    "read_list",
    "read_more",
    "read_varint",
    "set_item",
    "write_double",
    "write_varint",
]

HEADS: Final = {tag: tuple(bytes((tag, size)) for size in range(128)) for tag in range(10, 128, 8)}
"""Tag and length of a length-delimited value, by both, where each is one byte."""

_DOUBLE: Final = struct.Struct("<d")
read_double: Final = _DOUBLE.unpack_from
write_double: Final = _DOUBLE.pack

_DTYPES: Final = {
    "bool": np.dtype(np.bool_),
    "int32": np.dtype("<i4"),
    "int64": np.dtype("<i8"),
    "uint32": np.dtype("<u4"),
    "uint64": np.dtype("<u8"),
    **{kind: np.dtype(name) for kind, name in FIXED.items()},
}

set_item: Final[Callable[[Any, str, Any], None]] = cast("Any", dict).__setitem__


def install(cls: type[Message], decode: Decode, encode: Encode) -> None:
    """Give a message class its codec."""
    cls._codec = Codec(decode, encode)  # pyright: ignore[reportPrivateUsage]  # of the class's own generator


def plain_list(values: Any) -> list[Any]:
    """Return a list as it is; leave any other iterable to the general path."""
    if type(values) is not list and not (type(values) is tuple and not values):
        raise NotPlain
    return cast("list[Any]", values)


def read_array(data: Bytes, pos: int, end: int, kind: str) -> NDArray[Any]:
    """Return packed values: a read-only view of `data` where they have a fixed width, else a new array."""
    dtype, size = _DTYPES[kind], end - pos
    if kind in FIXED:
        if size % dtype.itemsize:
            raise NotPlain
        return np.frombuffer(data, dtype, size // dtype.itemsize, pos)
    row = VARINTS[kind]
    if size < MANY:
        values: list[Any] = []
        while pos < end:
            value, pos = read_varint(data, pos, end)
            values.append(row.read(value))
        array = np.array(values, dtype)
    else:
        found = read_varints(memoryview(data)[pos:end])
        if found is None or row.read_all is None:
            raise NotPlain
        array = row.read_all(found)
    array.flags.writeable = False
    return array


def read_list(data: Bytes, pos: int, end: int, kind: str) -> list[Any]:
    """Return packed varints; few are usual."""
    if kind != "bool":
        chunk = bytes(data[pos:end])
        if chunk.isascii():
            return list(chunk)
    values: list[Any] = read_array(data, pos, end, kind).tolist()
    return values


def read_more(message: Message, name: str, view: memoryview, pos: int, end: int, kind: str) -> None:
    """Extend what a message has in a field that comes twice."""
    values: list[Any] = getattr(message, name)
    values += read_array(view, pos, end, kind).tolist()

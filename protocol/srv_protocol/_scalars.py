"""How the scalar types of protobuf stand on the wire: the tables that decoding and encoding share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import betterproto2
import numpy as np

from srv_protocol._varint import UINT64_MASK, WireType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MANY: Final = 64
"""From so many bytes or values of packed varints on, numpy is faster than a loop."""

Scalar = Callable[[int], Any]
# The same for an array of varints, which it copies where they are bytes.
Vector = Callable[["NDArray[np.uint64] | NDArray[np.uint8]"], "NDArray[Any]"]


@dataclass(frozen=True, slots=True)
class Varint:
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
VARINTS: Final[Mapping[str, Varint]] = {
    betterproto2.TYPE_BOOL: Varint(lambda value: value != 0, 0, 1, lambda values: values != 0),
    betterproto2.TYPE_INT32: Varint(_signed(32), *_INT32, _all_signed(32)),
    betterproto2.TYPE_INT64: Varint(_signed(64), *_INT64, _all_signed(64)),
    betterproto2.TYPE_UINT32: Varint(
        lambda value: value & 0xFFFF_FFFF, 0, 0xFFFF_FFFF, lambda values: values.astype(np.uint32)
    ),
    betterproto2.TYPE_UINT64: Varint(
        lambda value: value, 0, UINT64_MASK, lambda values: values.astype(np.uint64, copy=False)
    ),
    betterproto2.TYPE_SINT32: Varint(_zigzag(32), *_INT32, _all_zigzag(32), zigzag=True),
    betterproto2.TYPE_SINT64: Varint(_zigzag(64), *_INT64, _all_zigzag(64), zigzag=True),
    betterproto2.TYPE_ENUM: Varint(_signed(32), *_INT32),
}
FIXED: Final[Mapping[str, str]] = {
    betterproto2.TYPE_FLOAT: "<f4",
    betterproto2.TYPE_DOUBLE: "<f8",
    betterproto2.TYPE_FIXED32: "<u4",
    betterproto2.TYPE_FIXED64: "<u8",
    betterproto2.TYPE_SFIXED32: "<i4",
    betterproto2.TYPE_SFIXED64: "<i8",
}
STRUCTS: Final = {"<f4": "<f", "<f8": "<d", "<u4": "<I", "<u8": "<Q", "<i4": "<i", "<i8": "<q"}
FIXED_WIRES: Final = {
    "<f4": WireType.FIXED32,
    "<u4": WireType.FIXED32,
    "<i4": WireType.FIXED32,
    "<f8": WireType.FIXED64,
    "<u8": WireType.FIXED64,
    "<i8": WireType.FIXED64,
}

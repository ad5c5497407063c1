"""Elements of BYTES tensors as bytes and as text.

All elements at once where they have one type, as they mostly do; one by one where one of them is to be named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srv_codecs._place import Place


def all_as_bytes(items: Sequence[object], place: Place) -> list[bytes]:
    """Return the elements of a BYTES tensor as a new list of bytes; text becomes UTF-8; fail at `place`."""
    kind = common_type(items)
    if kind is bytes:
        return list(cast("Sequence[bytes]", items))
    if kind is str:
        try:
            return list(map(str.encode, cast("Sequence[str]", items)))
        except UnicodeEncodeError:
            pass  # Which one it is, is found below.
    return [as_bytes(item, index, place) for index, item in enumerate(items)]


def all_as_text(items: Sequence[object], place: Place) -> list[str]:
    """Return the elements of a BYTES tensor as a new list of text; fail at `place` when bytes are not UTF-8."""
    kind = common_type(items)
    if kind is str:
        return list(cast("Sequence[str]", items))
    if kind is bytes:
        try:
            return list(map(bytes.decode, cast("Sequence[bytes]", items)))
        except UnicodeDecodeError:
            pass  # Which one it is, is found below.
    return [as_text(item, index, place) for index, item in enumerate(items)]


def common_type(items: Sequence[object]) -> type | None:
    """Return the type that all elements have; ``None`` when they have several, or there are none."""
    kinds = list(map(type, items))
    # Counting compares identities, and takes half as long as a set.
    return kinds[0] if kinds and kinds.count(kinds[0]) == len(kinds) else None


def as_bytes(item: object, index: int, place: Place) -> bytes:
    """Return an element of a BYTES tensor as bytes; text becomes UTF-8."""
    if isinstance(item, bytes):
        return item
    if isinstance(item, str):
        try:
            return item.encode()
        except UnicodeEncodeError as error:
            raise place.fail(f"data[{index}]", f"text that UTF-8 cannot encode: {error.reason}") from None
    if isinstance(item, (bytearray, memoryview)):
        return bytes(item)  # pyright: ignore[reportUnknownArgumentType]  # memoryview[Unknown] from isinstance
    raise place.fail(f"data[{index}]", f"expected bytes or text, got {type(item).__name__}")


def as_text(item: object, index: int, place: Place) -> str:
    """Return an element of a BYTES tensor as text; fail at `place` when its bytes are not UTF-8."""
    if isinstance(item, str):
        return item
    data = as_bytes(item, index, place)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise place.fail(
            f"data[{index}]", f"expected UTF-8 text, got {data[:32]!r} ({error.reason} at byte {error.start})"
        ) from None

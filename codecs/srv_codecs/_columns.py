"""The tensors of a request as the columns of one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srv_codecs._place import Place
    from srv_codecs._side import Side
    from srv_protocol.inference import Tensor


def check_column(tensor: Tensor, place: Place) -> int:
    """Return the number of rows of a tensor that is one column, ``[N]`` or ``[N, 1]``; fail at `place`."""
    match tensor.shape:
        case [rows] | [rows, 1]:
            return rows
        case shape:
            raise place.fail("", f"expected one column, of shape [N] or [N, 1], got shape {list(shape)}")


def check_decoded(count: int, tensor: Tensor, place: Place) -> None:
    """Fail at `place` unless the tensor's own content type has made a column of as many elements as it has rows."""
    if count != tensor.shape[0]:
        raise place.fail("", f"expected {tensor.shape[0]} elements from its codec, got {count}")


def check_table(tensors: Sequence[Tensor], side: Side) -> None:
    """Fail unless tensors are columns of one length that differ in name.

    Raises:
        SrvError: that of `side`, naming the first column that does not fit.
    """
    seen: set[str] = set()
    for tensor in tensors:
        place = side.place(tensor.name)
        rows = check_column(tensor, place)
        first = tensors[0]
        if rows != first.shape[0]:
            raise place.fail("", f"expected {first.shape[0]} rows as in '{first.name}', got {rows}")
        check_unique(tensor.name, seen, place)


def check_unique(name: str, seen: set[str], place: Place) -> None:
    """Add a column's name to those seen; fail at `place` when it is among them."""
    if name in seen:
        raise place.fail("", "expected columns of different names, got a second one of this name")
    seen.add(name)

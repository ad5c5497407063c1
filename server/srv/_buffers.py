"""Memory that bytes are received into and written from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable


def new_buffer(size: int) -> memoryview:
    """Return memory for `size` bytes, whatever is in it.

    Raises:
        MemoryError: there is not so much.
    """
    # Not a bytearray: that would write zeros over memory, and so take all of it, before anything has come.
    return np.empty(size, np.uint8).data


def join_small(parts: Iterable[bytes | memoryview], limit: int) -> list[bytes | memoryview]:
    """Return the same bytes in fewer pieces: parts below `limit` bytes are joined with their like beside them."""
    pieces: list[bytes | memoryview] = []
    small: list[bytes | memoryview] = []
    for part in parts:
        if len(part) < limit:
            small.append(part)
            continue
        if small:
            pieces.append(b"".join(small))
            small = []
        pieces.append(part)
    if small:
        pieces.append(b"".join(small))
    return pieces

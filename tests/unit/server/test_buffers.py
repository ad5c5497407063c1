"""Buffers: the same bytes in fewer pieces, and large ones from where they lie."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from srv._buffers import join_small, new_buffer


@given(st.lists(st.integers(0, 20)), st.integers(0, 20))
def test_small_parts_are_joined(sizes: list[int], limit: int) -> None:
    """Never two beside each other; no other part is touched."""
    parts = [memoryview(bytes([index % 256]) * size) for index, size in enumerate(sizes)]
    pieces = join_small(parts, limit)
    assert b"".join(pieces) == b"".join(parts)
    large = [part for part in parts if len(part) >= limit]
    assert [piece for piece in pieces if isinstance(piece, memoryview)] == large
    joined = [isinstance(piece, bytes) for piece in pieces]
    assert (True, True) not in set(pairwise(joined))


def test_a_new_buffer_can_be_written_to() -> None:
    buffer = new_buffer(3)
    buffer[:] = b"abc"
    assert bytes(buffer) == b"abc"

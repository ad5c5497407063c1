"""Header blocks that are known already: calls of one client differ in their messages, seldom in their headers.

What a block says depends on the dynamic table alone (RFC 7541, section 2.2), so as long as that does not change, equal
blocks are equal headers, and the other way round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

from hpack import Decoder, Encoder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hpack import HeaderTuple
    from hpack.table import HeaderTable

# Blocks that are remembered, and bytes of the longest. One connection has few, unless it has all kinds.
_MOST: Final = 32
_LONGEST: Final = 1024
_K = TypeVar("_K")
_V = TypeVar("_V")


class _Known(Generic[_K, _V]):
    """What was found, until a table changes.

    A table changes when a block adds an entry, or when its size does, which may drop some. Either way it is another
    newest entry, another number of entries, or another size; an entry is compared by identity, and kept.
    """

    def __init__(self, table: HeaderTable) -> None:
        self._table = table
        self._state = self._look()
        self.found: dict[_K, _V] = {}

    def _look(self) -> tuple[int, int, object]:
        entries = self._table.dynamic_entries
        return self._table.maxsize, len(entries), entries[0] if entries else None

    def unchanged(self) -> bool:
        """Whether the table is what it was; otherwise nothing is known any more."""
        size, number, newest = self._look()
        was_size, was_number, was_newest = self._state
        if newest is was_newest and number == was_number and size == was_size:
            return True
        self._state = size, number, newest
        self.found.clear()
        return False

    def note(self, key: _K, value: _V) -> None:
        """Remember what was found just now, if finding it left the table as it was."""
        if self.unchanged():
            if len(self.found) == _MOST:
                self.found.clear()
            self.found[key] = value


class KnownEncoder(Encoder):
    """Encodes equal headers once; they are plain pairs, none of which is sensitive."""

    def __init__(self) -> None:
        super().__init__()
        self._known: _Known[tuple[object, ...], bytes] = _Known(self.header_table)

    def encode(self, headers: Iterable[tuple[bytes, bytes]], huffman: bool = True) -> bytes:  # type: ignore[override]  # noqa: FBT001, FBT002  # hpack's signature, for what h2 sends
        """Return the block of `headers`."""
        pairs = tuple(headers)
        if self.header_table.resized:  # which is said at the start of the next block, and of no other
            return super().encode(pairs, huffman)
        key = (huffman, pairs)
        if self._known.unchanged() and (block := self._known.found.get(key)) is not None:
            return block
        block = super().encode(pairs, huffman)
        if len(block) <= _LONGEST:
            self._known.note(key, block)
        return block


class KnownDecoder(Decoder):
    """Decodes equal blocks once."""

    def __init__(self, max_header_list_size: int) -> None:
        super().__init__(max_header_list_size)
        self._known: _Known[tuple[bytes, bool], list[HeaderTuple]] = _Known(self.header_table)

    def decode(self, data: bytes, raw: bool = False) -> list[HeaderTuple]:  # noqa: FBT001, FBT002  # hpack's signature
        """Return the headers of a block.

        Raises:
            HPACKError: as hpack's own.
        """
        key = (data, raw)
        known = self._known
        if known.unchanged() and (headers := known.found.get(key)) is not None:
            return headers.copy()
        decoded = list(super().decode(data, raw))
        if len(data) <= _LONGEST:
            known.note(key, decoded.copy())
        return decoded

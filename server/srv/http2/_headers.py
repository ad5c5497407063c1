"""Header lists: what HTTP/2 allows in them, and blocks that are coded once.

Calls of one client differ in their messages, seldom in their headers. What a block says depends on the dynamic table
alone (RFC 7541, section 2.2): as long as that does not change, equal blocks are equal headers, and the other way round.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeAlias, TypeVar

from hpack import Decoder, Encoder, OversizedHeaderListError
from hpack.exceptions import HPACKError

from srv.http2._errors import ConnectionFault, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpack.table import HeaderTable

Headers: TypeAlias = tuple[tuple[str, str], ...]
"""Names and values, the characters of which are the bytes on the wire."""


class HeaderList(NamedTuple):
    """What a block holds.

    Attributes:
        problem: why no message begins with it, ``None`` if one could.
        length: of the body that it claims, ``None`` without a claim.
    """

    headers: Headers
    problem: str | None
    length: int | None


# Blocks that are remembered, and bytes of the longest. One connection has few, unless it has all kinds.
_MOST: Final = 32
_LONGEST: Final = 1024
_REQUIRED: Final = frozenset({":method", ":scheme", ":path"})
_PSEUDO: Final = _REQUIRED | {":authority"}
# RFC 9113, section 8.2.2.
_OF_CONNECTIONS: Final = frozenset({"connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"})
# Section 8.2.1, and a name that is not empty.
_NAME: Final = re.compile(r":?[!-9;-@[-~]+")
_VALUE: Final = re.compile(r"(?![ \t])[^\0\r\n]*(?<![ \t])")
_STATUS: Final = re.compile(r"[1-5][0-9]{2}")
_K = TypeVar("_K")
_V = TypeVar("_V")


def find_problem(headers: Headers, *, trailers: bool = False) -> str | None:
    """Return why a header list is malformed (RFC 9113, sections 8.2 and 8.3), ``None`` when it is not."""
    pseudo: set[str] = set()
    regular = trailers
    for name, value in headers:
        if not _NAME.fullmatch(name):
            return f"{name[:64]!r} is not a field name"
        if not _VALUE.fullmatch(value):
            return f"{name[:64]!r} has a value that is not a field value"
        if name[0] == ":":
            if regular or name not in _PSEUDO or name in pseudo:
                return f"{name[:64]!r} is repeated, out of place, or not known"
            # A CONNECT has neither path nor scheme (section 8.5), and no use here.
            if (not value and name in _REQUIRED) or (name == ":method" and value == "CONNECT"):
                return f"{name!r} is {value!r}"
            pseudo.add(name)
            continue
        regular = True
        if name in _OF_CONNECTIONS or (name == "te" and value != "trailers"):
            return f"{name!r} is about a connection"
    if not trailers and not pseudo >= _REQUIRED:
        return f"expected {', '.join(sorted(_REQUIRED))}, got {', '.join(sorted(pseudo)) or 'none of them'}"
    return None


def find_response_problem(headers: Headers) -> str | None:
    """Return why a header list is none that begins a response (RFC 9113, sections 8.2 and 8.3.2)."""
    if not headers or headers[0][0] != ":status" or not _STATUS.fullmatch(headers[0][1]):
        return "expected ':status' first, with three digits"
    return find_problem(headers[1:], trailers=True)


def _find_length(headers: Headers) -> int | None:
    """Return the length of the body that a request claims, ``None`` without a claim.

    Raises:
        ValueError: there are two, or it is none.
    """
    claims = {value for name, value in headers if name == "content-length"}
    if not claims:
        return None
    (claim,) = claims
    if not (claim.isascii() and claim.isdigit()):
        raise ValueError(claim)
    return int(claim)


def _read(headers: Headers, find: Callable[[Headers], str | None]) -> HeaderList:
    problem, length = find(headers), None
    try:
        length = _find_length(headers)
    except ValueError:
        problem = problem or "content-length is not one length"
    return HeaderList(headers, problem, length)


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


class HeaderEncoder:
    """Encodes header lists; equal ones once."""

    def __init__(self) -> None:
        self._encoder = Encoder()
        self._smallest = self._last = self._encoder.header_table_size
        self._known: _Known[Headers, bytes] = _Known(self._encoder.header_table)

    def limit_table(self, size: int) -> None:
        """Use no more than `size` bytes of the peer's table."""
        self._smallest = min(self._smallest, size)
        self._last = size

    def _resize(self) -> None:
        # The smallest of the sizes since the last block, as the peer has dropped what does not fit into it, and the
        # last one, and no other (RFC 7541, section 4.2). hpack forgets a change that it is told of twice.
        for size in (self._smallest, self._last):
            if size != self._encoder.header_table_size:
                self._encoder.header_table_size = size
        self._smallest = self._last

    def encode(self, headers: Headers) -> bytes:
        """Return the block of `headers`, in which no character is beyond Latin-1."""
        known = self._known
        if self._smallest != self._last or self._last != self._encoder.header_table_size:
            self._resize()
        # A change of the table's size is said at the start of the next block, and of no other.
        changed = self._encoder.header_table.resized
        if not changed and known.unchanged() and (block := known.found.get(headers)) is not None:
            return block
        block = self._encoder.encode([(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers])
        if not changed and len(block) <= _LONGEST:
            known.note(headers, block)
        return block


class HeaderDecoder:
    """Decodes blocks; equal ones once. `find` says what is wrong with the list that a message begins with."""

    def __init__(self, max_list_size: int, find: Callable[[Headers], str | None] = find_problem) -> None:
        self._decoder = Decoder(max_list_size)
        self._find = find
        self._known: _Known[bytes, HeaderList] = _Known(self._decoder.header_table)

    def decode(self, block: bytes) -> HeaderList:
        """Return what a block holds; of equal blocks the same object.

        Raises:
            ConnectionFault: it is no block, or its list is too large: no later block can be understood either.
        """
        known = self._known
        if known.unchanged() and (found := known.found.get(block)) is not None:
            return found
        try:
            decoded = self._decoder.decode(block, raw=True)
        except OversizedHeaderListError:
            raise ConnectionFault(
                ErrorCode.ENHANCE_YOUR_CALM, "a header list is larger than this server takes"
            ) from None
        except HPACKError:
            # Its text is not for peers: it may have addresses of memory.
            raise ConnectionFault(ErrorCode.COMPRESSION_ERROR, "a header block cannot be read") from None
        found = _read(tuple((str(name, "latin-1"), str(value, "latin-1")) for name, value in decoded), self._find)
        if len(block) <= _LONGEST:
            known.note(block, found)
        return found

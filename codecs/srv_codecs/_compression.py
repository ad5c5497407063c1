"""Content encodings of HTTP bodies: gzip and deflate.

``deflate`` is the zlib format (RFC 9110, section 8.4.1.2). As Triton does, a body is taken for what its first bytes
say, gzip or zlib, whichever of the two names it came under.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from srv_protocol.errors import InvalidInput, RequestTooLarge, UnsupportedEncoding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

IDENTITY: Final = "identity"
# zlib's window bits: 15 bits, and 16 more for the gzip format.
_WINDOW_BITS: Final[Mapping[str, int]] = {"gzip": 31, "deflate": 15}
ENCODINGS: Final = tuple(_WINDOW_BITS)
"""The encodings of this server, besides identity."""
_DETECT: Final = 47
_PIECE: Final = 1 << 20
# A response is compressed while a client waits: level 1 is five times as fast as 6 on tensors, and little larger.
_LEVEL: Final = 1


def decompress(body: memoryview, encoding: str, limit: int) -> memoryview:
    """Return a decoded body of at most `limit` bytes; with identity the body itself, else a new buffer.

    Raises:
        UnsupportedEncoding: an encoding other than gzip, deflate and identity.
        InvalidInput: the body is not in that encoding, ends early, or has something behind it.
        RequestTooLarge: it would have more than `limit` bytes; what is allocated never passes that by much.
    """
    name = encoding.strip().lower()
    if name in {"", IDENTITY}:
        return body
    if name not in _WINDOW_BITS:
        raise UnsupportedEncoding(f"Unsupported compression type: {encoding!r}; there are {', '.join(ENCODINGS)}")
    out = bytearray()
    rest: memoryview | bytes = body
    while True:
        # A gzip body may have several members, one behind the other (RFC 1952, section 2.2).
        rest = _inflate_member(rest, name, out, limit)
        if not rest:
            return memoryview(out).toreadonly()
        if not rest.startswith(b"\x1f\x8b"):
            raise InvalidInput(f"the request body has {len(rest)} bytes behind its {name} data")


def _inflate_member(data: memoryview | bytes, name: str, out: bytearray, limit: int) -> bytes:
    """Append what the member at the start of `data` holds, and return what is behind it."""
    inflater = zlib.decompressobj(_DETECT)
    pending: memoryview | bytes = data
    try:
        while not inflater.eof:
            room = min(_PIECE, limit - len(out) + 1)
            piece = inflater.decompress(pending, room)
            out += piece
            if len(out) > limit:
                raise RequestTooLarge(f"the request has more than {limit} bytes after decompression (max_request_size)")
            pending = inflater.unconsumed_tail
            if not pending and not piece and not inflater.eof:
                raise InvalidInput(f"the request body ends inside its {name} data")
    except zlib.error as error:
        raise InvalidInput(f"the request body is no {name} data: {error}") from None
    return inflater.unused_data


def choose_encoding(accept: str | None) -> str:
    """Return the encoding of a response for an ``Accept-Encoding`` header: the one with the highest weight.

    Only encodings that the header names count, so that ``*`` and missing headers give identity; of equal weights the
    first named one is taken (RFC 9110, section 12.5.3; Triton). A malformed weight makes its encoding not count.
    """
    best, best_weight = IDENTITY, 0.0
    for item in (accept or "").split(","):
        name, _, parameters = item.partition(";")
        name = name.strip().lower()
        weight = _weight(parameters)
        if name in {*ENCODINGS, IDENTITY} and weight > best_weight:
            best, best_weight = name, weight
    return best


def _weight(parameters: str) -> float:
    key, _, value = parameters.partition("=")
    if not key.strip():
        return 1.0
    try:
        weight = float(value) if key.strip().lower() == "q" else 0.0
    except ValueError:
        return 0.0
    return weight if 0.0 <= weight <= 1.0 else 0.0


def compress(parts: Iterable[bytes | memoryview], encoding: str) -> tuple[bytes | memoryview, ...]:
    """Return a body's parts in an encoding: as they are for identity, else new bytes."""
    if encoding == IDENTITY:
        return tuple(parts)
    deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW_BITS[encoding])
    return (b"".join([*(deflater.compress(part) for part in parts), deflater.flush()]),)

"""Which way a message takes from and to bytes: generated functions in the plain case, else the general ones.

Generated functions know what clients send. Whatever else they meet they leave to ``_decoding`` and ``_encoding``: a
single field, or with an exception, the whole message, from its start. So those alone say what is malformed, and where.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from srv_protocol._decoding import decode
from srv_protocol._encoding import encode

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from srv_protocol._encoding import Part

# Class, the bytes (themselves, which are cheaper to look at, or the view), a read-only view of them, start, end, depth.
Decode = Callable[[Any, "bytes | memoryview", memoryview, int, int, int], Any]
Encode = Callable[[Any, "list[Part]"], int]


class NotPlain(Exception):  # nothing is wrong yet
    """A message is not in the form that a generated function knows."""


@dataclass(frozen=True, slots=True)
class Codec:
    """The generated functions of a message class, which its subclasses have too."""

    decode: Decode
    encode: Encode


def decode_message(cls: Any, data: Buffer) -> Any:
    """Return a new message of `cls` from all of `data`.

    Raises:
        WireError: the bytes are no valid message; the text names the offset.
    """
    view = memoryview(data)
    if not view.readonly or view.ndim != 1 or view.format != "B" or not view.contiguous:
        view = view.cast("B").toreadonly()
    codec: Codec | None = cls._codec
    if codec is not None:
        try:
            return codec.decode(cls, data if type(data) is bytes else view, view, 0, len(view), 0)
        except (NotPlain, IndexError, UnicodeDecodeError):
            # Mostly malformed: the general path says where.
            pass
    return decode(cls, view, 0, len(view))


def encode_message(message: Any) -> list[Part]:
    """Return the wire form of a message in pieces; large bytes values are views of the message's own, not copies.

    Raises:
        WireError: a value does not fit its field.
    """
    parts: list[Part] = []
    codec: Codec | None = message._codec  # noqa: SLF001  # set by the generator, for here
    if codec is not None:
        try:
            codec.encode(message, parts)
        except (NotPlain, AttributeError, TypeError, ValueError):
            # Mostly wrong: the general path says where.
            parts.clear()
        else:
            return parts
    encode(message, parts)
    return parts

"""grpclib's codec hook: our messages, without a copy that can be saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from grpclib.encoding.base import CodecBase

from srv_protocol.message import Message

if TYPE_CHECKING:
    from srv_protocol.message import Part

_M = TypeVar("_M", bound=Message)


class _Parts:
    """A message in pieces, which are joined once: when grpclib puts its prefix of five bytes in front.

    A join here and a concatenation there would hold a large response twice.
    """

    def __init__(self, parts: list[Part]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts)

    def __radd__(self, prefix: bytes) -> bytes:
        return b"".join((prefix, *self._parts))


class MessageCodec(CodecBase):
    """Encodes and decodes :class:`srv_protocol` messages.

    Attributes:
        max_size: bytes of the largest message that is decoded.
    """

    def __init__(self, max_size: int) -> None:
        self.max_size = max_size

    @property
    def __content_subtype__(self) -> str:
        return "proto"

    def encode(self, message: Message, message_type: type[Message]) -> bytes:
        """Return the wire form, as grpclib's ``send_message`` takes it.

        Raises:
            WireError: a value does not fit its field.
            TypeError: a handler sends another type than its method declares.
        """
        if not isinstance(message, message_type):
            error = f"expected {message_type.__name__}, got {type(message).__name__}"
            raise TypeError(error)
        return _Parts(message.wire_parts())  # type: ignore[return-value]  # all that grpclib does is len() and `bytes + it`

    def decode(self, data: bytes | memoryview, message_type: type[_M]) -> _M:
        """Return the message; raw tensor contents are views of `data`.

        Raises:
            WireError: `data` is malformed.
        """
        return message_type.parse(data)

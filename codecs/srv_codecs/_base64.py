"""Content type ``base64``: bytes as text that JSON can carry."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from srv_codecs._byte_strings import as_bytes
from srv_codecs._list_codec import ListCodec

if TYPE_CHECKING:
    from srv_codecs._place import Place


class Base64Codec(ListCodec[bytes]):
    """A BYTES tensor whose elements are base64 (RFC 4648, section 4) as a list of the bytes that they stand for."""

    ContentType = "base64"
    TypeHint = list[bytes]
    element_types = (bytes,)

    @classmethod
    def write(cls, element: bytes, index: int, place: Place) -> bytes:  # noqa: ARG003  # every bytes has a base64 form
        """Return bytes as base64."""
        return base64.b64encode(element)

    @classmethod
    def read(cls, item: object, index: int, place: Place) -> bytes:
        """Return the bytes that base64 stands for."""
        data = as_bytes(item, index, place)
        try:
            return base64.b64decode(data, validate=True)
        except binascii.Error as error:
            raise place.fail(f"data[{index}]", f"expected base64, got {data[:32]!r} ({error})") from None

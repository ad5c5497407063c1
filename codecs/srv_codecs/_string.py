"""Content type ``str``: BYTES tensors as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srv_codecs._byte_strings import all_as_text, as_bytes, as_text
from srv_codecs._list_codec import ListCodec
from srv_codecs._table_codec import SingleTensorCodec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srv_codecs._place import Place


class StringCodec(ListCodec[str]):
    """A BYTES tensor as a list of text, which is UTF-8 on the wire."""

    ContentType = "str"
    TypeHint = list[str]
    element_types = (str,)

    @classmethod
    def write(cls, element: str, index: int, place: Place) -> bytes:
        """Return text as UTF-8."""
        return as_bytes(element, index, place)

    @classmethod
    def write_all(cls, elements: Sequence[str], place: Place) -> list[bytes]:
        """Return text as UTF-8, all at once if that can be; see :meth:`ListCodec.write_all`."""
        try:
            return list(map(str.encode, elements))
        except (TypeError, UnicodeEncodeError):
            # One by one they tell which it is.
            return super().write_all(elements, place)

    @classmethod
    def read_all(cls, items: Sequence[object], place: Place) -> list[str]:
        """Return UTF-8 as text."""
        return all_as_text(items, place)

    @classmethod
    def read(cls, item: object, index: int, place: Place) -> str:
        """Return UTF-8 as text."""
        return as_text(item, index, place)


class StringRequestCodec(SingleTensorCodec[list[str]]):
    """A request of one tensor as a list of text; see :class:`StringCodec`."""

    ContentType = "str"
    TypeHint = list[str]

    @classmethod
    def tensor_codec(cls) -> type[StringCodec]:
        """Return the codec of the one tensor."""
        return StringCodec

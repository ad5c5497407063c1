"""Content type ``datetime``: points in time as ISO 8601 text."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from srv_codecs._byte_strings import as_text
from srv_codecs._iso_text import parse_iso
from srv_codecs._list_codec import ListCodec

if TYPE_CHECKING:
    from srv_codecs._place import Place


class DatetimeCodec(ListCodec[str | datetime]):
    """A BYTES tensor of ISO 8601 texts as a list of ``datetime``; text that is ISO 8601 can be encoded as well.

    A point in time keeps its UTC offset, and has none where the text has none. Of fractions of a second, which clients
    in other languages send to the nanosecond, microseconds are kept.
    """

    ContentType = "datetime"
    TypeHint = list[str | datetime]
    element_types = (datetime, str)

    @classmethod
    def can_encode(cls, payload: object) -> bool:
        """Whether `payload` is a list of ``datetime``; one of text is that of another codec."""
        return isinstance(payload, list) and all(isinstance(item, datetime) for item in payload)  # pyright: ignore[reportUnknownVariableType]  # list[Unknown] from isinstance

    @classmethod
    def write(cls, element: str | datetime, index: int, place: Place) -> bytes:
        """Return a point in time as ISO 8601."""
        if isinstance(element, datetime):
            # pandas' NaT is a datetime to Python, and like NaN not equal to itself.
            if element != element:  # noqa: PLR0124
                raise place.fail(f"data[{index}]", "expected a point in time, got NaT")
            return element.isoformat().encode()
        cls.read(element, index, place)
        return element.encode()

    @classmethod
    def read(cls, item: object, index: int, place: Place) -> datetime:
        """Return the point in time that ISO 8601 text stands for."""
        text = as_text(item, index, place)
        try:
            return parse_iso(text)
        except ValueError:
            raise place.fail(f"data[{index}]", f"expected an ISO 8601 date and time, got {text[:64]!r}") from None

"""Content type ``pd_json``: elements of any kind as JSON texts; MLServer's, for the columns of a DataFrame."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import numpy as np

from srv_codecs._byte_strings import as_text
from srv_codecs._list_codec import ListCodec
from srv_protocol.json_text import JsonError, read_json

if TYPE_CHECKING:
    from srv_codecs._place import Place


class JsonCellsCodec(ListCodec[object]):
    """A BYTES tensor whose elements are JSON texts as a list of the values: lists, mappings, or whatever they are."""

    ContentType = "pd_json"
    element_types = (object,)

    @classmethod
    def can_encode(cls, payload: object) -> bool:  # noqa: ARG003  # the interface's
        """Never: it would take any list."""
        return False

    @classmethod
    def write(cls, element: object, index: int, place: Place) -> bytes:
        """Return a value as JSON; numpy's are taken for what they hold."""
        try:
            return json.dumps(element, default=_from_numpy, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise place.fail(f"data[{index}]", f"expected a value that JSON can carry ({error})") from None

    @classmethod
    def read(cls, item: object, index: int, place: Place) -> object:
        """Return the value that JSON text stands for."""
        text = as_text(item, index, place)
        try:
            return read_json(text)
        except JsonError as error:
            raise place.fail(f"data[{index}]", f"expected JSON text, got {text[:64]!r} ({error})") from None

    @classmethod
    def _checked(cls, payload: object, place: Place) -> list[object] | tuple[object, ...]:
        if isinstance(payload, (list, tuple)):
            return payload  # pyright: ignore[reportUnknownVariableType]  # of any objects
        raise place.fail("", f"expected a list, got {type(payload).__name__}")


def _from_numpy(value: object) -> object:
    if isinstance(value, (np.ndarray, np.generic)):
        return cast("object", value.tolist())
    raise TypeError(f"got {type(value).__name__}")

"""The data of a tensor that came as the text of a JSON array of numbers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from srv_protocol.datatypes import JsonForm
from srv_protocol.inference import TensorData

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

_NESTING: Final = re.compile(rb"(?:[ \t\r\n]*\[)*")
_PARSERS: Final = {JsonForm.NUMBER: float, JsonForm.INTEGER: int}


class TextData(TensorData):
    """An array with the text that it is of; the Python values are parsed when somebody asks for them."""

    __slots__ = ("_form", "_text")

    def __init__(self, array: NDArray[np.generic], text: memoryview | bytes, form: JsonForm) -> None:
        super().__init__(array)
        self._text = text
        self._form = form

    def __reduce__(self) -> tuple[type[TextData], tuple[object, bytes, JsonForm]]:
        return type(self), (self.array, bytes(self._text), self._form)

    @property
    def text(self) -> tuple[memoryview | bytes, JsonForm]:
        """The text, and the form that its elements have."""
        return self._text, self._form

    @property
    def is_nested(self) -> bool:
        """Whether `values` are lists; they need not be parsed to know."""
        return depth_of(self._text) > 1

    @property
    def values(self) -> Sequence[object] | None:
        """The Python values as they came, new when first asked for."""
        if self._values is None:
            self._values = _decode(self._text, self._form)
        return self._values


def _decode(text: memoryview | bytes, form: JsonForm) -> Sequence[object]:
    """Return the values of an array of numbers, which is known to be one: those of a float tensor are floats all."""
    try:
        from srv_codecs._json import values_decoder  # msgspec, which a model's environment need not have
    except ImportError:
        found: Sequence[Any] = json.loads(bytes(text), parse_int=_PARSERS[form])
        return found
    return values_decoder(form, depth_of(text), False).decode(text)  # noqa: FBT003  # a cache key


def depth_of(text: memoryview | bytes) -> int:
    """Return how many brackets an array begins with."""
    found = _NESTING.match(text)
    return 0 if found is None else found.group().count(b"[")

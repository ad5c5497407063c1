"""Large arrays of numbers in V2 JSON -> numpy arrays in one pass, without a Python object for each.

The arrays are cut out of the text before the rest of it is parsed, and read by simdjson. Whatever is not plainly right
is left to the general way, which also has all the error texts; so does everything where pysimdjson is not installed.
"""

from __future__ import annotations

import math
import re
import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from srv_codecs._arrays import SAFE
from srv_codecs._json import depth_of, values_decoder
from srv_codecs._shape import MAX_DEPTH, MAX_DIMENSIONS
from srv_protocol.datatypes import DATATYPES, Datatype, JsonForm
from srv_protocol.inference import TensorData

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from srv_protocol.datatypes import DatatypeSpec

# Any: its types do not say that a buffer is one.
Parser: Any
try:
    from simdjson import Parser
except ImportError:  # it has no wheels for the newest Pythons
    Parser = None

MIN_TEXT: Final = 1 << 10
"""Bytes of the smallest text in which looking for arrays pays."""
# A shorter one is left where it is.
_MIN_ARRAY: Final = 1 << 8
# Clients choose how many arrays there are.
_MOST_ARRAYS: Final = 256
# A parser keeps the memory of its largest text.
_LARGEST_KEPT: Final = 1 << 22
_KEY: Final = b'"data"'
_ARRAY: Final = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*(?=\[)")
_CLOSING: Final = re.compile(rb"[\] \t\r\n]*$")
_LONGEST_END: Final = 256
_SPACE: Final = b" \t\r\n"
# No client can guess it, so it stands for nothing but what has been cut out.
_TOKEN: Final = secrets.token_hex(16).encode()
_CLOSE, _COMMA = b"],"
_threads: Final = threading.local()


@dataclass(frozen=True, slots=True)
class CutText:
    """JSON whose large arrays have been cut out.

    Attributes:
        text: what is left; a string stands for each array.
        arrays: the texts of the arrays, views, by the JSON of the string that stands for each.
    """

    text: bytes
    arrays: dict[bytes, memoryview]


def cut_arrays(body: memoryview) -> CutText | None:
    """Cut the large arrays under ``"data"`` out of a text; return ``None`` where there are none, or too many.

    What is cut may still be no array of numbers, or not belong to a tensor: that is for the caller to find out.
    """
    if Parser is None:
        return None
    # A memoryview cannot be searched. Of large texts no more than this one copy is made: fresh memory costs more than
    # reading it.
    text = body.obj if type(body.obj) is bytes and len(body.obj) == len(body) else bytes(body)
    pieces: list[bytes] = []
    arrays: dict[bytes, memoryview] = {}
    done = pos = 0
    while (key := text.find(_KEY, pos)) >= 0:
        pos = key + len(_KEY)
        found = _ARRAY.match(text, pos)
        if found is None:
            continue
        start = pos = found.end()
        # An array of numbers has no quote and no brace in it; the end of the search for one bounds that for the other.
        quote = text.find(b'"', start)
        end = text.find(b"}", start, quote if quote >= 0 else len(text))
        end = quote if end < 0 else end
        if end - start < _MIN_ARRAY:
            continue
        end = _skip_space_back(text, end)
        if text[end - 1] == _COMMA:
            end = _skip_space_back(text, end - 1)
        if len(arrays) == _MOST_ARRAYS or text[end - 1] != _CLOSE:
            return None
        mark = b'"%s%d"' % (_TOKEN, len(arrays))
        pieces += (text[done:start], mark)
        arrays[mark] = body[start:end]
        done = pos = end
    if not arrays:
        return None
    return CutText(b"".join((*pieces, text[done:])), arrays)


def _skip_space_back(text: bytes, end: int) -> int:
    while text[end - 1] in _SPACE:
        end -= 1
    return end


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
    def values(self) -> Sequence[object] | None:
        """The Python values as they came, new when first asked for."""
        if self._values is None:
            decoder = values_decoder(self._form, depth_of(self._text), False)  # noqa: FBT003  # a cache key
            self._values = decoder.decode(self._text)
        return self._values


def read_numbers(text: memoryview, datatype: str, shape: Sequence[int]) -> TextData | None:
    """Return the tensor that an array's text holds, flat or nested to `shape`: a new array, rounded to nearest.

    ``None`` for whatever is not plainly right: for the general way to say.
    """
    spec = DATATYPES.get(datatype)
    kind = None if spec is None else _KINDS.get((spec.json, spec.name is Datatype.UINT64))
    if spec is None or kind is None or len(shape) > MAX_DIMENSIONS or any(size <= 0 for size in shape):
        return None
    flat = _parse(text, kind)
    if flat is None or flat.size != math.prod(shape) or not _has_shape(text, shape):
        return None
    array = _FITTING[spec.json](flat, text, spec)
    return None if array is None else TextData(array.reshape(shape), text, spec.json)


_KINDS: Final = {
    (JsonForm.NUMBER, False): "d",
    (JsonForm.INTEGER, False): "i",
    (JsonForm.INTEGER, True): "u",
}
"""simdjson's name of what is parsed, for a form and whether it is UINT64; others are not parsed here."""
_DTYPES: Final = {"d": np.float64, "i": np.int64, "u": np.uint64}


def _parse(text: memoryview, kind: str) -> NDArray[Any] | None:
    """Return all numbers of an array that may be nested; ``None`` if there is anything else."""
    parser: Any = getattr(_threads, "parser", None)
    if parser is None:
        parser = _threads.parser = Parser()
    if len(text) > _LARGEST_KEPT:
        del _threads.parser
    try:
        numbers: Any = parser.parse(text).as_buffer(of_type=kind)
    except (ValueError, TypeError, RuntimeError):
        return None
    return np.frombuffer(numbers, _DTYPES[kind])


def _has_shape(text: memoryview, shape: Sequence[int]) -> bool:
    """Whether an array is flat, in as many brackets as one likes, or nested to exactly `shape`.

    Other dimensions of size 1 that are left out or added are the general way's.
    """
    characters = np.frombuffer(text, np.uint8)
    opening = np.count_nonzero(characters == ord("["))
    if opening == 1:
        return True
    if opening <= MAX_DEPTH and opening == depth_of(text) == _closing_of(text):
        # One list in the other: all dimensions but one are 1.
        return len([size for size in shape if size != 1]) <= 1
    structural = (characters == ord(",")) | (characters == ord("[")) | (characters == ord("]"))
    length = 0
    for size in reversed(shape):
        length = size * (length + 1) + 1
    # First, as a shape of many dimensions would make a text far longer than the one that came.
    if np.count_nonzero(structural) != length:
        return False
    expected = b""
    for size in reversed(shape):
        expected = b"[" + b",".join([expected] * size) + b"]"
    return bool(characters[structural].tobytes() == expected)


def _closing_of(text: memoryview) -> int:
    """Return how many brackets an array ends with, of those that its last characters hold."""
    found = _CLOSING.search(bytes(text[-_LONGEST_END:]))
    return 0 if found is None else found.group().count(b"]")


def _fit_floats(flat: NDArray[Any], text: memoryview, spec: DatatypeSpec) -> NDArray[np.generic] | None:
    if np.count_nonzero(flat) != flat.size and _has_negative_zero(text):
        return None
    if spec.name is Datatype.FP64:
        return flat
    if not (flat.min() >= -SAFE[spec.name] and flat.max() <= SAFE[spec.name]):
        return None
    narrow: NDArray[np.generic] = flat.astype(spec.dtype)
    return narrow


def _has_negative_zero(text: memoryview) -> bool:
    """Whether ``-0`` is written as an integer, of which simdjson forgets the sign."""
    characters = np.frombuffer(text, np.uint8)
    signs = np.flatnonzero(characters == ord("-"))
    # An array ends with a bracket, so there is a character behind the zero.
    behind = characters[signs[characters[signs + 1] == ord("0")] + 2]
    return not bool(np.isin(behind, np.frombuffer(b".eE", np.uint8)).all())


def _fit_integers(flat: NDArray[Any], _: memoryview, spec: DatatypeSpec) -> NDArray[np.generic] | None:
    if flat.dtype == spec.dtype:
        return flat
    limits = np.iinfo(spec.dtype.type)  # type: ignore[type-var]  # an integer dtype, by its form
    if not (limits.min <= flat.min() and flat.max() <= limits.max):
        return None
    narrow: NDArray[np.generic] = flat.astype(spec.dtype)
    return narrow


_FITTING: Final[dict[JsonForm, Callable[[NDArray[Any], memoryview, DatatypeSpec], NDArray[np.generic] | None]]] = {
    JsonForm.NUMBER: _fit_floats,
    JsonForm.INTEGER: _fit_integers,
}

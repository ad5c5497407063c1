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
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from srv_codecs._arrays import SAFE
from srv_codecs._json import depth_of, values_decoder
from srv_codecs._shape import MAX_DEPTH, MAX_DIMENSIONS
from srv_protocol.datatypes import DATATYPES, Datatype, JsonForm
from srv_protocol.inference import TensorData

if TYPE_CHECKING:
    from collections.abc import Sequence

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
# Lists of anything but numbers are the general way's.
_ARRAY: Final = re.compile(rb"[ \t\r\n]*+:[ \t\r\n]*+(\[(?:[ \t\r\n]*+\[)*+)(?=[ \t\r\n]*+[-0-9])")
_CLOSING: Final = re.compile(rb"(?:[ \t\r\n]*+\])*+")
_SPACE: Final = b" \t\r\n"
# No client can guess it, so it stands for nothing but what has been cut out.
_TOKEN: Final = secrets.token_hex(16).encode()
_OPEN, _CLOSE, _COMMA = b"[],"
# What is made of so much text stays in the processor's cache.
_BLOCK: Final = 1 << 17
_threads: Final = threading.local()


class ArrayText(NamedTuple):
    """An array that has been cut out of JSON.

    Attributes:
        text: a view.
        depth: how many brackets it begins with.
        is_list: whether these hold one list, and all other brackets close them.
    """

    text: memoryview
    depth: int
    is_list: bool


@dataclass(frozen=True, slots=True)
class CutText:
    """JSON whose large arrays have been cut out.

    Attributes:
        text: what is left; a string stands for each array.
        arrays: by the JSON of the string that stands for each.
    """

    text: bytes
    arrays: dict[bytes, ArrayText]


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
    arrays: dict[bytes, ArrayText] = {}
    done = pos = close = 0
    while (key := text.find(_KEY, pos)) >= 0:
        pos = key + len(_KEY)
        found = _ARRAY.match(text, pos)
        if found is None:
            # The next quote is found sooner than the next key.
            pos = text.find(b'"', pos)
            if pos < 0:
                break
            continue
        start, pos = found.span(1)
        if close < start:
            # Kept, as many arrays may be open before a bracket closes.
            close = text.find(b"]", start)
            if close < 0:
                return None
        depth = text.count(b"[", start, pos)
        end = _end_of_list(text, pos, close, depth)
        is_list = end is not None
        if end is None:
            end = _end_of_nested(text, start)
        if end - start < _MIN_ARRAY:
            continue
        if len(arrays) == _MOST_ARRAYS or text[end - 1] != _CLOSE:
            return None
        mark = b'"%s%d"' % (_TOKEN, len(arrays))
        pieces += (text[done:start], mark)
        arrays[mark] = ArrayText(body[start:end], depth, is_list)
        done = pos = end
    if not arrays:
        return None
    return CutText(b"".join((*pieces, text[done:])), arrays)


def _end_of_list(text: bytes, start: int, close: int, depth: int) -> int | None:
    """Return where the brackets end that hold one list, whose elements begin at `start`; `close` is the first to close.

    ``None`` if there are other brackets. Quotes may be between: no parser of numbers takes what is cut then.
    """
    if text.find(b"[", start, close) >= 0:
        return None
    if depth == 1:
        return close + 1
    found = _CLOSING.match(text, close)
    assert found is not None  # noqa: S101  # it matches no bracket, too
    return found.end() if found.group().count(b"]") == depth else None


def _end_of_nested(text: bytes, start: int) -> int:
    # An array of numbers has no quote and no brace in it; the end of the search for one bounds that for the other.
    quote = text.find(b'"', start)
    end = text.find(b"}", start, quote if quote >= 0 else len(text))
    end = _skip_space_back(text, quote if end < 0 else end)
    return _skip_space_back(text, end - 1) if text[end - 1] == _COMMA else end


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
    def is_nested(self) -> bool:
        """Whether `values` are lists; they need not be parsed to know."""
        return depth_of(self._text) > 1

    @property
    def values(self) -> Sequence[object] | None:
        """The Python values as they came, new when first asked for."""
        if self._values is None:
            decoder = values_decoder(self._form, depth_of(self._text), False)  # noqa: FBT003  # a cache key
            self._values = decoder.decode(self._text)
        return self._values


def read_numbers(cut: ArrayText, datatype: str, shape: Sequence[int]) -> TextData | None:
    """Return the tensor that an array's text holds, flat or nested to `shape`: a new array, rounded to nearest.

    ``None`` for whatever is not plainly right: for the general way to say.
    """
    spec = DATATYPES.get(datatype)
    kind = None if spec is None else _KINDS.get((spec.json, spec.name is Datatype.UINT64))
    if spec is None or kind is None or len(shape) > MAX_DIMENSIONS or any(size <= 0 for size in shape):
        return None
    flat = _parse(cut.text, kind)
    if flat is None or flat.size != math.prod(shape) or not _has_shape(cut, shape):
        return None
    array = _fit(flat, spec)
    return None if array is None else TextData(array.reshape(shape), cut.text, spec.json)


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


def _has_shape(cut: ArrayText, shape: Sequence[int]) -> bool:
    """Whether an array is flat, in as many brackets as one likes, or nested to exactly `shape`.

    Other dimensions of size 1 that are left out or added are the general way's.
    """
    if cut.is_list:
        # One list in the other: all dimensions but one are 1.
        return cut.depth == 1 or (cut.depth <= MAX_DEPTH and sum(size != 1 for size in shape) <= 1)
    structure = _structure_of(cut.text)
    length = 0
    for size in reversed(shape):
        length = size * (length + 1) + 1
    # First, as a shape of many dimensions would make a text far longer than the one that came.
    if len(structure) != length:
        return False
    expected = b""
    for size in reversed(shape):
        expected = b"[" + (expected + b",") * (size - 1) + expected + b"]"
    return structure == expected


def _structure_of(text: memoryview) -> bytes:
    """Return the brackets and commas of an array of numbers."""
    characters = np.frombuffer(text, np.uint8)
    pieces: list[bytes] = []
    for start in range(0, len(characters), _BLOCK):
        block = characters[start : start + _BLOCK]
        structural = (block == _COMMA) | (block == _OPEN) | (block == _CLOSE)
        # Quicker than by the mask itself.
        pieces.append(block[structural.nonzero()[0]].tobytes())
    return b"".join(pieces)


def _fit(flat: NDArray[Any], spec: DatatypeSpec) -> NDArray[np.generic] | None:
    """Return the numbers in the datatype's own size, `flat` itself if it has that; ``None`` if one is out of range."""
    if flat.dtype == spec.dtype:
        return flat
    if spec.json is JsonForm.NUMBER:
        least, most = -SAFE[spec.name], SAFE[spec.name]
    else:
        limits = np.iinfo(spec.dtype.type)  # type: ignore[type-var]  # an integer dtype, by its form
        least, most = limits.min, limits.max
    if not (least <= flat.min() and flat.max() <= most):
        return None
    narrow: NDArray[np.generic] = flat.astype(spec.dtype)
    return narrow

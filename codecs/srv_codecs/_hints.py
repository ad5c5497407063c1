"""Type hints -> how a value is taken from a request and how it becomes outputs, resolved once.

What a hint means is decided in this order:

    Annotated[X, ...]        X; an Output among the annotations names the output
    X | None, Optional[X]    X; the input may be missing, the output left out
    ModelInferRequest        the whole request (as an argument), the whole response (as a result: ModelInferResponse)
    Parameters, Headers      the request's parameters and headers (arguments only)
    NDArray[np.float32]      like np.ndarray, of this datatype alone; NDArray[np.floating] of any such datatype;
                             np.ndarray[tuple[int, Literal[4]], np.dtype[np.float32]] of this rank and size
    np.float32, np.integer   a tensor of one element, as a scalar of numpy's
    the ``TypeHint`` of an input codec      one tensor, in order of registration:
        np.ndarray               NumpyCodec
        list[str]                StringCodec
        list[bytes]              Base64Codec: the tensor's elements are base64, as MLServer has it
        list[str | datetime]     DatetimeCodec, also written list[datetime]
        pa.Array                 ArrowCodec
    the ``TypeHint`` of a request codec     every input that no other argument takes, or several outputs:
        pd.DataFrame             PandasCodec
        pa.RecordBatch           ArrowBatchCodec
        pa.Table                 ArrowTableCodec
    list[int | float | bool]    one tensor of such numbers, as Python's own
    int, float, bool, str, bytes, datetime      a tensor of one element
    pd.Series                one tensor
    dict[str, X]             every input that no other argument takes, or several outputs, by name

``List`` and ``Union`` of :mod:`typing` mean the same as ``list`` and ``|``.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args, get_origin

import numpy as np

from srv_codecs._array_hints import array_datatypes, array_sizes, element_datatypes, is_element
from srv_codecs._element_codecs import (
    BinaryCodec,
    BooleanCodec,
    FloatCodec,
    IntegerCodec,
    NumpyElementCodec,
    TextCodec,
    TimeCodec,
)
from srv_codecs._numbers import BooleansCodec, FloatsCodec, IntegersCodec
from srv_codecs._numpy import NumpyCodec
from srv_codecs._registry import input_codecs, load_offered_codecs, request_codecs
from srv_codecs._tensor_codec import TensorCodec
from srv_codecs._type_hints import canonical, expand, show, take_apart
from srv_codecs._value_hints import PARTS, DictHint, TableHint, TensorHint
from srv_protocol.errors import CodecNotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srv_codecs._registry import AnyCodec, AnyInputCodec
    from srv_codecs._value_hints import ValueHint

_T = TypeVar("_T")

_SAME: Final[dict[object, object]] = {list[datetime]: list[str | datetime]}
"""Hints that mean the same as the ``TypeHint`` of a codec."""

# Any: they are of every Python type.
TENSORS: Final[dict[object, type[TensorCodec[Any]]]] = {
    list[int]: IntegersCodec,
    list[float]: FloatsCodec,
    list[bool]: BooleansCodec,
    int: IntegerCodec,
    float: FloatCodec,
    bool: BooleanCodec,
    str: TextCodec,
    bytes: BinaryCodec,
    datetime: TimeCodec,
}
"""Hints of one tensor that no content type has."""


@dataclass(frozen=True, slots=True)
class _LazyHint:
    """A hint of one tensor whose codec is imported when somebody has the hint."""

    text: str
    module: str
    codec: str


_LAZY: Final = (_LazyHint("pandas.Series", "srv_codecs._series", "SeriesCodec"),)

_EXAMPLES: Final = (
    # Hints that have arguments of their own.
    "NDArray[numpy.float32]",
    "numpy.float32",
    "dict[str, numpy.ndarray]",
    "list[datetime.datetime]",
    # Those of packages that may not be imported yet.
    "pandas.DataFrame",
    "pyarrow.Array",
    "pyarrow.RecordBatch",
    "pyarrow.Table",
)


def find_hint(hint: object, where: str) -> ValueHint:
    """Return what a hint, without ``None`` around it, means for a value that is made of tensors.

    Raises:
        CodecNotFound: no codec has the hint; the text starts with `where`.
    """
    # NDArray itself is such an alias where numpy's release and Python's allow it.
    array = expand(hint)
    if get_origin(array) is np.ndarray:
        return TensorHint(show(hint), NumpyCodec, array_datatypes(array, where), array_sizes(array, where))
    if is_element(array):
        return TensorHint(show(hint), NumpyElementCodec, element_datatypes(array, hint, where))
    found = search_codecs(hint) or _search_tables(hint, where)
    if found is None:
        raise CodecNotFound(f"{where}: no codec for the type hint {show(hint)}; there are {', '.join(known_hints())}")
    return found


def search_codecs(hint: object) -> TensorHint | TableHint | None:
    """Return what the first codec whose ``TypeHint`` it is makes of a hint, ``None`` when it is no codec's."""
    plain = canonical(hint)
    wanted = _look_up(_SAME, plain) or plain
    for input_codec in input_codecs:
        if _has_hint(input_codec, wanted):
            return _tensor_hint(hint, input_codec)
    for request_codec in request_codecs:
        if _has_hint(request_codec, wanted):
            return TableHint(show(hint), request_codec)
    # Those that packages offer are imported for a hint that is no other's.
    return search_codecs(hint) if load_offered_codecs() else None


def known_hints() -> list[str]:
    """Return every hint that there is, as people write them, sorted."""
    codecs = [codec.TypeHint for codec in (*input_codecs, *request_codecs) if codec.TypeHint is not None]
    texts = {*map(show, (*codecs, *TENSORS)), *(part.text for part in PARTS.values()), *(lazy.text for lazy in _LAZY)}
    return sorted(texts.union(_EXAMPLES))


def _search_tables(hint: object, where: str) -> TensorHint | DictHint | None:
    plain = canonical(hint)
    codec = _look_up(TENSORS, plain)
    if codec is not None:
        return _tensor_hint(hint, codec)
    for lazy in _LAZY:
        # The class exists, so its package is imported already.
        if isinstance(plain, type) and show(plain) == lazy.text:
            return _tensor_hint(hint, getattr(importlib.import_module(lazy.module), lazy.codec))
    return _dict_hint(hint, where) if get_origin(plain) is dict else None


def _dict_hint(hint: object, where: str) -> DictHint:
    key, value = get_args(expand(hint))
    if key is not str:
        raise CodecNotFound(f"{where}: expected names that are text, as in dict[str, …], got {show(hint)}")
    parts = take_apart(value)
    found = find_hint(parts.core, where)
    if not isinstance(found, TensorHint):
        raise CodecNotFound(f"{where}: expected a hint of one tensor in dict[str, …], got {show(hint)}")
    if parts.output is not None:
        raise CodecNotFound(f"{where}: Output('{parts.output}') names one output, but {show(hint)} may give several")
    return DictHint(show(hint), found, parts.optional)


def _tensor_hint(hint: object, codec: AnyInputCodec) -> TensorHint:
    return TensorHint(show(hint), codec, codec.takes.datatypes if issubclass(codec, TensorCodec) else None)


def _has_hint(codec: AnyCodec, wanted: object) -> bool:
    return codec.TypeHint is not None and canonical(codec.TypeHint) == wanted


def _look_up(table: Mapping[object, _T], hint: object) -> _T | None:
    """Return what a table has for a hint, which may be anything that people write, ``None`` when it has nothing."""
    try:
        return table.get(hint)
    except TypeError:  # a list, say
        return None

"""Hypothesis strategies for tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from srv_protocol.datatypes import DATATYPES, Datatype

SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
"""Shapes of at most 256 elements: scalar, without elements, and any other."""

NOT_IN_JSON = ("FP16", "BF16")
"""The datatypes that have neither a JSON form nor typed contents."""

IN_JSON = tuple(name for name in DATATYPES if name not in NOT_IN_JSON)

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8).map(str.encode)


@st.composite
def arrays(draw: st.DrawFn, datatype: str, *, json: bool = False) -> Any:
    """Return an array of a datatype, in any shape.

    Every value that the datatype has; with `json`, every value that JSON could carry: no NaN and no infinity, and
    bytes that are UTF-8.
    """
    shape = draw(SHAPES)
    spec = DATATYPES[datatype]
    if datatype == Datatype.BYTES:
        count = int(np.prod(shape))
        array = np.empty(count, object)
        array[:] = draw(st.lists(_TEXT if json else st.binary(max_size=8), min_size=count, max_size=count))
        return array.reshape(shape)
    if datatype == Datatype.BF16:
        bits = st.integers(0, 0xFFFF)
        # An exponent of ones is that of NaN and infinity.
        finite = bits.filter(lambda each: each & 0x7F80 != 0x7F80)
        return draw(hnp.arrays(np.uint16, shape, elements=finite if json else bits)).view(spec.dtype)
    elements = {"allow_nan": not json, "allow_infinity": not json} if spec.dtype.kind == "f" else None
    return draw(hnp.arrays(spec.dtype, shape, elements=elements))


@st.composite
def tensors(draw: st.DrawFn, datatypes: tuple[str, ...] = tuple(DATATYPES), *, json: bool = False) -> tuple[str, Any]:
    """Return a datatype and an array of it."""
    datatype = draw(st.sampled_from(datatypes))
    return datatype, draw(arrays(datatype, json=json))


def same(a: Any, b: Any) -> bool:
    """Whether two arrays have one dtype, one shape, and the same elements, bit for bit."""
    if (a.dtype, a.shape) != (b.dtype, b.shape):
        return False
    if a.dtype == object:
        return bool(a.tolist() == b.tolist())
    return bool(a.tobytes() == b.tobytes())


_DTYPES = st.one_of(
    hnp.floating_dtypes(endianness="?"),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.boolean_dtypes(),
    hnp.complex_number_dtypes(endianness="?"),
    hnp.datetime64_dtypes(),
    hnp.timedelta64_dtypes(),
    hnp.byte_string_dtypes(min_len=1),
    hnp.unicode_string_dtypes(min_len=1),
)


@st.composite
def handed_arrays(draw: st.DrawFn) -> Any:
    """Return an array such as codecs give and runtimes return: of any plain dtype, byte order and strides.

    Or one of objects, which are all texts or all bytes.
    """
    shape = draw(SHAPES)
    if draw(st.booleans()):
        array = draw(hnp.arrays(draw(_DTYPES), shape))
    else:
        count = int(np.prod(shape))
        elements = draw(st.sampled_from([st.binary(max_size=8), st.text(st.characters(codec=None), max_size=8)]))
        array = np.empty(count, object)
        array[:] = draw(st.lists(elements, min_size=count, max_size=count))
        array = array.reshape(shape)
    form = draw(st.sampled_from(["as it is", "transposed", "stepped", "backwards", "in columns"]))
    if form == "transposed":
        return array.T
    if form == "in columns":
        return np.asfortranarray(array)
    if form == "stepped" and array.ndim:
        return array[::2]
    return array[::-1] if form == "backwards" and array.ndim else array


# A pair of surrogates is the character that it stands for, in JSON.
_SURROGATE_OR_NOT = st.text(st.characters(codec=None, max_codepoint=0xDBFF), max_size=6)
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(1 << 63), (1 << 64) - 1),
    st.floats(),
    _SURROGATE_OR_NOT,
    st.binary(max_size=6),
)


def values() -> st.SearchStrategy[list[Any]]:
    """Return Python values such as a tensor's data may be: of one type, of several, or nested."""
    of_one = st.sampled_from([st.booleans(), st.integers(), st.floats(), _SURROGATE_OR_NOT, st.binary(max_size=6)])
    return st.one_of(
        of_one.flatmap(lambda each: st.lists(each, max_size=6)),
        st.lists(st.recursive(_SCALARS, lambda each: st.lists(each, max_size=3), max_leaves=6), max_size=6),
    )

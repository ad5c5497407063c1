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

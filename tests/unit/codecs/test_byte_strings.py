"""Elements of BYTES tensors as bytes and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from srv_codecs._byte_strings import all_as_bytes, all_as_text, as_bytes, as_text
from srv_codecs._place import Place, input_place
from srv_protocol.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

PLACE = input_place(0, "x", "m")

_TEXT = st.text("aé\U0001f600\0\ud800", max_size=4)
_BYTES = st.binary(max_size=4) | st.text("aé\U0001f600", max_size=4).map(str.encode)
_OTHERS = st.sampled_from([None, 1, True, bytearray(b"a"), memoryview(b"\xff"), np.str_("a"), np.bytes_(b"a"), ["a"]])
ITEMS = st.lists(_TEXT) | st.lists(_BYTES) | st.lists(_TEXT | _BYTES | _OTHERS)


def outcome(function: Callable[..., list[Any]], *args: object) -> tuple[object, ...]:
    try:
        found = function(*args)
    except InvalidInput as error:
        return (str(error),)
    return (*map(type, found), *found)


def one_by_one(function: Callable[[object, int, Place], object], items: list[object]) -> list[object]:
    return [function(item, index, PLACE) for index, item in enumerate(items)]


@given(ITEMS)
def test_all_elements_at_once_are_those_one_by_one(items: list[object]) -> None:
    assert outcome(all_as_bytes, items, PLACE) == outcome(one_by_one, as_bytes, items)
    assert outcome(all_as_text, items, PLACE) == outcome(one_by_one, as_text, items)


def test_the_lists_are_new() -> None:
    items: list[object] = [b"a"]
    texts: list[object] = ["a"]
    assert all_as_bytes(items, PLACE) is not items
    assert all_as_text(texts, PLACE) is not texts

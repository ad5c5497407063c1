"""The raw form of BYTES elements: all at once, and one by one."""

from __future__ import annotations

import struct
import tracemalloc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srv_codecs import _length_prefixed
from srv_codecs._length_prefixed import join_elements, split_elements
from srv_codecs._place import input_place
from srv_protocol.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Generator

PLACE = input_place(0, "x", "m")

_WORD = st.binary(max_size=12) | st.text("ab\0é ", max_size=12).map(str.encode) | st.just(b"")
_LONG = st.sampled_from([b"q" * size for size in (63, 64, 95, 96, 127, 128, 255, 256, 257, 1000, 65536)])


@st.composite
def elements(draw: st.DrawFn) -> list[bytes]:
    """Return elements of which several are equally long, empty or made of zeros; as many as are split all at once."""
    some = draw(st.lists(_WORD, min_size=1, max_size=12) | st.lists(_WORD | _LONG, min_size=1, max_size=3))
    picks = draw(st.lists(st.integers(0, len(some) - 1), max_size=40))
    return [some[pick] for pick in picks] * draw(st.integers(1, 3))


def raw(items: list[bytes]) -> bytes:
    return b"".join(struct.pack("<I", len(item)) + item for item in items)


@contextmanager
def all_at_once() -> Generator[None]:
    """Let few elements go the ways of many."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("_MANY_EQUAL", 1), ("_MANY", 1), ("_GROUP", 0), ("_DENSE", 1 << 20)):
            patch.setattr(_length_prefixed, name, value)
        yield


def split(buffer: bytes, count: int) -> list[Any]:
    """Return the elements, or the text of the error in a list."""
    try:
        array = split_elements(memoryview(buffer), count, PLACE)
    except InvalidInput as error:
        return [str(error)]
    assert array.dtype == object
    assert array.shape == (count,)
    assert array.flags.writeable
    found: list[Any] = array.tolist()
    assert set(map(type, found)) <= {bytes}
    return found


def read(buffer: bytes, count: int) -> list[Any]:
    """Return the same, one by one, as the form is described."""
    found: list[bytes] = []
    of_x = "for inference input 'x' for model 'm'"
    pos = 0
    for index in range(count):
        rest = len(buffer) - pos
        if not rest:
            return [f"inputs[0].data: expected {count} string elements {of_x}, got {index} (input 'x')"]
        if rest < 4:
            text = f"expecting 4 bytes but only {rest} bytes available (input 'x')"
            return [f"inputs[0].data[{index}]: incomplete string length indicator {of_x}, {text}"]
        size = int.from_bytes(buffer[pos : pos + 4], "little")
        if rest - 4 < size:
            text = f"expecting string of length {size} but only {rest - 4} bytes available (input 'x')"
            return [f"inputs[0].data[{index}]: incomplete string data {of_x}, {text}"]
        found.append(buffer[pos + 4 : pos + 4 + size])
        pos += 4 + size
    if pos < len(buffer):
        text = f"expecting {count}, with {len(buffer) - pos} bytes behind them (input 'x')"
        return [f"inputs[0].data: unexpected number of string elements {count + 1} {of_x}, {text}"]
    return found


@given(elements())
def test_all_at_once_and_one_by_one_are_the_same(items: list[bytes]) -> None:
    buffer = raw(items)
    assert split(buffer, len(items)) == items
    with all_at_once():
        assert split(buffer, len(items)) == items


@given(elements(), st.integers(-2, 2), st.data())
def test_what_does_not_fit_is_the_same_error(items: list[bytes], more: int, data: st.DataObject) -> None:
    buffer = raw(items)[: data.draw(st.none() | st.integers(0, len(raw(items))))]
    count = max(0, len(items) + more)
    with all_at_once():
        assert split(buffer, count) == read(buffer, count)


@given(st.binary(max_size=64) | st.text("\0\0\0\1\4", max_size=64).map(str.encode), st.integers(0, 16))
def test_any_bytes_are_read_as_one_by_one(buffer: bytes, count: int) -> None:
    with all_at_once():
        assert split(buffer, count) == read(buffer, count)


CORPUS = {
    "several lengths": [b"ab", b"", b"cde", b"", b"", b"f" * 9],
    "one length": [b"abcd", b"efgh", b"\0\0\0\0", b"\4\0\0\0"],
    "zeros inside": [b"\0", b"a\0\0\0", b"\0\0\0\0\0"],
    "nothing inside": [b""] * 5,
    "long ones": [b"x" * 256, b"y", b"z" * 300],
}


@pytest.mark.parametrize("items", CORPUS.values(), ids=CORPUS)
def test_every_truncation_and_every_changed_byte_is_read_as_one_by_one(items: list[bytes]) -> None:
    buffer = raw(items)
    count = len(items)
    with all_at_once():
        for size in range(len(buffer)):
            assert split(buffer[:size], count) == read(buffer[:size], count)
        for index, byte in enumerate(buffer):
            for other in {0, 1, 4, byte ^ 1, byte ^ 0x80, 0xFF}:
                changed = buffer[:index] + bytes((other,)) + buffer[index + 1 :]
                assert split(changed, count) == read(changed, count)


@pytest.mark.parametrize(
    "items",
    [
        [b"\0\1\2\3"] * 32,
        [b"%d" % (index * 37 % 10007) for index in range(1024)],
        [b"" if index % 3 else b"word"[index % 2 :] for index in range(1024)],
        [b""] * 1024,
        [b"x" * 1000] * 64,
    ],
    ids=["one length", "several lengths", "many without bytes", "nothing but lengths", "long and of one length"],
)
def test_many_elements_are_split_all_at_once(items: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(_length_prefixed, "_split_one_by_one")
    assert split(raw(items), len(items)) == items


def test_zeros_take_no_memory_for_each_place_that_looks_like_a_length() -> None:
    """Only as many places are looked at as the shape's elements can have."""
    size = 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(InvalidInput, match="unexpected number of string elements"):
            split_elements(memoryview(bytes(size)), size // 64, PLACE)
        assert tracemalloc.get_traced_memory()[1] < 4 * size
    finally:
        tracemalloc.stop()


def test_too_many_places_that_look_like_lengths_are_read_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_length_prefixed, "_FALSE", 3000)
    items = [b""] * 1024
    assert split(raw(items), 1024) == items
    monkeypatch.delattr(_length_prefixed, "_split_one_by_one")
    with pytest.raises(NameError):
        split(raw(items), 1024)


@pytest.mark.parametrize("offset", range(4))
def test_elements_are_copies_wherever_they_lie(offset: int) -> None:
    items = [b"ab", b"cde"] * 1024
    buffer = bytearray(b"?" * offset + raw(items))
    view = memoryview(buffer)[offset:]
    array = split_elements(view, len(items), PLACE)
    buffer[:] = bytes(len(buffer))
    assert array.tolist() == items


@given(elements())
def test_joined_elements_have_their_lengths_in_front(items: list[bytes]) -> None:
    assert join_elements(items, PLACE) == raw(items)


def test_an_element_that_is_too_long_for_its_length_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    # 4 GiB are too much for a test.
    monkeypatch.setattr(_length_prefixed, "_LENGTH", struct.Struct("<H"))
    monkeypatch.setattr(_length_prefixed, "MAX_ELEMENT_SIZE", 0xFFFF)
    with pytest.raises(
        InvalidInput, match=r"^inputs\[0\]\.data\[1\]: expected at most 65535 bytes, got 65536 \(input 'x'\)$"
    ):
        join_elements([b"a", bytes(65536)], PLACE)

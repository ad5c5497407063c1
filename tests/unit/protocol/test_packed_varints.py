"""Packed varints in bulk: the same values, bytes and errors as one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import betterproto2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from srv_protocol import _decoding, _encoding
from srv_protocol._scalars import VARINTS
from srv_protocol._varint import write_varint
from srv_protocol.errors import WireError
from srv_protocol.inference import InferTensorContents

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS: Final = sorted(kind for kind, row in VARINTS.items() if row.read_all is not None)
many = settings(deadline=None, max_examples=300)


def decode(kind: str, data: bytes) -> object:
    """Return what the field's decoder makes of the length and the data: the values, or the error's text."""
    values: dict[str, Any] = {"x": []}
    read = _decoding._packed_varints("x", kind, _decoding._varint_reader(kind, None))
    try:
        assert read(values, memoryview(data), 0, len(data), 0) == len(data)
    except WireError as error:
        return str(error)
    found: list[object] = values["x"]
    return [(type(value), value) for value in found]


def encode(kind: str, value: object) -> object:
    """Return what the field's encoder makes of a value: the bytes, or the error's text."""
    parts: list[bytes | memoryview] = []
    try:
        size = _encoding.packed_encoder("M.x", 1, kind)(value, parts)
    except WireError as error:
        return str(error)
    data = b"".join(parts)
    assert len(data) == size
    return data


def both_ways(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> tuple[object, object]:
    """Return what is done in bulk, and one by one."""
    results: list[object] = []
    for least in (1, 1 << 60):
        with monkeypatch.context() as patch:
            patch.setattr(_decoding, "MANY", least)
            patch.setattr(_encoding, "MANY", least)
            results.append(act())
    bulk, single = results
    return bulk, single


def delimited(data: bytes) -> bytes:
    return write_varint(len(data)) + data


ENCODED: Final = st.one_of(
    st.integers(0, 64).flatmap(lambda bits: st.integers(0, (1 << bits) - 1)).map(write_varint),
    # Overlong ones, and those of more than 64 bits.
    st.binary(min_size=1, max_size=10).map(
        lambda data: bytes(byte | 0x80 for byte in data[:-1]) + bytes([data[-1] & 0x7F])
    ),
)
PACKED: Final = st.lists(ENCODED, min_size=1, max_size=40).map(b"".join)


@pytest.mark.parametrize("kind", KINDS)
@many
@given(data=PACKED)
@example(data=b"\xff" * 9 + b"\x7f")
@example(data=b"\x81" + b"\x80" * 8 + b"\x00")
def test_any_varints_are_read_the_same(kind: str, data: bytes) -> None:
    bulk, single = both_ways(pytest.MonkeyPatch(), lambda: decode(kind, delimited(data)))
    assert bulk == single


@pytest.mark.parametrize("kind", KINDS)
@many
@given(
    data=PACKED,
    where=st.integers(0, 1 << 16),
    size=st.integers(0, 3),
    new=st.binary(max_size=12) | st.integers(0, 12).map(lambda size: b"\xff" * size),
)
@example(data=b"\x01" * 40, where=39, size=1, new=b"\xff")
@example(data=b"\x01" * 40, where=20, size=0, new=b"\xff" * 10)
def test_corrupt_varints_are_the_same_error(kind: str, data: bytes, where: int, size: int, new: bytes) -> None:
    where %= len(data)
    corrupted = data[:where] + new + data[where + size :]
    bulk, single = both_ways(pytest.MonkeyPatch(), lambda: decode(kind, delimited(corrupted)))
    assert bulk == single


@pytest.mark.parametrize("kind", KINDS)
@many
@given(data=st.data())
def test_values_are_written_the_same(kind: str, data: st.DataObject) -> None:
    row = VARINTS[kind]
    element: st.SearchStrategy[Any] = (
        st.integers(row.low, row.high) | st.integers(max(row.low, -200), min(row.high, 200)) | st.booleans()
    )
    if data.draw(st.integers(0, 3)) == 0:
        element |= st.integers(-(1 << 65), 1 << 65) | st.sampled_from([1.0, None, "1", np.int8(1), np.True_])
    values = data.draw(st.lists(element, min_size=1, max_size=40))
    bulk, single = both_ways(pytest.MonkeyPatch(), lambda: encode(kind, values))
    assert bulk == single
    if isinstance(bulk, bytes):
        kept = bool if kind == betterproto2.TYPE_BOOL else int
        assert decode(kind, bulk[1:]) == [(kept, kept(value)) for value in values]
    else:
        assert "M.x: expected" in str(bulk)


@pytest.mark.parametrize("kind", KINDS)
@many
@given(data=st.data())
def test_arrays_are_written_as_their_elements(kind: str, data: st.DataObject) -> None:
    dtype: Any = np.dtype(data.draw(st.sampled_from(["?", "i1", "<i8", ">i8", "u1", "<u4", "<u8", ">u8"])))
    limits = (0, 1) if dtype.kind == "b" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    step = data.draw(st.sampled_from([1, 2, -1]))
    values = data.draw(st.lists(st.integers(*limits) | st.integers(0, 1), min_size=1, max_size=40))
    array = np.array(values, dtype)[::step]
    plain: list[int] = array.tolist()
    bulk, single = both_ways(pytest.MonkeyPatch(), lambda: encode(kind, array))
    if isinstance(bulk, bytes):
        assert bulk == single == encode(kind, plain)
    else:
        assert bulk == single


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((8, 8), np.int32),
        np.zeros(64),
        np.zeros(64, object) + 0.5,
        np.ma.masked_array(np.zeros(64, int), [True] * 64),
    ],
    ids=["2d", "float", "object", "masked"],
)
def test_arrays_of_anything_else_are_refused(array: Any) -> None:
    with pytest.raises(WireError, match=r"InferTensorContents\.int_contents: expected int32"):
        bytes(InferTensorContents(int_contents=array))


def test_the_error_of_many_values_names_the_field_and_the_value() -> None:
    with pytest.raises(WireError, match=r"InferTensorContents\.int_contents: expected int32, got 2147483648$"):
        bytes(InferTensorContents(int_contents=[1] * 100 + [1 << 31]))
    with pytest.raises(WireError, match=r"InferTensorContents\.uint64_contents: expected uint64, got -1$"):
        bytes(InferTensorContents(uint64_contents=[-1] * 100))


def test_packed_fields_that_come_twice_are_one_list() -> None:
    once = bytes(InferTensorContents(int64_contents=list(range(100))))
    found = InferTensorContents.parse(once + once).int64_contents
    assert found == [*range(100), *range(100)]
    assert set(map(type, found)) == {int}

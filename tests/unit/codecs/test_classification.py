from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from srv_codecs.arrays import output_place
from srv_codecs.classification import classify
from srv_protocol.datatypes import datatype_of
from srv_protocol.errors import InvalidInput
from srv_protocol.inference import InferOutputTensor

PLACE = output_place(0, "y")


def output(array: Any) -> InferOutputTensor:
    return InferOutputTensor("y", datatype_of(array), list(array.shape), data=array)


def top(array: Any, count: int, *, batched: bool = False) -> tuple[list[int], list[object]]:
    found = classify(output(array), count, batched=batched, place=PLACE)
    assert found.datatype == "BYTES"
    return found.shape, list(found.data)


def test_floats_have_six_decimals_and_integers_none() -> None:
    assert top(np.array([1.5, 3.3, 2], np.float32), 2) == ([2], [b"3.300000:1", b"2.000000:2"])
    assert top(np.array([5, -7, 9], np.int32), 3) == ([3], [b"9:2", b"5:0", b"-7:1"])


def test_a_count_beyond_the_classes_gives_them_all() -> None:
    assert top(np.array([1, 2], np.uint8), 10) == ([2], [b"2:1", b"1:0"])


def test_a_batch_is_classified_row_by_row() -> None:
    array = np.array([[1, 2, 3], [9, 8, 7]], np.int64)

    assert top(array, 2, batched=True) == ([2, 2], [b"3:2", b"2:1", b"9:0", b"8:1"])
    assert top(array, 2) == ([2], [b"9:3", b"8:4"])


def test_of_equal_values_the_lower_index_comes_first_and_nan_is_minus_infinity() -> None:
    assert top(np.array([1, 2, 2, 1], np.int32), 4)[1] == [b"2:1", b"2:2", b"1:0", b"1:3"]
    assert top(np.array([np.nan, 1.0, -np.inf]), 3)[1] == [b"1.000000:1", b"nan:0", b"-inf:2"]


def test_an_empty_output_has_no_classes() -> None:
    assert top(np.empty(0, np.float32), 3) == ([0], [])
    assert top(np.empty((0, 4), np.float32), 3, batched=True) == ([0, 3], [])


NO_CLASSES: list[Any] = [np.array([True]), np.array([1], np.float16), np.array([b"x"], object)]


@pytest.mark.parametrize("array", NO_CLASSES, ids=["BOOL", "FP16", "BYTES"])
def test_some_datatypes_have_no_classes(array: Any) -> None:
    with pytest.raises(InvalidInput, match="class result not available for output due to unsupported type"):
        classify(output(array), 1, batched=False, place=PLACE)


def test_a_huge_output_is_refused() -> None:
    with pytest.raises(InvalidInput, match="classification output tensor too large"):
        classify(output(np.zeros(1_000_001, np.uint8)), 1, batched=False, place=PLACE)


@given(hnp.arrays(np.int16, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6)), st.integers(1, 7))
def test_classes_are_those_of_a_plain_sort(array: Any, count: int) -> None:
    expected = [
        f"{row[index]}:{index}".encode()
        for row in array
        for index in sorted(range(len(row)), key=lambda index: (-int(row[index]), index))[:count]  # used at once
    ]

    assert top(array, count, batched=True)[1] == expected

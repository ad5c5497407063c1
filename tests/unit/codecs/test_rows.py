"""Tensors of several requests in one, and the rows of an output in several."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import IN_JSON, arrays, same

from srv.types import Parameters, RequestInput, ResponseOutput, TensorData
from srv_codecs.arrays import output_place, tensor_array
from srv_codecs.rest import decode_request
from srv_codecs.rows import join_rows, parameters_key, row_key, split_rows
from srv_protocol.datatypes import DATATYPES
from srv_protocol.errors import InferenceError

VALUES = st.one_of(st.booleans(), st.integers(-9, 9), st.sampled_from([0.0, -0.0, 1.0]), st.text(max_size=2))
PLACE = output_place(0, "y")


def tensor(data: Any, datatype: str = "FP32", shape: Any = None, name: str = "x", **parameters: Any) -> RequestInput:
    return RequestInput(name, datatype, list(np.shape(data) if shape is None else shape), parameters, data=data)


def from_json(datatype: str, shape: Any, data: Any) -> RequestInput:
    body = {"inputs": [{"name": "x", "datatype": datatype, "shape": shape, "data": data}]}
    return decode_request(json.dumps(body).encode())[0].inputs[0]


def split(data: Any, counts: list[int], datatype: str = "FP32", shape: Any = None) -> list[ResponseOutput]:
    shape = list(np.shape(data) if shape is None else shape)
    return split_rows(ResponseOutput("y", datatype, shape, data=data), counts, PLACE)


@given(st.data(), st.sampled_from(list(DATATYPES)))
def test_what_is_joined_and_split_again_is_the_same(data: st.DataObject, datatype: str) -> None:
    """For every datatype; the joined array is new, and what is split is views of it."""
    array = data.draw(arrays(datatype).filter(lambda each: each.ndim > 0 and len(each) > 0))
    times = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    parts = [tensor(np.concatenate([array] * each), datatype) for each in times]
    counts = [each.shape[0] for each in parts]

    assert len({row_key(each) for each in parts}) == 1
    joined = join_rows(parts, sum(counts))
    whole = joined.data.array
    assert whole is not None
    assert joined.shape == list(whole.shape) == [sum(counts), *array.shape[1:]]
    assert not any(np.shares_memory(whole, part.data.array) for part in parts if part.data.array is not None)
    for part, found in zip(parts, split(whole, counts, datatype), strict=True):
        assert found.data.array is not None
        assert found.shape == part.shape
        assert same(found.data.array, part.data.array)
        assert np.shares_memory(found.data.array, whole) == bool(whole.size and found.data.array.size)


@given(st.data(), st.sampled_from(IN_JSON), st.booleans())
def test_values_of_json_stay_as_they_came(data: st.DataObject, datatype: str, nested: bool) -> None:
    """Flat or nested, of few elements and of many, which have been parsed or not."""
    few = data.draw(arrays(datatype, json=True).filter(lambda each: each.ndim > 0 and each.size > 0))
    many = np.concatenate([few] * 100)
    values = [
        from_json(datatype, list(each.shape), to_json(each if nested else each.reshape(-1))) for each in (few, many)
    ]

    assert row_key(values[0]) == row_key(values[1]) is not None
    joined = join_rows(values, len(few) + len(many))
    alone = [list(each.data.root) for each in values]
    assert list(joined.data) == alone[0] + alone[1]
    assert same(tensor_array(joined, PLACE), np.concatenate([tensor_array(each, PLACE) for each in values]))


def to_json(array: Any) -> Any:
    return np.vectorize(bytes.decode, otypes=[object])(array).tolist() if array.dtype == object else array.tolist()


@pytest.mark.parametrize(
    "other",
    [
        tensor(np.zeros((2, 3), np.float32), name="z"),
        tensor(np.zeros((2, 3), np.int32), "INT32"),
        tensor(np.zeros((2, 4), np.float32)),
        tensor(np.zeros((2, 3, 1), np.float32)),
        tensor(np.zeros((2, 3), np.float32), content_type="np"),
        from_json("FP32", [2, 3], [0] * 6),
        from_json("FP32", [2, 3], [[0] * 3] * 2),
    ],
    ids=["name", "datatype", "trailing size", "number of dimensions", "parameters", "flat JSON", "nested JSON"],
)
def test_what_keeps_tensors_apart(other: RequestInput) -> None:
    assert row_key(other) is not None
    assert row_key(other) != row_key(tensor(np.zeros((2, 3), np.float32)))


@pytest.mark.parametrize(
    "each",
    [
        tensor(np.zeros((), np.float32)),
        tensor(np.zeros((0, 3), np.float32)),
        RequestInput("x", "FP32", [1]),
        tensor(np.zeros(2, np.float64)),
        tensor(np.zeros(2, np.float32), shape=[3]),
        tensor(["a"], "BYTES", [2]),
        tensor([], "BYTES", [1]),
        tensor([["a", "b"]], "BYTES", [2]),
        tensor(("a",), "BYTES", [1]),
        tensor(np.zeros(1), "NONE", [1]),
    ],
    ids=[
        "scalar", "no rows", "no data", "dtype", "size", "too few values", "no values", "too few rows", "no list",
        "no datatype",
    ],
)  # fmt: skip
def test_what_is_not_joined(each: RequestInput) -> None:
    assert row_key(each) is None


@given(st.dictionaries(st.sampled_from("abc"), VALUES), st.dictionaries(st.sampled_from("abc"), VALUES))
def test_parameters_have_one_key_if_they_are_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Whatever is ignored, and in whatever order they come."""
    keys = [parameters_key(Parameters(each), {"c"}) for each in (one, other)]
    kept = [sorted((name, value) for name, value in each.items() if name != "c") for each in (one, other)]

    assert (keys[0] == keys[1]) == (repr(kept[0]) == repr(kept[1]))
    assert parameters_key(Parameters(dict(reversed(one.items())))) == parameters_key(Parameters(one))


def test_a_joined_array_may_be_written_to_if_all_of_its_parts_may() -> None:
    free, fixed = np.zeros(1, np.float32), np.zeros(1, np.float32)
    fixed.flags.writeable = False
    for arrays_, writeable in (((free, free), True), ((free, fixed), False)):
        found = join_rows([tensor(each) for each in arrays_], 2).data.array
        assert found is not None
        assert found.flags.writeable is writeable


def test_parameters_are_copied() -> None:
    part = tensor(np.zeros(1, np.float32), content_type="np")
    joined = join_rows([part, part], 2)
    joined.parameters["content_type"] = "other"
    output = ResponseOutput("y", "FP32", [2], {"list": "ab"}, data=np.zeros(2, np.float32))
    one, two = split_rows(output, [1, 1], PLACE)
    one.parameters["list"] = "c"

    assert part.parameters == {"content_type": "np"}
    assert (one.parameters, two.parameters, output.parameters) == ({"list": "c"}, {"list": "ab"}, {"list": "ab"})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (np.arange(6, dtype=np.float32).reshape(3, 2), [[[0.0, 1.0]], [[2.0, 3.0], [4.0, 5.0]]]),
        (np.arange(6, dtype=np.float32), [[0.0, 1.0], [2.0, 3.0, 4.0, 5.0]]),
        (np.asfortranarray(np.arange(6, dtype=np.float64).reshape(3, 2)), [[0.0, 1.0], [2.0, 3.0, 4.0, 5.0]]),
        ([0, 1, 2, 3, 4, 5], [[0, 1], [2, 3, 4, 5]]),
        ([[0, 1], [2, 3], [4, 5]], [[[0, 1]], [[2, 3], [4, 5]]]),
    ],
    ids=["array", "flat array", "other dtype and order", "flat list", "nested list"],
)
def test_an_output_is_split_in_the_form_that_it_has(data: Any, expected: list[Any]) -> None:
    found = split(data, [1, 2], shape=[3, 2])

    assert [each.shape for each in found] == [[1, 2], [2, 2]]
    shown = [each.data.values if each.data.array is None else each.data.array.tolist() for each in found]
    assert shown == expected


@pytest.mark.parametrize(
    ("data", "shape", "text"),
    [
        (np.zeros(2, np.float32), [2], "shape: expected a first dimension of 3, the rows of the batch, got [2]"),
        (np.zeros((), np.float32), [], "shape: expected a first dimension of 3, the rows of the batch, got []"),
        (np.zeros(4, np.float32), [3], "data: expected 3 elements for shape [3], got 4"),
        ([1, 2, 3, 4], [3], "data: expected 3 elements for shape [3], got 4"),
        ([[1], [2]], [3, 1], "data: expected 3 rows, got 2"),
        (["abc"], [3], "data: expected 3 elements for shape [3], got 1"),
        (None, [3], "data: there is none"),
        ((1, 2, 3), [3], "data: expected an array or a list, whose rows can be told apart"),
    ],
)
def test_an_output_without_the_rows_of_the_batch_is_refused(data: Any, shape: list[int], text: str) -> None:
    output = ResponseOutput("y", "FP32", shape, data=data)
    with pytest.raises(InferenceError) as caught:
        split_rows(output, [1, 2], PLACE)
    assert str(caught.value) == f"outputs[0].{text} (output 'y')"


def test_an_array_with_values_beside_it_is_not_split() -> None:
    data = TensorData([1.0, 2.0])
    data.array = np.zeros(2, np.float64)
    with pytest.raises(InferenceError, match="whose rows can be told apart"):
        split(data, [1, 1], shape=[2])

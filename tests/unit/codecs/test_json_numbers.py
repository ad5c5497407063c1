"""Arrays that are cut out of JSON give what the general way gives, or leave it to say what is wrong."""

from __future__ import annotations

import copy
import json
import math
import pickle
import struct
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srv_codecs import _json_numbers, _rest
from srv_codecs._json_numbers import ArrayText, read_numbers
from srv_codecs._text_data import TextData
from srv_codecs.rest import decode_request
from srv_protocol.errors import SrvError

FLOATS = ("FP32", "FP64")
INTEGERS = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")


def general(body: bytes) -> object:
    """Return what a text is without the short way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_json_numbers, "Parser", None)
        return observe(body)


def short(body: bytes) -> object:
    """Return what a text is when everything in it is large."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_rest, "MIN_TEXT", 0)
        patch.setattr(_json_numbers, "_MIN_ARRAY", 0)
        return observe(body)


def observe(body: bytes) -> object:
    try:
        request, _ = decode_request(body)
    except SrvError as error:
        return type(error), str(error)
    seen: list[object] = [request.id, dict(request.parameters)]
    for tensor in request.inputs:
        array = tensor.data.array
        bits = None if array is None else (array.dtype, array.shape, array.tobytes(), array.flags.writeable)
        # As text: NaN is not itself, and -0.0 is 0.0.
        seen.append((tensor.name, tensor.datatype, list(tensor.shape), bits, repr(tensor.data.root)))
    return repr(seen)


def body(datatype: str, shape: list[int], data: str) -> bytes:
    tensor = f'{{"name":"x","shape":{shape},"datatype":"{datatype}","data":{data}}}'
    return f'{{"id":"i","inputs":[{tensor}]}}'.encode()


SPACE = st.sampled_from(["", " ", "\n", "\t\r\n  "])
NUMBER = st.one_of(
    st.integers(-130, 130).map(str),
    st.integers(-(2**66), 2**66).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.sampled_from(
        [
            "-0",
            "-0.0",
            "0",
            "-0e0",
            "1e-05",
            "1e-0",
            "1e400",
            "-1e39",
            "1E2",
            "1.0",
            "true",
            "null",
            "NaN",
            '"1"',
            "[1]",
            "{}",
        ]
    ),
)


@given(
    st.sampled_from(FLOATS + INTEGERS + ("BOOL", "BYTES", "FP16", "X")), st.lists(NUMBER, max_size=9), SPACE, st.data()
)
def test_flat_arrays(datatype: str, numbers: list[str], space: str, data: st.DataObject) -> None:
    count = len(numbers) if data.draw(st.booleans()) else data.draw(st.integers(0, 9))
    text = f"[{space}{f'{space},{space}'.join(numbers)}{space}]"
    request = body(datatype, [count], text)

    assert short(request) == general(request)


@given(st.sampled_from(FLOATS + INTEGERS), st.lists(st.integers(0, 3), min_size=1, max_size=3), SPACE, st.data())
def test_nested_arrays(datatype: str, shape: list[int], space: str, data: st.DataObject) -> None:
    nested = np.arange(math.prod(shape)).reshape(shape).tolist()
    text = json.dumps(nested, separators=(f"{space},{space}", ":")).replace("[", f"[{space}")
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(text) - 1))
        text = text[:at] + data.draw(st.sampled_from(["", "[", "]", ",", "1"])) + text[at + 1 :]
    claimed = data.draw(st.sampled_from([shape, [*shape, 1], [1, *shape], [math.prod(shape)], shape[::-1]]))
    request = body(datatype, claimed, text)

    assert short(request) == general(request)


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20),
    st.sampled_from([17, 18, 25, 40]),
)
def test_every_digit_counts(values: list[float], digits: int) -> None:
    request = body("FP64", [len(values)], f"[{','.join(f'{value:.{digits}e}' for value in values)}]")

    assert short(request) == general(request)


def test_a_zero_has_its_sign_where_it_is_written_as_a_float() -> None:
    """As msgspec has it, too: what is written as an integer is one first."""
    data = decode_request(body("FP32", [405], f"[0,-0,-0.0,-0e0,1e-05,{PADDING}]"))[0].inputs[0].data

    assert isinstance(data, TextData)
    assert data.array is not None
    assert [str(value) for value in data.array[:5]] == ["0.0", "0.0", "-0.0", "-0.0", "1e-05"]
    assert str(data.root[:5]) == "[0.0, 0.0, -0.0, -0.0, 1e-05]"


def test_halfway_cases_are_rounded_to_even() -> None:
    hard = [
        "9007199254740993",
        "9007199254740993.0",
        "9007199254740992.99999999999999999",
        "0.500000000000000166533453693773481063544750213623046875",
        "3.518437208883201171875e13",
        "62.5364939768271845828",
        "8.10109172351e-10",
        "1.50000000000000011102230246251565",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "4.9406564584124654e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "123456789012345678901234567890e-20",
        "100000000000000016777215",
        "100000000000000016777216",
        "-0.000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001e-280",
    ]
    tensor = decode_request(body("FP64", [len(hard)], f"[{','.join(hard)}]" + " " * 2000))[0].inputs[0]

    assert [struct.pack("<d", float(each)) for each in hard] == [struct.pack("<d", each) for each in tensor.data.array]  # type: ignore[union-attr]  # it has one


PADDING = ",".join(["0.25"] * 400)
CORPUS = [
    '{"inputs":[{"name":"a","shape":[400],"datatype":"FP32","data":[P]},{"data":[P],"shape":[400],"name":"b","datatype":"FP64"}]}',
    '{"inputs":[{"name":"a","shape":[400],"datatype":"FP32","data" : [P] , "data":[P]}]}',
    '{"inputs":[{"name":"\\"data\\":[1]","shape":[400],"datatype":"FP32","x\\"data":[P],"data":[P]}]}',
    '{"inputs":[{"name":"a","shape":[400],"datatype":"FP32","parameters":{"data":[P]},"data":[P]}]}',
    '{"parameters":{"k":"\\"data\\": [P]"},"inputs":[{"name":"a","shape":[400],"datatype":"FP32","data":[P]}]}',
    '{"data":[P],"inputs":[{"name":"a","shape":[400],"datatype":"FP32","data":[P]}]}',
    '{"inputs":[{"name":"a","shape":[400],"datatype":"FP32","data":[P]]}]}',
    '{"inputs":[{"name":"a","shape":[400],"datatype":"FP32","data":[P],]}]}',
    '{"inputs":[{"name":"a","shape":[800],"datatype":"FP32","data":[P],[P]}]}',
    '{"inputs":[{"name":"a","shape":[401],"datatype":"BYTES","data":[P,"x"]}]}',
    '{"inputs":[{"name":"a","shape":[400],"datatype":"FP32","data":[P]}]',
    '{"inputs":[{"name":"a","shape":[400],"datatype":"FP32","data":[P',
    '{"inputs":[{"name":"\\ud800","shape":[400],"datatype":"FP32","data":[P]}]}',
    '{"inputs":[{"name":"a","shape":[400],"datatype":"FP32","data":[P]}],"outputs":[{"name":"o"}],"id":"7"} x',
    '{"inputs":[{"name":"a","shape":[400],"datatype":"FP32","data":[P],"data":null}]}',
    '{"inputs":[{"name":"a","shape":["400"],"datatype":"FP32","data":[P]}]}',
    '{"inputs":[{"name":"a","shape":[400],"datatype":"FP32","data": [ [\n[P] ]\t]}]}',
    '{"inputs":[{"name":"a","shape":[400],"datatype":"FP32","data":[[P]}]}',
    '{"inputs":[{"name":"a","shape":[400],"datatype":"FP32","data":[[P]]]}]}',
    '{"inputs":[{"name":"a","shape":[400],"datatype":"FP32","data":[[P],]}]}',
    '{"inputs":[{"name":"a","shape":[2,400],"datatype":"FP32","data":[[P],[P]]}]}',
    '{"inputs":[{"name":"a","shape":[2,400],"datatype":"FP32","data":[[P],P]}]}',
    '{"inputs":[{"name":"a","shape":[401],"datatype":"FP32","data":[[1],P]}]}',
    '{"inputs":[{"name":"a","shape":[401],"datatype":"BYTES","data":["]",P]}]}',
    '{"inputs":[{"name":"a","shape":[401],"datatype":"FP32","data":[P,"]"]}]}',
    '{"inputs":[{"name":"b","shape":[1],"datatype":"BYTES","data":["]"]},{"data":[P],"shape":[400],"name":"a","datatype":"FP32"}]}',
    '{"inputs":[{"name":"b","shape":[2],"datatype":"BOOL","data":[true,false]},{"data":[P],"shape":[400],"name":"a","datatype":"FP32"}]}',
    '{"inputs":[{"name":"b","shape":[1],"datatype":"BYTES","data":["\\"data\\":[P]"]},{"data":[P],"shape":[400],"name":"a","datatype":"FP32"}]}',
]


@pytest.mark.parametrize("text", CORPUS)
def test_texts_that_are_not_what_they_seem(text: str) -> None:
    request = text.replace("P", PADDING).encode()

    assert short(request) == general(request)
    assert observe(request) == general(request)


@given(st.sampled_from(CORPUS), st.data())
def test_corrupted_texts(text: str, data: st.DataObject) -> None:
    request = bytearray(text.replace("P", ",".join(["-0.5e0"] * 12)).replace("400", "12").encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(request) - 1))
        match data.draw(st.sampled_from(["set", "drop", "cut"])):
            case "set":
                request[at] = data.draw(st.sampled_from(b'"{}[]:,0-.eE \\x\xff\x00'))
            case "drop":
                del request[at]
            case _:
                del request[at:]
        if not request:
            return

    assert short(bytes(request)) == general(bytes(request))


@pytest.mark.parametrize("dimensions", [32, 33, 64, 65, 1000])
@pytest.mark.parametrize("text", [f"[{PADDING}]", f"[{PADDING.replace('0.25', '[0.25]')}]"])
def test_shapes_of_many_dimensions(dimensions: int, text: str) -> None:
    request = body("FP32", [400] + [1] * (dimensions - 1), text)

    assert short(request) == general(request)


@pytest.mark.parametrize("depth", [99, 100, 101, 200, 300])
def test_arrays_in_many_brackets(depth: int) -> None:
    request = body("FP32", [400], f"{'[' * depth}{PADDING}{']' * depth}")

    assert short(request) == general(request)


def test_a_shape_takes_no_more_memory_than_the_text() -> None:
    """Written out in brackets, it would be many times as long."""
    text = b"[" + b",".join([b"[1]"] * 50_000) + b"]"
    tracemalloc.start()
    try:
        found = read_numbers(ArrayText(memoryview(text), 1, is_list=False), "INT8", [50_000, *[1] * 31])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert found is None
    assert peak < 10 * len(text)


def test_a_short_way_is_taken_at_all() -> None:
    flat = decode_request(body("FP32", [400], f"[{PADDING}]"))[0].inputs[0].data
    nested = decode_request(body("INT16", [200, 2], f"[{','.join(['[7,-8]'] * 200)}]"))[0].inputs[0].data

    assert isinstance(flat, TextData)
    assert isinstance(nested, TextData)


def test_without_a_parser_nothing_else_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_json_numbers, "Parser", None)
    data = decode_request(body("FP32", [400], f"[{PADDING}]"))[0].inputs[0].data

    assert not isinstance(data, TextData)
    assert data.root == [0.25] * 400


def test_the_python_values_are_those_that_came() -> None:
    numbers = [0.1, 2, *[0.25] * 300]
    data = decode_request(body("FP32", [302], json.dumps(numbers)))[0].inputs[0].data

    assert isinstance(data, TextData)
    assert data.root == [0.1, 2.0, *numbers[2:]]
    assert (data[0], data[1], len(data)) == (0.1, 2, 302)


def test_copies_and_pickles_hold_the_same() -> None:
    request = decode_request(body("FP32", [400], f"[{PADDING}]"))[0]
    copies: list[Any] = [copy.deepcopy(request), copy.copy(request), pickle.loads(pickle.dumps(request))]  # noqa: S301  # its own

    assert all(each == request for each in copies)


@pytest.mark.parametrize("array", ["[1]", "[1,", "[[1,", "[[1", "[", '["]"', "[[1]", "[[[[1]]"])
@pytest.mark.parametrize("end", ["", "]", "]" * 50_000])
def test_many_arrays_take_no_longer_than_one(array: str, end: str) -> None:
    """Each search for the end of an array stops early, or serves for the next ones; else this would take long."""
    tensors = ",".join([f'"data":{array}'] * 50_000)
    text = f'{{"inputs":[{{"name":"a","shape":[1],"datatype":"FP32",{tensors}{end}}}]}}'.encode()

    assert observe(text) == general(text)


@pytest.mark.parametrize("shape", [[20_000, 4], [4, 20_000], [100, 20, 40]])
@pytest.mark.parametrize("missing", [None, 1, 30_000, 79_998])
def test_nested_arrays_of_any_size(shape: list[int], missing: int | None) -> None:
    """The texts are longer than the blocks that they are looked at in."""
    text = json.dumps(np.arange(80_000).reshape(shape).tolist())
    if missing is not None:
        text = text.replace(f"{missing}, ", "", 1).replace("79999", "79999, 0")
    request = body("INT32", shape, text)

    assert observe(request) == general(request)

"""1.3: tensor data in JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from grpc_client import Grpc
from tensors import binary_body, grpc_request, rest_outputs

if TYPE_CHECKING:
    from serving import Answer, Server

INFER = "/v2/models/identity/infer"
DEEP = 10_000


def infer(server: Server, datatype: str, shape: list[int], data: Any) -> Answer:
    """Send one tensor; `data` may be JSON text."""
    tensor = {"name": "x", "datatype": datatype, "shape": shape, "data": "@" if isinstance(data, bytes) else data}
    body = json.dumps({"inputs": [tensor]}).encode()
    return server.post(INFER, body.replace(b'"@"', data) if isinstance(data, bytes) else body)


@pytest.mark.parametrize("data", [[1, 2, 3, 4, 5, 6], [[1, 2, 3], [4, 5, 6]], [[[1], [2], [3]], [[4], [5], [6]]]])
def test_1_3_elements_are_flat_or_nested_evenly(server: Server, data: Any) -> None:
    """In row-major order, to the shape or to one that has ones behind it."""
    found = rest_outputs(infer(server, "INT32", [2, 3], data))["x"]
    assert found.tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize("data", [[1], [1, 2, 3], [[1, 2], [3]], [[1], 2], [[1, 2], [3, 4]], []])
def test_1_3_another_number_of_elements_is_400(server: Server, data: Any) -> None:
    """Triton says 500, and counts what is nested unevenly as if it were flat."""
    answer = infer(server, "INT32", [2], data)
    assert answer.error().startswith("inputs[0].data")
    assert answer.status == 400


@pytest.mark.parametrize(("depth", "status"), [(1, 200), (50, 200), (100, 200), (101, 400), (DEEP, 400)])
def test_1_3_data_is_nested_up_to_a_hundred_deep(server: Server, depth: int, status: int) -> None:
    """As deep as in Triton; arrays of one item add nothing to the shape."""
    assert infer(server, "INT32", [1], b"[" * depth + b"1" + b"]" * depth).status == status


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize(("depth", "status"), [(100, 200), (DEEP, 400)])
def test_1_3_other_members_are_nested_no_deeper_than_a_parser_may_go(
    server: Server, opening: bytes, closing: bytes, depth: int, status: int
) -> None:
    """Far beyond Triton's 100, and never a fault."""
    body = b'{"inputs":[],"x":' + opening * depth + b"1" + closing * depth + b"}"
    assert server.post("/v2/models/versions/infer", body).status == status


LIMITS = {f"{sign}INT{bits}": np.iinfo(f"{sign.lower()}int{bits}") for sign in ("", "U") for bits in (8, 16, 32, 64)}


@pytest.mark.parametrize("datatype", LIMITS)
def test_1_3_integers_are_those_of_the_datatype(server: Server, datatype: str) -> None:
    """All of them go both ways, and none beyond: Triton and MLServer answer those with other numbers."""
    low, high = int(LIMITS[datatype].min), int(LIMITS[datatype].max)
    assert rest_outputs(infer(server, datatype, [2], [low, high]))["x"].tolist() == [low, high]
    for value in (low - 1, high + 1, 10**30):
        answer = infer(server, datatype, [2], [low, value])
        assert answer.error().startswith("inputs[0].data[1]: ")
        assert answer.status == 400


@pytest.mark.parametrize("datatype", [*LIMITS, "BOOL"])
@pytest.mark.parametrize("text", [b"1.0", b"1.5", b"1e2", b'"1"', b"null", b"{}"])
def test_1_3_nothing_else_is_an_integer_or_a_flag(server: Server, datatype: str, text: bytes) -> None:
    """Not even 1.0."""
    answer = infer(server, datatype, [1], b"[" + text + b"]")
    assert answer.error().startswith("inputs[0].data")
    assert answer.status == 400


@pytest.mark.parametrize(
    ("datatype", "text"), [("BOOL", b"[1]"), ("BOOL", b"[0]"), ("INT8", b"[true]"), ("FP32", b"[true]")]
)
def test_1_3_flags_are_no_numbers(server: Server, datatype: str, text: bytes) -> None:
    """Nor numbers flags."""
    assert infer(server, datatype, [1], text).status == 400


@pytest.mark.parametrize("datatype", ["FP32", "FP64"])
def test_1_3_floats_may_be_written_as_integers(server: Server, datatype: str) -> None:
    """A response writes an FP32 as the double that it is."""
    answer = infer(server, datatype, [2], b"[6.8, 3]")
    shown = {"FP32": b"[6.800000190734863,3.0]", "FP64": b"[6.8,3.0]"}[datatype]
    assert b'"data":' + shown in answer.body


@pytest.mark.parametrize(("datatype", "text"), [("FP32", b"[1e39]"), ("FP64", b"[1e309]"), ("FP32", b'["1"]')])
def test_1_3_a_number_that_is_no_float_of_the_datatype_is_400(server: Server, datatype: str, text: bytes) -> None:
    """Never infinity."""
    assert infer(server, datatype, [1], text).status == 400


@pytest.mark.parametrize("datatype", ["FP16", "BF16"])
def test_1_3_halves_have_no_json_form(server: Server, datatype: str) -> None:
    """Neither way; the texts are Triton's."""
    answer = infer(server, datatype, [1], [1])
    text = f"receiving {datatype} data via JSON is not supported. Please use the binary data format for input 'x'"
    assert (answer.status, text in answer.error()) == (400, True)
    body, headers = binary_body({f"x:{datatype}": np.zeros(1, "f2")}, outputs=[{"name": "x"}])
    answer = server.post(INFER, body, headers)
    text = f"sending {datatype} data via JSON is not supported. Please use the binary data format for output 'x'"
    assert (answer.status, answer.error()) == (400, text)


def test_1_3_bytes_are_text_in_json(server: Server) -> None:
    """With any character, U+0000 too, and however it is escaped."""
    found = rest_outputs(infer(server, "BYTES", [4], b'["a\\u0000b", "\\u00e9", "\xc3\xa9", ""]'))["x"]
    assert found.tolist() == [b"a\0b", "é".encode(), "é".encode(), b""]


def test_1_3_bytes_that_are_no_text_are_400_in_json(server: Server) -> None:
    """The client can ask for binary data."""
    array = np.array([b"a", b"\xff"], object)
    body, headers = binary_body({"x:BYTES": array}, outputs=[{"name": "x"}])
    answer = server.post(INFER, body, headers)
    assert (answer.status, "outputs[0].data[1]: the bytes are not valid UTF-8" in answer.error()) == (400, True)
    body, headers = binary_body({"x:BYTES": array})
    assert rest_outputs(server.post(INFER, body, headers))["x"].tolist() == [b"a", b"\xff"]


def test_1_3_a_scalar_has_one_element_and_a_shape_with_a_zero_none(server: Server) -> None:
    """An element where there should be none is an error, which Triton does not look for."""
    assert rest_outputs(infer(server, "INT32", [], [7]))["x"].tolist() == 7
    assert rest_outputs(infer(server, "INT32", [2, 0, 3], []))["x"].shape == (2, 0, 3)
    assert infer(server, "INT32", [], []).status == 400
    assert infer(server, "INT32", [0], [1]).status == 400


@pytest.mark.parametrize("shape", [[-1], [2**63], [2**64], [2**32, 2**32], [2**62, 4], [1] * 33])
def test_1_3_what_is_no_shape_is_400(server: Server, shape: list[int]) -> None:
    """Negative, or with more elements than can be counted; Triton says 500 to the first."""
    answer = infer(server, "FP64", shape, [1])
    assert answer.error().startswith("inputs[0].shape")
    assert answer.status == 400


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ([2**4, 2**60 + 2], "causes total element count to exceed maximum size of"),
        ([2**2, 2**60 + 2], "byte size overflow for input 'x'"),
    ],
    ids=["elements", "bytes"],
)
def test_1_3_sizes_that_overflow_have_tritons_words(server: Server, shape: list[int], text: str) -> None:
    """Of both kinds: these are what wraps to a few in 64 bits."""
    answer = infer(server, "FP32", shape, [1.0])
    assert (answer.status, text in answer.error()) == (400, True)
    with Grpc(server) as client:
        request = grpc_request("raw", {"x:FP32": np.ones(1, np.float32)})
        request.inputs[0].shape[:] = shape
        status, error = client.fails(request)
    assert (status, text in error) == ("INVALID_ARGUMENT", True)

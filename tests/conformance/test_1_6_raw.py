"""1.6: the layout of raw contents, and of typed ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from grpc_client import Grpc
from tensors import CONTENTS, SAMPLES, grpc_request, pb, to_raw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving import Server

REST = "rest"
GRPC = "grpc"
OF_X = "for inference input 'x' for model 'identity'"


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Grpc]:
    """Return a client."""
    with Grpc(server) as made:
        yield made


def send(server: Server, client: Grpc, front: str, datatype: str, shape: list[int], raw: bytes) -> tuple[bool, str]:
    """Send a raw tensor, and return whether it was the client's fault and the error's text."""
    if front == GRPC:
        request = pb.ModelInferRequest(model_name="identity", raw_input_contents=[raw])
        request.inputs.add(name="x", datatype=datatype, shape=shape)
        status, text = client.fails(request)
        return status == "INVALID_ARGUMENT", text
    tensor = {"name": "x", "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(raw)}}
    head = json.dumps({"inputs": [tensor]})
    answer = server.post(
        "/v2/models/identity/infer", head.encode() + raw, {"Inference-Header-Content-Length": str(len(head))}
    )
    return answer.status == 400, answer.error()


@pytest.mark.parametrize("front", [REST, GRPC])
@pytest.mark.parametrize("datatype", SAMPLES)
@pytest.mark.parametrize("change", [-1, 1])
def test_1_6_the_size_is_that_of_the_shape_to_the_byte(
    server: Server, client: Grpc, front: str, datatype: str, change: int
) -> None:
    """One less and one more are errors that name the tensor, whatever its datatype."""
    raw = to_raw(SAMPLES[datatype])
    blamed, text = send(server, client, front, datatype, [2, 3], raw[:-1] if change < 0 else raw + b"\0")
    assert (blamed, text.startswith("inputs[0].data")) == (True, True)
    assert "(input 'x')" in text


@pytest.mark.parametrize("front", [REST, GRPC])
@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\1\0\0", f"inputs[0].data[0]: incomplete string length indicator {OF_X}, expecting 4 bytes but only 3"),
        (b"\1\0\0\0a", f"inputs[0].data: expected 2 string elements {OF_X}, got 1"),
        (b"\1\0\0\0a\1\0\0", f"inputs[0].data[1]: incomplete string length indicator {OF_X}, expecting 4 bytes but"),
        (
            b"\1\0\0\0a\xff\xff\xff\xff",
            f"inputs[0].data[1]: incomplete string data {OF_X}, expecting string of length 4294967295 but only 0",
        ),
        (
            b"\1\0\0\0a\0\0\0\0\0\0\0\0",
            f"inputs[0].data: unexpected number of string elements 3 {OF_X}, expecting 2",
        ),
    ],
)
def test_1_6_strings_have_their_lengths_in_front(
    server: Server, client: Grpc, front: str, raw: bytes, text: str
) -> None:
    """As many as the shape says, and nothing behind them; the errors have Triton's words."""
    blamed, found = send(server, client, front, "BYTES", [2], raw)
    assert (blamed, found.startswith(text)) == (True, True)


@pytest.mark.parametrize("front", [REST, GRPC])
def test_1_6_a_flag_is_0_or_1(server: Server, client: Grpc, front: str) -> None:
    """Any other byte would count as two in a sum of numpy's."""
    text = "inputs[0].data[2]: expected a BOOL byte of 0 or 1, got 255 (input 'x')"
    assert send(server, client, front, "BOOL", [3], b"\0\1\xff") == (True, text)


def typed(datatype: str, **contents: list[Any]) -> Any:
    """Return a request whose one input has these contents."""
    request = pb.ModelInferRequest(model_name="identity")
    request.inputs.add(name="x", datatype=datatype, shape=[1], contents=pb.InferTensorContents(**contents))
    return request


@pytest.mark.parametrize("datatype", CONTENTS)
def test_1_6_typed_contents_are_those_of_the_datatype(client: Grpc, datatype: str) -> None:
    """Another list is an error that names the right one, also beside it."""
    own = CONTENTS[datatype]
    other = "fp32_contents" if own != "fp32_contents" else "int_contents"
    one: list[Any] = [b"a"] if datatype == "BYTES" else [1]
    for contents in ({other: [1]}, {own: one, other: [1]}):
        status, text = client.fails(typed(datatype, **contents))
        assert status == "INVALID_ARGUMENT"
        assert (
            text == f"inputs[0].contents.{other}: unexpected data in '{other}': {datatype} expects '{own}' (input 'x')"
        )


@pytest.mark.parametrize("datatype", ["FP16", "BF16"])
def test_1_6_halves_have_raw_contents_only(client: Grpc, datatype: str) -> None:
    """As in Triton."""
    status, text = client.fails(typed(datatype, fp32_contents=[1]))
    assert (status, f"{datatype} expects raw contents" in text) == ("INVALID_ARGUMENT", True)


@pytest.mark.parametrize(
    ("datatype", "value"), [("INT8", 128), ("INT8", -129), ("INT16", 1 << 15), ("UINT8", 256), ("UINT16", 1 << 16)]
)
def test_1_6_a_small_integer_is_within_its_range(client: Grpc, datatype: str, value: int) -> None:
    """Triton takes the low bytes."""
    status, text = client.fails(typed(datatype, **{CONTENTS[datatype]: [value]}))
    assert (status, text.startswith("inputs[0].data[0]: ")) == ("INVALID_ARGUMENT", True)


def test_1_6_raw_bytes_are_little_endian_and_row_major(client: Grpc) -> None:
    """On any machine."""
    array = np.array([[1, 2], [3, 4]], "<u2")
    request = grpc_request("identity", {"x:UINT16": array})
    assert request.raw_input_contents[0] == bytes.fromhex("0100 0200 0300 0400")
    assert list(client.infer(request).raw_output_contents) == [array.tobytes()]

"""1.5: what other writers of protobuf may put on the wire; test_grpc_messages.py has the rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from grpc_client import Grpc
from tensors import grpc_outputs, grpc_request, pb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving import Server


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Grpc]:
    """Return a client."""
    with Grpc(server) as made:
        yield made


def infer(client: Grpc, data: bytes) -> dict[str, list[object]]:
    """Send a request as these bytes, and return the outputs' elements."""
    response = pb.ModelInferResponse.FromString(client.call("ModelInfer", data))
    return {name: array.tolist() for name, array in grpc_outputs(response).items()}


TENSOR = b"\n\x01x\x12\x05INT32"
NAME = b"\n\x08identity"
RAW = b"\x05\0\0\0\xff\xff\xff\xff"


def member(tag: int, data: bytes) -> bytes:
    """Return a field of bytes."""
    return bytes((tag, len(data))) + data


ENCODINGS = {
    "a packed shape": NAME + member(0x2A, TENSOR + b"\x1a\x01\x02") + member(0x3A, RAW),
    "an unpacked shape": NAME + member(0x2A, TENSOR + b"\x18\x02") + member(0x3A, RAW),
    "a varint that is longer than it must be": NAME + member(0x2A, TENSOR + b"\x18\x82\x80\x00") + member(0x3A, RAW),
    "packed contents": NAME
    + member(0x2A, TENSOR + b"\x18\x02" + member(0x2A, member(0x12, b"\x05" + b"\xff" * 9 + b"\x01"))),
    "unpacked contents": NAME
    + member(0x2A, TENSOR + b"\x18\x02" + member(0x2A, b"\x10\x05\x10" + b"\xff" * 9 + b"\x01")),
    "contents in two parts, which are merged": NAME
    + member(0x2A, TENSOR + b"\x18\x02" + member(0x2A, b"\x10\x05") + member(0x2A, b"\x10" + b"\xff" * 9 + b"\x01")),
    "a name twice, of which the last counts": b"\n\x04none" + NAME
    + member(0x2A, TENSOR + b"\x18\x02") + member(0x3A, RAW),
    "members in any order": member(0x3A, RAW) + member(0x2A, TENSOR + b"\x18\x02") + NAME,
    "unknown fields of every wire type": b"\xf8\x07\x01\xf9\x07" + bytes(8) + b"\xfa\x07\x02ab\xfd\x07" + bytes(4)
    + NAME + member(0x2A, TENSOR + b"\xf8\x07\x01\x18\x02") + member(0x3A, RAW),
}  # fmt: skip


@pytest.mark.parametrize("data", ENCODINGS.values(), ids=ENCODINGS)
def test_1_5_every_way_to_write_a_message_is_read(client: Grpc, data: bytes) -> None:
    """The same request, as other writers put it."""
    assert infer(client, data) == {"x": [5, -1]}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (b"\n\x01k\x12\x02\x08\x00", {"k": False}),
        (b"\n\x01k\x12\x02\x10\x00", {"k": 0}),
        (b"\n\x01k\x12\x02\x1a\x00", {"k": ""}),
        (b"\n\x01k\x12\x00", {}),
        (b"\n\x01k", {}),
        (b"\x12\x02\x08\x01", {"": True}),
        (b"", {}),
        (b"\x12\x04\x08\x01\x10\x07\n\x01k", {"k": 7}),
    ],
)
def test_1_5_a_parameter_is_there_with_its_default_value_and_without_a_key(
    client: Grpc, entry: bytes, expected: dict[str, object]
) -> None:
    """Of a oneof that comes twice the last counts; one that is not set is none."""
    response = pb.ModelInferResponse.FromString(client.call("ModelInfer", b"\n\x06report" + member(0x22, entry)))
    found = json.loads(grpc_outputs(response)["report"][0])["parameters"]
    assert {name: value for name, value in found.items() if value is not None} == expected


def test_1_5_an_empty_raw_entry_is_an_entry_and_a_scalar_has_no_shape(client: Grpc) -> None:
    """``3a 00`` on the wire, and a tensor without field 3."""
    arrays = {"none:INT32": np.zeros((0,), "i4"), "one:INT32": np.array(7, "i4")}
    data = grpc_request("identity", arrays).SerializeToString()
    assert b"\x3a\x00" in data
    assert infer(client, data) == {"none": [], "one": 7}


@pytest.mark.parametrize(
    "data", [b"\x0b", b"\x0c", b"\n\x05ab", b"\n\x02\xff\xfe", b"\x00\x00", b"\xff" * 11, b"\n"], ids=repr
)
def test_1_5_what_is_no_message_is_an_invalid_argument(client: Grpc, data: bytes) -> None:
    """Groups, tags of nothing, text that is no UTF-8, and whatever ends too early; the connection goes on."""
    status, text = client.fails(data)
    assert (status, bool(text)) == ("INVALID_ARGUMENT", True)
    assert infer(client, ENCODINGS["a packed shape"]) == {"x": [5, -1]}


@pytest.mark.parametrize("model", ["nobody", ""])
def test_1_5_a_model_that_is_not_there_is_not_ready(client: Grpc, model: str) -> None:
    """OK and false: tritonclient asks after an unload."""
    data = client.call("ModelReady", pb.ModelReadyRequest(name=model).SerializeToString())
    assert pb.ModelReadyResponse.FromString(data).ready is False


def test_1_5_messages_have_the_limit_of_the_server_and_no_other(server: Server) -> None:
    """5 MiB here, where gRPC servers of other languages stop at 4."""
    array = np.arange(5 << 18, dtype=np.int32)
    with Grpc(server) as client:
        found = grpc_outputs(client.infer(grpc_request("identity", {"x:INT32": array})))
    assert np.array_equal(found["x"], array)

"""2.4: what test_triton_shared_memory.py, which uses Triton's own clients, cannot send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from grpc_client import Grpc
from memory_objects import memory_object, needs_folder
from serving import MODELS
from tensors import grpc_request, pb

if TYPE_CHECKING:
    from serving import Serve, Server

pytestmark = needs_folder

SYSTEM = "/v2/systemsharedmemory"
INFER = "/v2/models/identity/infer"


@pytest.fixture(scope="module")
def own(serve_module: Serve) -> Server:
    """Return a server on which clients may register memory."""
    return serve_module(MODELS / "shared", allow_client_shm="true").wait_started()


def tensor(**parameters: object) -> dict[str, Any]:
    """Return an input of one number."""
    return {"name": "x", "datatype": "INT32", "shape": [1], "parameters": parameters}


@pytest.mark.parametrize("key", ["", "/", "///", "a/b", "/../a"])
def test_2_4_a_key_is_the_name_of_one_object(own: Server, key: str) -> None:
    """Slashes would lead elsewhere; both protocols refuse them."""
    text = "Unable to open shared memory region: 'k'"
    answer = own.post(f"{SYSTEM}/region/k/register", {"key": key, "offset": 0, "byte_size": 4})
    assert (answer.status, text in answer.error()) == (400, True)
    with Grpc(own) as client:
        request = pb.SystemSharedMemoryRegisterRequest(name="k", key=key, byte_size=4)
        status, details = client.fails(request, "SystemSharedMemoryRegister")
    assert (status, text in details) == ("INVALID_ARGUMENT", True)


def test_2_4_a_region_may_start_anywhere_and_its_offset_may_be_left_out(own: Server) -> None:
    """Triton wants it at a page; the server keeps no memory of its own whose names it would have to refuse."""
    with memory_object(12) as memory:
        memory.content[:12] = np.array([1, 2, 3], np.int32).tobytes()
        for name, members, first in (("a", {}, 1), ("b", {"offset": 4}, 2)):
            registered = own.post(f"{SYSTEM}/region/{name}/register", {"key": memory.name, "byte_size": 8, **members})
            assert registered.status == 200
            inside = tensor(shared_memory_region=name, shared_memory_byte_size=4)
            answer: Any = own.post(INFER, {"inputs": [inside]}).json()
            assert answer["outputs"][0]["data"] == [first]
            inside = tensor(shared_memory_region=name, shared_memory_byte_size=4, shared_memory_offset=4)
            answer = own.post(INFER, {"inputs": [inside]}).json()
            assert answer["outputs"][0]["data"] == [first + 1]
        for name in ("a", "b", "a", "nobody"):
            assert own.post(f"{SYSTEM}/region/{name}/unregister").status == 200
    assert own.get(f"{SYSTEM}/status").json() == []


def test_2_4_a_tensor_has_its_data_in_one_place(own: Server) -> None:
    """In the message, behind it, or in a region."""
    with memory_object(4) as memory:
        assert own.post(f"{SYSTEM}/region/r/register", {"key": memory.name, "byte_size": 4}).status == 200
        inside = {"shared_memory_region": "r", "shared_memory_byte_size": 4}
        for body in (
            {"inputs": [{**tensor(**inside), "data": [1]}]},
            {"inputs": [tensor(**inside, binary_data_size=4)]},
        ):
            answer = own.post(INFER, body)
            assert (answer.status, "Input must set only one of the following fields" in answer.error()) == (400, True)
        request = grpc_request("identity", {"x:INT32": np.ones(1, np.int32)}, typed=True)
        request.inputs[0].parameters["shared_memory_region"].string_param = "r"
        request.inputs[0].parameters["shared_memory_byte_size"].int64_param = 4
        with Grpc(own) as client:
            status, _ = client.fails(request)
        assert status == "INVALID_ARGUMENT"
        own.post(f"{SYSTEM}/unregister")


@pytest.mark.parametrize(
    "parameters",
    [
        {"shared_memory_region": "r"},
        {"shared_memory_region": "r", "shared_memory_byte_size": "4"},
        {"shared_memory_region": "r", "shared_memory_byte_size": -4},
        {"shared_memory_region": "r", "shared_memory_byte_size": 4, "shared_memory_offset": -1},
        {"shared_memory_region": 7, "shared_memory_byte_size": 4},
    ],
)
def test_2_4_the_parameters_of_a_tensor_in_memory(own: Server, parameters: dict[str, Any]) -> None:
    """The region's name, and a size that is a number; an offset may be left out."""
    assert own.post(INFER, {"inputs": [tensor(**parameters)]}).status == 400
    request = grpc_request("identity", {"x:INT32": np.ones(1, np.int32)})
    del request.raw_input_contents[:]
    for name, value in parameters.items():
        member = "string_param" if isinstance(value, str) else "int64_param"
        setattr(request.inputs[0].parameters[name], member, value)
    with Grpc(own) as client:
        assert client.fails(request)[0] == "INVALID_ARGUMENT"


def test_2_4_a_region_of_another_is_not_replaced(own: Server) -> None:
    """A name is one region's, over either protocol, until it is unregistered."""
    with memory_object(8) as memory:
        request = pb.SystemSharedMemoryRegisterRequest(name="n", key=memory.name, offset=4, byte_size=4)
        with Grpc(own) as client:
            assert client.call("SystemSharedMemoryRegister", request.SerializeToString()) == b""
            answer = own.post(f"{SYSTEM}/region/n/register", {"key": memory.name, "byte_size": 8})
            assert (answer.status, answer.error()) == (400, "shared memory region 'n' already in manager")
            expected = [{"name": "n", "key": memory.name, "offset": 4, "byte_size": 4}]
            assert own.get(f"{SYSTEM}/region/n/status").json() == expected
            client.call("SystemSharedMemoryUnregister", pb.SystemSharedMemoryUnregisterRequest().SerializeToString())
    assert own.get(f"{SYSTEM}/region/n/status").status == 404

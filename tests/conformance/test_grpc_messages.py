"""grpcio with the messages of tritonclient: what the client classes do not send, and what other clients do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
from grpc_client import Grpc
from tensors import CONTENTS, SAMPLES, grpc_outputs, grpc_request, pb, same, variants
from tritonclient.grpc import service_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving import Server


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Grpc]:
    """Return a client."""
    with Grpc(server) as made:
        yield made


@pytest.mark.parametrize("datatype", CONTENTS)
def test_typed_contents_of_every_datatype(client: Grpc, datatype: str) -> None:
    """D1: typed inputs are answered with typed outputs, whatever the shape."""
    arrays = {f"{name}:{datatype}": array for name, array in variants(datatype).items()}
    response = client.infer(grpc_request("identity", arrays, typed=True))
    assert not response.raw_output_contents
    found = grpc_outputs(response)
    for key, array in arrays.items():
        assert same(found[key.split(":")[0]], array), key


def test_typed_contents_over_the_asyncio_stub(server: Server) -> None:
    """The same from grpc.aio, with the stub that tritonclient generates."""

    async def use() -> Any:
        async with grpc.aio.insecure_channel(server.grpc_address) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            return await stub.ModelInfer(grpc_request("identity", {"x:FP32": SAMPLES["FP32"]}, typed=True))

    response = asyncio.run(use())
    assert list(response.outputs[0].contents.fp32_contents) == SAMPLES["FP32"].ravel().tolist()


def test_d1_raw_inputs_are_answered_with_raw_outputs(client: Grpc) -> None:
    """The clients that send raw contents read nothing else."""
    response = client.infer(grpc_request("identity", {"x:INT32": SAMPLES["INT32"]}))
    assert list(response.raw_output_contents) == [SAMPLES["INT32"].tobytes()]
    assert not response.outputs[0].HasField("contents")


@pytest.mark.parametrize("model", ["versions", "tasks"])
def test_d1_a_request_without_inputs_is_answered_with_raw_outputs(client: Grpc, model: str) -> None:
    """Nothing was typed, so nothing is."""
    response = client.infer(pb.ModelInferRequest(model_name=model))
    assert len(response.raw_output_contents) == len(response.outputs) == 1


def test_d2_there_is_one_raw_entry_for_each_output(client: Grpc) -> None:
    """In the outputs' order, and empty for a tensor without elements."""
    arrays = {"a:INT32": SAMPLES["INT32"], "none:FP32": np.zeros((0, 4), np.float32), "b:BYTES": SAMPLES["BYTES"]}
    response = client.infer(grpc_request("identity", arrays))
    assert [output.name for output in response.outputs] == ["a", "none", "b"]
    assert len(response.raw_output_contents) == 3
    assert response.raw_output_contents[1] == b""
    assert same(grpc_outputs(response)["b"], SAMPLES["BYTES"])


@pytest.mark.parametrize("entries", [0, 1, 3])
def test_d3_the_number_of_raw_entries_must_be_that_of_the_inputs(client: Grpc, entries: int) -> None:
    """One too many, which Triton ignores, is an error as one too few is."""
    request = grpc_request("identity", {"a:INT32": np.zeros(1, np.int32), "b:INT32": np.zeros(1, np.int32)})
    del request.raw_input_contents[:]
    request.raw_input_contents.extend([bytes(4)] * entries)
    status, text = client.fails(request)
    assert status == "INVALID_ARGUMENT"
    expected = f"raw input contents ({entries})" if entries else "inputs[0].contents: expected 1 elements"
    assert expected in text


def test_d4_empty_contents_beside_raw_ones_count_as_none(client: Grpc) -> None:
    """MLServer's clients send them."""
    request = grpc_request("identity", {"x:INT32": SAMPLES["INT32"]})
    request.inputs[0].contents.SetInParent()
    assert request.inputs[0].HasField("contents")
    response = client.infer(request)
    assert same(grpc_outputs(response)["x"], SAMPLES["INT32"])


def test_d4_filled_contents_beside_raw_ones_are_refused(client: Grpc) -> None:
    """Nobody could say which of them was meant."""
    request = grpc_request("identity", {"x:INT32": SAMPLES["INT32"]})
    request.inputs[0].contents.int_contents.append(1)
    status, text = client.fails(request)
    assert status == "INVALID_ARGUMENT"
    assert "contents field must not be specified when using raw_input_contents for input 'x'" in text


@pytest.mark.parametrize("datatype", ["FP16", "BF16"])
def test_d1_a_datatype_without_typed_contents_makes_every_output_raw(server: Server, datatype: str) -> None:
    """Typed outputs for some and raw ones for others would be no valid response."""
    with Grpc(server) as client:
        request = grpc_request("identity", {"x:INT32": SAMPLES["INT32"]}, typed=True)
        request.inputs.add(name="half", datatype=datatype, shape=[0])
        response = client.infer(request)
    assert list(response.raw_output_contents) == [SAMPLES["INT32"].tobytes(), b""]


def test_d12_kserve_names_the_model_in_field_one(client: Grpc) -> None:
    """Its client's request is served, and answered with the fields that it reads; Triton's skip those."""
    # KServe: {model_name = 1} -> {model_name = 1, isLoaded = 2}.
    answer = client.call("RepositoryModelLoad", b"\n\x08identity")
    assert answer == b"\n\x08identity\x10\x01"
    pb.RepositoryModelLoadResponse.FromString(answer)


def test_d12_a_repository_name_beside_a_model_name_is_unimplemented(client: Grpc) -> None:
    """As it is in Triton."""
    request = pb.RepositoryModelLoadRequest(repository_name="r", model_name="identity")
    status, text = client.fails(request, "RepositoryModelLoad")
    assert (status, "'repository_name' specification is not supported" in text) == ("UNIMPLEMENTED", True)


def test_mlservers_second_service_has_the_same_operations(client: Grpc) -> None:
    """``inference.model_repository.ModelRepositoryService``."""
    service = "/inference.model_repository.ModelRepositoryService/"
    index = pb.RepositoryIndexResponse.FromString(client.call(f"{service}RepositoryIndex", b""))
    assert any(entry.name == "identity" for entry in index.models)
    client.call(
        f"{service}RepositoryModelLoad", pb.RepositoryModelLoadRequest(model_name="same_one").SerializeToString()
    )
    status, text = client.fails(pb.RepositoryModelLoadRequest(model_name="none"), f"{service}RepositoryModelLoad")
    assert (status, "failed to load 'none'" in text) == ("INVALID_ARGUMENT", True)
    for rpc in ("RepositoryIndex", "RepositoryModelLoad", "RepositoryModelUnload"):
        status, text = client.fails(pb.RepositoryModelLoadRequest(repository_name="r"), f"{service}{rpc}")
        assert (status, "'repository_name' specification is not supported" in text) == ("UNIMPLEMENTED", True)


@pytest.mark.parametrize("path", ["/inference.GRPCInferenceService/Nothing", "/some.Service/Call"])
def test_unknown_methods_and_services_are_unimplemented(client: Grpc, path: str) -> None:
    """As gRPC demands."""
    status, text = client.fails(b"", path)
    assert status == "UNIMPLEMENTED"
    assert text


def test_every_kind_of_parameter_comes_through(client: Grpc) -> None:
    """Also those of the newer protocol, and a default value is a value."""
    request = grpc_request("report", {"x:INT32": np.zeros(1, np.int32)})
    request.parameters["b"].bool_param = False
    request.parameters["i"].int64_param = -(2**63)
    request.parameters["s"].string_param = "é"
    request.parameters["d"].double_param = 0.5
    request.parameters["u"].uint64_param = 2**64 - 1
    request.inputs[0].parameters["mine"].int64_param = 0
    found = eval_report(client.infer(request))
    assert found["parameters"] == {"b": False, "i": -(2**63), "s": "é", "d": 0.5, "u": 2**64 - 1}
    assert found["inputs"][0]["parameters"] == {"mine": 0}


def test_metadata_is_what_the_runtime_sees_as_headers(client: Grpc) -> None:
    """Binary values as base64 text; what the runtime answers comes as trailing metadata."""
    request = grpc_request("report", {"x:INT32": np.zeros(1, np.int32)})
    headers = eval_report(client.infer(request, metadata=[("x-echo", "a b"), ("x-raw-bin", b"\x00\xff")]))["headers"]
    assert headers["x-echo"] == "a b"
    assert headers["x-raw-bin"] == "AP8="

    request = grpc_request("headers", {"x:INT32": np.zeros(1, np.int32)})
    call = client.start(request, metadata=[("x-echo", "again")])
    call.result()
    assert ("x-echo", "again") in [tuple(each) for each in call.trailing_metadata()]


def eval_report(response: Any) -> Any:
    """Return what the model ``report`` says."""
    import json

    return json.loads(grpc_outputs(response)["report"][0])

"""The standard services of gRPC with grpcio's own clients: health checking and reflection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_client import Grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from serving import MODELS, PATIENCE
from tensors import pb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving import Serve, Server

SERVICES = {
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "inference.GRPCInferenceService",
    "inference.model_repository.ModelRepositoryService",
}


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Grpc]:
    """Return a client."""
    with Grpc(server) as made:
        yield made


def test_health_check(client: Grpc) -> None:
    """The server and each of its services are SERVING; another service is NOT_FOUND."""
    stub: Any = health_pb2_grpc.HealthStub(client.channel)
    for service in ("", *SERVICES):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.RpcError) as caught:
        stub.Check(health_pb2.HealthCheckRequest(service="nobody"), timeout=PATIENCE)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert "nobody" in error.details()


def test_health_list(client: Grpc) -> None:
    """Every service has a status."""
    # grpcio's stub has no List yet: HealthListResponse {map<string, HealthCheckResponse> statuses = 1}.
    answer = client.call("/grpc.health.v1.Health/List", b"")
    for service in SERVICES:
        assert service.encode() in answer


def test_health_watch_tells_of_every_change(serve: Serve, tmp_path: Any) -> None:
    """SERVING, NOT_SERVING when a model fails, SERVING when it is mended; an unknown service is no error here."""
    import shutil

    shutil.copytree(MODELS / "shared" / "identity", tmp_path / "identity")
    server = serve(tmp_path).wait_started()
    code = tmp_path / "identity" / "models.py"
    good = code.read_text("utf-8")
    with Grpc(server) as client:
        stub: Any = health_pb2_grpc.HealthStub(client.channel)
        unknown = stub.Watch(health_pb2.HealthCheckRequest(service="nobody"), timeout=PATIENCE)
        assert next(unknown).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        unknown.cancel()
        watch = stub.Watch(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        assert server.post("/v2/repository/models/identity/unload").status == 200
        code.write_text("raise ValueError('broken')", encoding="utf-8")
        assert server.post("/v2/repository/models/identity/load").status == 400
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        code.write_text(good, encoding="utf-8")
        assert server.post("/v2/repository/models/identity/load").status == 200
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()
    server.faults_expected = True


def test_reflection_lists_the_services(client: Grpc) -> None:
    """With the client of v1alpha that grpcio has."""
    database: Any = ProtoReflectionDescriptorDatabase(client.channel)
    assert set(database.get_services()) == SERVICES


def test_reflected_descriptors_resolve_every_message(client: Grpc) -> None:
    """All types that the services use can be made from what reflection gives, and fit the published messages."""
    pool: Any = DescriptorPool(ProtoReflectionDescriptorDatabase(client.channel))
    count = 0
    for name in SERVICES:
        for method in pool.FindServiceByName(name).methods:
            for message in (method.input_type, method.output_type):
                GetMessageClass(message)()
                count += 1
    assert count > 40
    reflected = GetMessageClass(pool.FindMessageTypeByName("inference.ModelInferRequest"))
    request = pb.ModelInferRequest(model_name="m", raw_input_contents=[b"", b"x"])
    request.inputs.add(name="i", datatype="FP32", shape=[2]).contents.fp32_contents.extend([1, 2])
    request.parameters["k"].double_param = 1.5
    read: Any = reflected.FromString(request.SerializeToString())
    assert read.SerializeToString(deterministic=True) == request.SerializeToString(deterministic=True)


def test_reflection_answers_what_it_does_not_know_with_an_error_response(client: Grpc) -> None:
    """The stream goes on after it; version 1 of the service gives the same bytes."""
    requests = [
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="no.Such"),
        reflection_pb2.ServerReflectionRequest(file_by_filename="none.proto"),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="inference.ModelInferRequest"),
    ]
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(client.channel)
    answers = list(stub.ServerReflectionInfo(iter(requests), timeout=PATIENCE))
    assert [answer.error_response.error_code for answer in answers[:2]] == [5, 5]
    assert "no.Such" in answers[0].error_response.error_message
    files = [
        descriptor_pb2.FileDescriptorProto.FromString(each)
        for each in answers[2].file_descriptor_response.file_descriptor_proto
    ]
    assert any(message.name == "ModelInferRequest" for file in files for message in file.message_type)
    one = client.channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
    raw = list(one(iter([request.SerializeToString() for request in requests]), timeout=PATIENCE))
    assert raw == [answer.SerializeToString() for answer in answers]

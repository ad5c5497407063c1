"""The gRPC front on a socket, with grpclib's client."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import weakref
from typing import TYPE_CHECKING

import numpy as np
import pytest
from fronts import in_memory
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpclib.client import Channel
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from serving import GRPC_TRANSPORT, PATIENCE

from srv import MLModel, ModelSettings, Settings
from srv.grpc._server import GrpcServer
from srv.types import InferenceRequest, InferenceResponse
from srv_protocol._gen import grpc_reflection_v1 as v1
from srv_protocol._gen import grpc_reflection_v1alpha as v1alpha
from srv_protocol._gen.descriptors import SERVICES
from srv_protocol._gen.grpc_health_v1 import HealthCheckRequest, HealthListRequest, ServingStatus
from srv_protocol._gen.grpc_health_v1_grpc import HealthStub
from srv_protocol._gen.grpc_reflection_v1_grpc import ServerReflectionStub
from srv_protocol._gen.grpc_reflection_v1alpha_grpc import ServerReflectionStub as ServerReflectionAlphaStub
from srv_protocol._gen.inference import InferTensorContents
from srv_protocol.inference import (
    InferInputTensor,
    ModelInferRequest,
    ModelInferResponse,
    ModelReadyRequest,
    RepositoryIndexRequest,
    RepositoryModelUnloadRequest,
)
from srv_protocol.inference_grpc import GRPCInferenceServiceStub

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from srv._server import Server


@contextlib.asynccontextmanager
async def channel(settings: Settings | None = None) -> AsyncGenerator[tuple[Channel, Server, GrpcServer]]:
    settings = settings or Settings(grpc_transport=GRPC_TRANSPORT)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with in_memory(settings) as server:
            front = GrpcServer(server.backend, listener)
            await front.open()
            async with Channel(port=listener.getsockname()[1], codec=front._codec) as opened:
                yield opened, server, front
            await front.stop(0)


def raw(model: str, *values: int, id: str = "", version: str = "") -> ModelInferRequest:  # noqa: A002  # the name on the wire
    data = np.array(values, "<i4").tobytes()
    inputs = [InferInputTensor("x", "INT32", [len(values)])]
    return ModelInferRequest(model, version, id, inputs=inputs, raw_input_contents=[data])


def values(response: ModelInferResponse | None) -> list[int]:
    assert response is not None
    (data,) = response.raw_output_contents
    return [int(value) for value in np.frombuffer(data, "<i4")]


def test_a_call_with_metadata_both_ways() -> None:
    async def run() -> None:
        async with channel() as (opened, _, _):
            call = GRPCInferenceServiceStub(opened).ModelInfer.open(metadata={"x-sent": "a"})
            async with call as stream:
                await stream.send_message(raw("echo", 1, 2, id="7"), end=True)
                response = await stream.recv_message()
                await stream.recv_trailing_metadata()

        assert response is not None
        assert (response.model_name, response.id) == ("echo", "7")
        assert values(response) == [1, 2]
        assert stream.trailing_metadata is not None
        assert stream.trailing_metadata["x-seen"] == "a"

    asyncio.run(run())


def test_the_answer_has_the_form_of_the_request() -> None:
    async def run() -> None:
        contents = InferTensorContents(int_contents=[1, 2])
        typed = ModelInferRequest("echo", inputs=[InferInputTensor("x", "INT32", [2], contents=contents)])
        async with channel() as (opened, _, _):
            response = await GRPCInferenceServiceStub(opened).ModelInfer(typed)

        assert response.raw_output_contents == []
        assert response.outputs[0].contents is not None
        assert list(response.outputs[0].contents.int_contents) == [1, 2]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("request_", "status", "text"),
    [
        (raw("refusing", 1), Status.INVALID_ARGUMENT, "x: not this one"),
        (ModelInferRequest("echo", inputs=[InferInputTensor("x", "INT32", [2])]), Status.INVALID_ARGUMENT, "x"),
        (raw("unknown", 1), Status.NOT_FOUND, "unknown"),
        (raw("", 1), Status.NOT_FOUND, ""),
        (raw("echo", 1, version="9"), Status.NOT_FOUND, "9"),
        (raw("echo", *range(300)), Status.RESOURCE_EXHAUSTED, "max_request_size"),
        (raw("breaking", 1), Status.UNIMPLEMENTED, "decoupled"),
    ],
    ids=["refused", "without data", "unknown", "without name", "version", "large", "decoupled"],
)
def test_errors_have_their_status(request_: ModelInferRequest, status: Status, text: str) -> None:
    async def run() -> None:
        async with channel(Settings(max_request_size=1000, grpc_transport=GRPC_TRANSPORT)) as (opened, _, _):
            with pytest.raises(GRPCError) as caught:
                await GRPCInferenceServiceStub(opened).ModelInfer(request_)

        assert caught.value.status is status
        assert text in (caught.value.message or "")

    asyncio.run(run())


def test_an_exception_of_a_runtime_is_logged_and_hidden(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with channel() as (opened, _, _):
            with pytest.raises(GRPCError) as caught:
                await GRPCInferenceServiceStub(opened).ModelInfer(raw("broken", 1))

        assert (caught.value.status, caught.value.message) == (Status.INTERNAL, "internal server error")
        assert "KeyError: 'secret'" in caplog.text

    asyncio.run(run())


def test_a_stream_goes_on_after_an_error() -> None:
    async def run() -> None:
        async with channel() as (opened, _, _):
            sent = [raw("breaking", 2, id="a"), raw("unknown", 1, id="b"), raw("echo", 5, id="c")]
            first, second, broken, unknown, last = await GRPCInferenceServiceStub(opened).ModelStreamInfer(sent)

        assert [values(each.infer_response) for each in (first, second, last)] == [[0], [1], [5]]
        assert [each.error_message for each in (first, second, last)] == ["", "", ""]
        assert broken.error_message == "internal server error"
        assert "unknown" in unknown.error_message
        received = [each.infer_response for each in (first, second, broken, unknown, last)]
        assert [each and each.id for each in received] == ["a", "a", "a", "b", "c"]

    asyncio.run(run())


def test_a_stream_that_waits_for_its_client_holds_no_request() -> None:
    """Clients keep streams open, and requests may be large."""
    gone = asyncio.Event()

    class Watched(MLModel):
        async def predict(self, payload: InferenceRequest) -> InferenceResponse:
            weakref.finalize(payload, gone.set)
            return InferenceResponse()

    async def run() -> None:
        async with channel() as (opened, server, _):
            await server.registry.load(ModelSettings(name="watched", implementation=Watched))
            gc.disable()
            try:
                async with GRPCInferenceServiceStub(opened).ModelStreamInfer.open() as stream:
                    await stream.send_message(raw("watched", 1))
                    await stream.recv_message()
                    await asyncio.wait_for(gone.wait(), PATIENCE)
                    await stream.end()
            finally:
                gc.enable()

    asyncio.run(run())


def test_a_server_that_stops_refuses_calls() -> None:
    async def run() -> None:
        async with channel() as (opened, _, grpc):
            grpc._calls.refusing = True
            with pytest.raises(GRPCError) as caught:
                await GRPCInferenceServiceStub(opened).ModelInfer(raw("echo", 1))

        assert (caught.value.status, caught.value.message) == (Status.UNAVAILABLE, "the server is shutting down")

    asyncio.run(run())


def test_the_watch_of_the_health_sees_every_change() -> None:
    async def run() -> None:
        async with channel() as (opened, server, _), HealthStub(opened).Watch.open() as stream:
            await stream.send_message(HealthCheckRequest(), end=True)
            seen = [await stream.recv_message()]
            for change in (server.state.set_started, server.state.set_stopping):
                change()
                seen.append(await stream.recv_message())
            server.state.set_draining()
            assert await stream.recv_message() is None

        statuses = [each and each.status for each in seen]
        assert statuses == [ServingStatus.NOT_SERVING, ServingStatus.SERVING, ServingStatus.NOT_SERVING]

    asyncio.run(run())


def test_the_health_of_services() -> None:
    async def run() -> None:
        async with channel() as (opened, server, _):
            server.state.set_started()
            health = HealthStub(opened)
            known = await health.Check(HealthCheckRequest(service=SERVICES[0]))
            listed = await health.List(HealthListRequest())
            with pytest.raises(GRPCError) as caught:
                await health.Check(HealthCheckRequest(service="unknown"))

        assert known.status is ServingStatus.SERVING
        assert set(listed.statuses) == {"", *SERVICES}
        assert caught.value.status is Status.NOT_FOUND

    asyncio.run(run())


def test_an_unloaded_model_is_in_the_index_and_not_ready() -> None:
    async def run() -> None:
        async with channel() as (opened, _, _):
            stub = GRPCInferenceServiceStub(opened)
            assert (await stub.ModelReady(ModelReadyRequest(name="echo"))).ready
            await stub.RepositoryModelUnload(RepositoryModelUnloadRequest(model_name="echo"))
            assert not (await stub.ModelReady(ModelReadyRequest(name="echo"))).ready
            index = (await stub.RepositoryIndex(RepositoryIndexRequest())).models

        assert {each.name: each.state for each in index}["echo"] == "UNAVAILABLE"

    asyncio.run(run())


def test_reflection_describes_the_services() -> None:
    async def run() -> None:
        asked = [
            v1.ServerReflectionRequest(list_services=""),
            v1.ServerReflectionRequest(file_containing_symbol="inference.GRPCInferenceService.ModelInfer"),
            v1.ServerReflectionRequest(file_by_filename="unknown.proto"),
        ]
        async with channel() as (opened, _, _):
            services, file, unknown = answers = await ServerReflectionStub(opened).ServerReflectionInfo(asked)
            alpha = await ServerReflectionAlphaStub(opened).ServerReflectionInfo(
                [v1alpha.ServerReflectionRequest.parse(bytes(each)) for each in asked]
            )

        assert services.list_services_response is not None
        assert [each.name for each in services.list_services_response.service] == SERVICES
        assert file.file_descriptor_response is not None
        found = [FileDescriptorProto.FromString(each) for each in file.file_descriptor_response.file_descriptor_proto]
        assert "GRPCInferenceService" in {service.name for each in found for service in each.service}
        assert unknown.error_response is not None
        assert unknown.error_response.error_code == Status.NOT_FOUND.value
        assert [bytes(each) for each in alpha] == [bytes(each) for each in answers]

    asyncio.run(run())

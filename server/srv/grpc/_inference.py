"""``inference.GRPCInferenceService`` and MLServer's ``inference.model_repository.ModelRepositoryService``.

RPCs that are not overridden answer UNIMPLEMENTED.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from srv._status import describe_error
from srv.grpc._calls import request_headers, response_metadata
from srv.grpc._messages import receive_one, requests, send
from srv_codecs.grpc import bind_request, lower_response
from srv_protocol import model_repository as repository_messages
from srv_protocol.errors import InvalidInput, ModelNotFound, Unsupported
from srv_protocol.inference import (
    ModelConfigRequest,
    ModelConfigResponse,
    ModelInferRequest,
    ModelInferResponse,
    ModelMetadataRequest,
    ModelMetadataResponse,
    ModelReadyRequest,
    ModelReadyResponse,
    ModelStreamInferResponse,
    RepositoryIndexRequest,
    RepositoryIndexResponse,
    RepositoryModelLoadRequest,
    RepositoryModelLoadResponse,
    RepositoryModelUnloadRequest,
    RepositoryModelUnloadResponse,
    ServerLiveRequest,
    ServerLiveResponse,
    ServerMetadataRequest,
    ServerMetadataResponse,
    ServerReadyRequest,
    ServerReadyResponse,
)
from srv_protocol.inference_grpc import GRPCInferenceServiceBase
from srv_protocol.model_repository import ModelRepositoryServiceBase

if TYPE_CHECKING:
    from grpclib.server import Stream

    from srv._controlplane import ControlPlane
    from srv._dataplane import DataPlane
    from srv._settings import Settings
    from srv._state import ServerState


class InferenceService(GRPCInferenceServiceBase):
    """Health, metadata, inference and the model repository."""

    def __init__(
        self, settings: Settings, dataplane: DataPlane, controlplane: ControlPlane, state: ServerState
    ) -> None:
        self._draining = state.draining
        self._mirror = settings.grpc_output == "mirror"
        self._dataplane = dataplane
        self._controlplane = controlplane

    async def ServerLive(self, stream: Stream[ServerLiveRequest, ServerLiveResponse]) -> None:
        await receive_one(stream)
        await stream.send_message(ServerLiveResponse(live=self._dataplane.is_live()))

    async def ServerReady(self, stream: Stream[ServerReadyRequest, ServerReadyResponse]) -> None:
        await receive_one(stream)
        await stream.send_message(ServerReadyResponse(ready=self._dataplane.is_ready()))

    async def ModelReady(self, stream: Stream[ModelReadyRequest, ModelReadyResponse]) -> None:
        request = await receive_one(stream)
        try:
            ready = self._dataplane.is_model_ready(request.name, request.version)
        except ModelNotFound:
            # Triton's clients ask after an unload, and expect an answer rather than an error.
            ready = False
        await stream.send_message(ModelReadyResponse(ready=ready))

    async def ServerMetadata(self, stream: Stream[ServerMetadataRequest, ServerMetadataResponse]) -> None:
        await receive_one(stream)
        await stream.send_message(self._dataplane.server_metadata())

    async def ModelMetadata(self, stream: Stream[ModelMetadataRequest, ModelMetadataResponse]) -> None:
        request = await receive_one(stream)
        await stream.send_message(await self._dataplane.model_metadata(request.name, request.version))

    async def ModelConfig(self, stream: Stream[ModelConfigRequest, ModelConfigResponse]) -> None:
        request = await receive_one(stream)
        config = self._dataplane.model_config(request.name, request.version)
        await stream.send_message(ModelConfigResponse(config=config))

    async def ModelInfer(self, stream: Stream[ModelInferRequest, ModelInferResponse]) -> None:
        request = await receive_one(stream)
        typed = bind_request(request) and self._mirror
        response = await self._dataplane.infer(request, request_headers(stream))
        metadata = response_metadata(response.parameters.headers, response.model_name)
        await send(stream, lower_response(response, typed=typed))
        await stream.send_trailing_metadata(metadata=metadata)

    async def ModelStreamInfer(self, stream: Stream[ModelInferRequest, ModelStreamInferResponse]) -> None:
        """Answer the requests of a stream one after the other; an error ends its request, not the stream."""
        headers = request_headers(stream)
        async for request in requests(stream, self._draining):
            try:
                bind_request(request)
                async with aclosing(self._dataplane.infer_stream(request, headers)) as responses:
                    async for response in responses:
                        lowered = lower_response(response, typed=False)
                        await send(stream, ModelStreamInferResponse(infer_response=lowered))
            except Exception as error:  # noqa: BLE001  # Triton's dialect: errors are messages of the stream
                message = describe_error(error, "ModelStreamInfer").message
                failed = ModelInferResponse(id=request.id)
                await send(stream, ModelStreamInferResponse(error_message=message, infer_response=failed))

    async def RepositoryIndex(self, stream: Stream[RepositoryIndexRequest, RepositoryIndexResponse]) -> None:
        request = await receive_one(stream)
        _reject_repository(request.repository_name)
        await stream.send_message(RepositoryIndexResponse(models=self._dataplane.index(only_ready=request.ready)))

    async def RepositoryModelLoad(
        self, stream: Stream[RepositoryModelLoadRequest, RepositoryModelLoadResponse]
    ) -> None:
        request = await receive_one(stream)
        name = _model_name(request)
        await self._controlplane.load(name, request.parameters)
        await stream.send_message(RepositoryModelLoadResponse(model_name=name, is_loaded=True))

    async def RepositoryModelUnload(
        self, stream: Stream[RepositoryModelUnloadRequest, RepositoryModelUnloadResponse]
    ) -> None:
        request = await receive_one(stream)
        name = _model_name(request)
        unknown = sorted(set(request.parameters) - {"unload_dependents"})
        if unknown:
            raise InvalidInput(f"unrecognized unload parameter '{unknown[0]}'.")
        await self._controlplane.unload(name)
        await stream.send_message(RepositoryModelUnloadResponse(model_name=name, is_unloaded=True))


class RepositoryService(ModelRepositoryServiceBase):
    """MLServer's second service: the same operations under another name."""

    def __init__(self, dataplane: DataPlane, controlplane: ControlPlane) -> None:
        self._dataplane = dataplane
        self._controlplane = controlplane

    async def RepositoryIndex(
        self,
        stream: Stream[repository_messages.RepositoryIndexRequest, repository_messages.RepositoryIndexResponse],
    ) -> None:
        request = await receive_one(stream)
        models = [
            repository_messages.ModelIndex(name=each.name, version=each.version, state=each.state, reason=each.reason)
            for each in self._dataplane.index(only_ready=request.ready)
        ]
        await stream.send_message(repository_messages.RepositoryIndexResponse(models=models))

    async def RepositoryModelLoad(
        self,
        stream: Stream[repository_messages.RepositoryModelLoadRequest, repository_messages.RepositoryModelLoadResponse],
    ) -> None:
        request = await receive_one(stream)
        await self._controlplane.load(request.model_name)
        await stream.send_message(repository_messages.RepositoryModelLoadResponse())

    async def RepositoryModelUnload(
        self,
        stream: Stream[
            repository_messages.RepositoryModelUnloadRequest, repository_messages.RepositoryModelUnloadResponse
        ],
    ) -> None:
        request = await receive_one(stream)
        await self._controlplane.unload(request.model_name)
        await stream.send_message(repository_messages.RepositoryModelUnloadResponse())


def _reject_repository(name: str) -> None:
    if name:
        raise Unsupported("'repository_name' specification is not supported")


def _model_name(request: RepositoryModelLoadRequest | RepositoryModelUnloadRequest) -> str:
    """Return the model's name: field 2, or field 1 as KServe's clients have it."""
    if not request.model_name:
        return request.repository_name
    _reject_repository(request.repository_name)
    return request.model_name

"""The model repository: Triton's RPCs, and MLServer's ``inference.model_repository.ModelRepositoryService``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srv._changes import Load, Unload
from srv.grpc._messages import receive_one
from srv_protocol import model_repository as repository_messages
from srv_protocol.errors import Unsupported
from srv_protocol.inference import (
    RepositoryIndexRequest,
    RepositoryIndexResponse,
    RepositoryModelLoadRequest,
    RepositoryModelLoadResponse,
    RepositoryModelUnloadRequest,
    RepositoryModelUnloadResponse,
)
from srv_protocol.inference_grpc import GRPCInferenceServiceBase
from srv_protocol.model_repository import ModelRepositoryServiceBase

if TYPE_CHECKING:
    from grpclib.server import Stream

    from srv._backend import Backend


class RepositoryRpcs(GRPCInferenceServiceBase):
    """The RPCs of Triton's "Model Repository Extension"."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def RepositoryIndex(self, stream: Stream[RepositoryIndexRequest, RepositoryIndexResponse]) -> None:
        request = await receive_one(stream)
        _reject_repository(request.repository_name)
        models = await self._backend.controlplane.index(only_ready=request.ready)
        await stream.send_message(RepositoryIndexResponse(models=models))

    async def RepositoryModelLoad(
        self, stream: Stream[RepositoryModelLoadRequest, RepositoryModelLoadResponse]
    ) -> None:
        request = await receive_one(stream)
        name = _model_name(request)
        await self._backend.change(Load(name, dict(request.parameters)))
        await stream.send_message(RepositoryModelLoadResponse(model_name=name, is_loaded=True))

    async def RepositoryModelUnload(
        self, stream: Stream[RepositoryModelUnloadRequest, RepositoryModelUnloadResponse]
    ) -> None:
        request = await receive_one(stream)
        name = _model_name(request)
        await self._backend.change(Unload(name, dict(request.parameters)))
        await stream.send_message(RepositoryModelUnloadResponse(model_name=name, is_unloaded=True))


class RepositoryService(ModelRepositoryServiceBase):
    """MLServer's second service: the same operations under another name."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def RepositoryIndex(
        self,
        stream: Stream[repository_messages.RepositoryIndexRequest, repository_messages.RepositoryIndexResponse],
    ) -> None:
        request = await receive_one(stream)
        _reject_repository(request.repository_name)
        models = [
            repository_messages.ModelIndex(name=each.name, version=each.version, state=each.state, reason=each.reason)
            for each in await self._backend.controlplane.index(only_ready=request.ready)
        ]
        await stream.send_message(repository_messages.RepositoryIndexResponse(models=models))

    async def RepositoryModelLoad(
        self,
        stream: Stream[repository_messages.RepositoryModelLoadRequest, repository_messages.RepositoryModelLoadResponse],
    ) -> None:
        request = await receive_one(stream)
        _reject_repository(request.repository_name)
        await self._backend.change(Load(request.model_name, {}))
        await stream.send_message(repository_messages.RepositoryModelLoadResponse())

    async def RepositoryModelUnload(
        self,
        stream: Stream[
            repository_messages.RepositoryModelUnloadRequest, repository_messages.RepositoryModelUnloadResponse
        ],
    ) -> None:
        request = await receive_one(stream)
        _reject_repository(request.repository_name)
        await self._backend.change(Unload(request.model_name, {}))
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

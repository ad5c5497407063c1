"""Health, metadata and inference of ``inference.GRPCInferenceService``."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from srv._status import describe_error
from srv.grpc._calls import request_headers, response_metadata
from srv.grpc._messages import receive_one, requests, send
from srv_codecs.grpc import bind_request, lower_response
from srv_protocol.errors import ModelNotFound
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
    ServerLiveRequest,
    ServerLiveResponse,
    ServerMetadataRequest,
    ServerMetadataResponse,
    ServerReadyRequest,
    ServerReadyResponse,
)
from srv_protocol.inference_grpc import GRPCInferenceServiceBase

if TYPE_CHECKING:
    from grpclib.server import Stream

    from srv._backend import Backend


class InferenceService(GRPCInferenceServiceBase):
    """The RPCs of health, metadata and inference."""

    def __init__(self, backend: Backend) -> None:
        self._draining = backend.state.draining
        self._mirror = backend.settings.grpc_output == "mirror"
        self._dataplane = backend.dataplane
        self._shared_memory = backend.shared_memory

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
        forms = bind_request(request, self._shared_memory)
        response = await self._dataplane.infer(request, request_headers(stream))
        metadata = response_metadata(response.parameters.headers, response.model_name)
        await send(stream, lower_response(response, forms, typed=forms.typed and self._mirror))
        await stream.send_trailing_metadata(metadata=metadata)

    async def ModelStreamInfer(self, stream: Stream[ModelInferRequest, ModelStreamInferResponse]) -> None:
        """Answer the requests of a stream one after the other; an error ends its request, not the stream."""
        headers = request_headers(stream)
        async for request in requests(stream, self._draining):
            try:
                forms = bind_request(request, self._shared_memory)
                async with aclosing(self._dataplane.infer_stream(request, headers)) as responses:
                    async for response in responses:
                        lowered = lower_response(response, forms, typed=False)
                        await send(stream, ModelStreamInferResponse(infer_response=lowered))
            except Exception as error:  # noqa: BLE001  # Triton's dialect: errors are messages of the stream
                message = describe_error(error, "ModelStreamInfer").message
                failed = ModelInferResponse(id=request.id)
                await send(stream, ModelStreamInferResponse(error_message=message, infer_response=failed))

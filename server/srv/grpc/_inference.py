"""Health, metadata and inference of ``inference.GRPCInferenceService``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from grpclib.const import Handler

from srv.dataplane._timeline import GRPC, Timeline
from srv.grpc._calls import response_metadata
from srv.grpc._messages import http_stream, receive_one, send
from srv.grpc._session import SESSIONS
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
    ModelStatisticsRequest,
    ModelStatisticsResponse,
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
    from srv_codecs.grpc import OutputForms


_STREAM_PATH: Final = "/inference.GRPCInferenceService/ModelStreamInfer"


class InferenceService(GRPCInferenceServiceBase):
    """The RPCs of health, metadata and inference."""

    def __init__(self, backend: Backend) -> None:
        self._draining = backend.state.draining
        self._mirror = backend.settings.grpc_output == "mirror"
        self._session = SESSIONS[backend.settings.grpc_stream_dialect]
        self._statistics = backend.statistics
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

    async def ModelStatistics(self, stream: Stream[ModelStatisticsRequest, ModelStatisticsResponse]) -> None:
        request = await receive_one(stream)
        found = await self._statistics(request.name, request.version)
        await stream.send_message(ModelStatisticsResponse(model_stats=found))

    async def ModelInfer(self, stream: Stream[ModelInferRequest, ModelInferResponse]) -> None:
        times = Timeline(GRPC)
        request = await receive_one(stream, times.mark_received)
        forms = bind_request(request, self._shared_memory)
        encode = partial(_encode, forms=forms, typed=forms.typed and self._mirror)
        response, metadata = await self._dataplane.infer(request, http_stream(stream).read_headers(), times, encode)
        times.mark_sending()
        try:
            await send(stream, response)
        finally:
            times.finish()
        await stream.send_trailing_metadata(metadata=metadata)

    async def ModelStreamInfer(self, stream: Stream[ModelInferRequest, ModelStreamInferResponse]) -> None:
        """Answer many requests on one stream; see :mod:`srv.grpc._session`."""
        bind = partial(bind_request, regions=self._shared_memory)
        await self._session(stream, self._dataplane, bind, self._draining).run()

    def __mapping__(self) -> dict[str, Handler]:
        """Return the handlers; what ModelStreamInfer sends depends on its dialect."""
        mapping = super().__mapping__()
        function, cardinality, request_type, _ = cast("tuple[Any, Any, Any, Any]", mapping[_STREAM_PATH])
        mapping[_STREAM_PATH] = Handler(function, cardinality, request_type, self._session.reply_type)
        return mapping


def _encode(
    response: ModelInferResponse, *, forms: OutputForms, typed: bool
) -> tuple[ModelInferResponse, list[tuple[str, str | bytes]]]:
    metadata = response_metadata(response.parameters.headers, response.model_name)
    return lower_response(response, forms, typed=typed), metadata

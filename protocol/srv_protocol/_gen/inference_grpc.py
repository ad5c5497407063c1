# Generated from inference.proto. DO NOT EDIT.
# grpcio-tools 1.81.1, ruff 0.17.6; `nox -s codegen` writes it.
# ruff: noqa

"""gRPC services of inference.proto, for grpclib."""

from __future__ import annotations

from grpclib.client import StreamStreamMethod, UnaryUnaryMethod
from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError
from srv_protocol._gen.inference import (
    CudaSharedMemoryRegisterRequest,
    CudaSharedMemoryRegisterResponse,
    CudaSharedMemoryStatusRequest,
    CudaSharedMemoryStatusResponse,
    CudaSharedMemoryUnregisterRequest,
    CudaSharedMemoryUnregisterResponse,
    LogSettingsRequest,
    LogSettingsResponse,
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
    SystemSharedMemoryRegisterRequest,
    SystemSharedMemoryRegisterResponse,
    SystemSharedMemoryStatusRequest,
    SystemSharedMemoryStatusResponse,
    SystemSharedMemoryUnregisterRequest,
    SystemSharedMemoryUnregisterResponse,
    TraceSettingRequest,
    TraceSettingResponse,
)
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grpclib.client import Channel
    from grpclib.server import Stream

__all__ = ["GRPCInferenceServiceBase", "GRPCInferenceServiceStub"]


class GRPCInferenceServiceBase:
    """Server side of ``inference.GRPCInferenceService``; a call that is not overridden is UNIMPLEMENTED."""

    async def ServerLive(self, stream: "Stream[ServerLiveRequest, ServerLiveResponse]") -> None:
        """Health. These answer while models are still loading."""
        raise GRPCError(Status.UNIMPLEMENTED, "ServerLive is not served by this server")

    async def ServerReady(self, stream: "Stream[ServerReadyRequest, ServerReadyResponse]") -> None:
        raise GRPCError(Status.UNIMPLEMENTED, "ServerReady is not served by this server")

    async def ModelReady(self, stream: "Stream[ModelReadyRequest, ModelReadyResponse]") -> None:
        raise GRPCError(Status.UNIMPLEMENTED, "ModelReady is not served by this server")

    async def ServerMetadata(self, stream: "Stream[ServerMetadataRequest, ServerMetadataResponse]") -> None:
        """Metadata."""
        raise GRPCError(Status.UNIMPLEMENTED, "ServerMetadata is not served by this server")

    async def ModelMetadata(self, stream: "Stream[ModelMetadataRequest, ModelMetadataResponse]") -> None:
        raise GRPCError(Status.UNIMPLEMENTED, "ModelMetadata is not served by this server")

    async def ModelInfer(self, stream: "Stream[ModelInferRequest, ModelInferResponse]") -> None:
        """Inference. The streaming form carries any number of requests, for any models, and any number of responses to each."""
        raise GRPCError(Status.UNIMPLEMENTED, "ModelInfer is not served by this server")

    async def ModelStreamInfer(self, stream: "Stream[ModelInferRequest, ModelStreamInferResponse]") -> None:
        raise GRPCError(Status.UNIMPLEMENTED, "ModelStreamInfer is not served by this server")

    async def ModelConfig(self, stream: "Stream[ModelConfigRequest, ModelConfigResponse]") -> None:
        """Configuration and statistics."""
        raise GRPCError(Status.UNIMPLEMENTED, "ModelConfig is not served by this server")

    async def ModelStatistics(self, stream: "Stream[ModelStatisticsRequest, ModelStatisticsResponse]") -> None:
        raise GRPCError(Status.UNIMPLEMENTED, "ModelStatistics is not served by this server")

    async def RepositoryIndex(self, stream: "Stream[RepositoryIndexRequest, RepositoryIndexResponse]") -> None:
        """Model repository."""
        raise GRPCError(Status.UNIMPLEMENTED, "RepositoryIndex is not served by this server")

    async def RepositoryModelLoad(
        self, stream: "Stream[RepositoryModelLoadRequest, RepositoryModelLoadResponse]"
    ) -> None:
        raise GRPCError(Status.UNIMPLEMENTED, "RepositoryModelLoad is not served by this server")

    async def RepositoryModelUnload(
        self, stream: "Stream[RepositoryModelUnloadRequest, RepositoryModelUnloadResponse]"
    ) -> None:
        raise GRPCError(Status.UNIMPLEMENTED, "RepositoryModelUnload is not served by this server")

    async def SystemSharedMemoryStatus(
        self, stream: "Stream[SystemSharedMemoryStatusRequest, SystemSharedMemoryStatusResponse]"
    ) -> None:
        """Shared memory between a client and a server on one host."""
        raise GRPCError(Status.UNIMPLEMENTED, "SystemSharedMemoryStatus is not served by this server")

    async def SystemSharedMemoryRegister(
        self, stream: "Stream[SystemSharedMemoryRegisterRequest, SystemSharedMemoryRegisterResponse]"
    ) -> None:
        raise GRPCError(Status.UNIMPLEMENTED, "SystemSharedMemoryRegister is not served by this server")

    async def SystemSharedMemoryUnregister(
        self, stream: "Stream[SystemSharedMemoryUnregisterRequest, SystemSharedMemoryUnregisterResponse]"
    ) -> None:
        raise GRPCError(Status.UNIMPLEMENTED, "SystemSharedMemoryUnregister is not served by this server")

    async def CudaSharedMemoryStatus(
        self, stream: "Stream[CudaSharedMemoryStatusRequest, CudaSharedMemoryStatusResponse]"
    ) -> None:
        raise GRPCError(Status.UNIMPLEMENTED, "CudaSharedMemoryStatus is not served by this server")

    async def CudaSharedMemoryRegister(
        self, stream: "Stream[CudaSharedMemoryRegisterRequest, CudaSharedMemoryRegisterResponse]"
    ) -> None:
        raise GRPCError(Status.UNIMPLEMENTED, "CudaSharedMemoryRegister is not served by this server")

    async def CudaSharedMemoryUnregister(
        self, stream: "Stream[CudaSharedMemoryUnregisterRequest, CudaSharedMemoryUnregisterResponse]"
    ) -> None:
        raise GRPCError(Status.UNIMPLEMENTED, "CudaSharedMemoryUnregister is not served by this server")

    async def TraceSetting(self, stream: "Stream[TraceSettingRequest, TraceSettingResponse]") -> None:
        """Settings of a running server. A request without settings only reads."""
        raise GRPCError(Status.UNIMPLEMENTED, "TraceSetting is not served by this server")

    async def LogSettings(self, stream: "Stream[LogSettingsRequest, LogSettingsResponse]") -> None:
        raise GRPCError(Status.UNIMPLEMENTED, "LogSettings is not served by this server")

    def __mapping__(self) -> dict[str, Handler]:
        """Return the handlers by path, as grpclib asks."""
        return {
            "/inference.GRPCInferenceService/ServerLive": Handler(
                self.ServerLive, Cardinality.UNARY_UNARY, ServerLiveRequest, ServerLiveResponse
            ),
            "/inference.GRPCInferenceService/ServerReady": Handler(
                self.ServerReady, Cardinality.UNARY_UNARY, ServerReadyRequest, ServerReadyResponse
            ),
            "/inference.GRPCInferenceService/ModelReady": Handler(
                self.ModelReady, Cardinality.UNARY_UNARY, ModelReadyRequest, ModelReadyResponse
            ),
            "/inference.GRPCInferenceService/ServerMetadata": Handler(
                self.ServerMetadata, Cardinality.UNARY_UNARY, ServerMetadataRequest, ServerMetadataResponse
            ),
            "/inference.GRPCInferenceService/ModelMetadata": Handler(
                self.ModelMetadata, Cardinality.UNARY_UNARY, ModelMetadataRequest, ModelMetadataResponse
            ),
            "/inference.GRPCInferenceService/ModelInfer": Handler(
                self.ModelInfer, Cardinality.UNARY_UNARY, ModelInferRequest, ModelInferResponse
            ),
            "/inference.GRPCInferenceService/ModelStreamInfer": Handler(
                self.ModelStreamInfer, Cardinality.STREAM_STREAM, ModelInferRequest, ModelStreamInferResponse
            ),
            "/inference.GRPCInferenceService/ModelConfig": Handler(
                self.ModelConfig, Cardinality.UNARY_UNARY, ModelConfigRequest, ModelConfigResponse
            ),
            "/inference.GRPCInferenceService/ModelStatistics": Handler(
                self.ModelStatistics, Cardinality.UNARY_UNARY, ModelStatisticsRequest, ModelStatisticsResponse
            ),
            "/inference.GRPCInferenceService/RepositoryIndex": Handler(
                self.RepositoryIndex, Cardinality.UNARY_UNARY, RepositoryIndexRequest, RepositoryIndexResponse
            ),
            "/inference.GRPCInferenceService/RepositoryModelLoad": Handler(
                self.RepositoryModelLoad,
                Cardinality.UNARY_UNARY,
                RepositoryModelLoadRequest,
                RepositoryModelLoadResponse,
            ),
            "/inference.GRPCInferenceService/RepositoryModelUnload": Handler(
                self.RepositoryModelUnload,
                Cardinality.UNARY_UNARY,
                RepositoryModelUnloadRequest,
                RepositoryModelUnloadResponse,
            ),
            "/inference.GRPCInferenceService/SystemSharedMemoryStatus": Handler(
                self.SystemSharedMemoryStatus,
                Cardinality.UNARY_UNARY,
                SystemSharedMemoryStatusRequest,
                SystemSharedMemoryStatusResponse,
            ),
            "/inference.GRPCInferenceService/SystemSharedMemoryRegister": Handler(
                self.SystemSharedMemoryRegister,
                Cardinality.UNARY_UNARY,
                SystemSharedMemoryRegisterRequest,
                SystemSharedMemoryRegisterResponse,
            ),
            "/inference.GRPCInferenceService/SystemSharedMemoryUnregister": Handler(
                self.SystemSharedMemoryUnregister,
                Cardinality.UNARY_UNARY,
                SystemSharedMemoryUnregisterRequest,
                SystemSharedMemoryUnregisterResponse,
            ),
            "/inference.GRPCInferenceService/CudaSharedMemoryStatus": Handler(
                self.CudaSharedMemoryStatus,
                Cardinality.UNARY_UNARY,
                CudaSharedMemoryStatusRequest,
                CudaSharedMemoryStatusResponse,
            ),
            "/inference.GRPCInferenceService/CudaSharedMemoryRegister": Handler(
                self.CudaSharedMemoryRegister,
                Cardinality.UNARY_UNARY,
                CudaSharedMemoryRegisterRequest,
                CudaSharedMemoryRegisterResponse,
            ),
            "/inference.GRPCInferenceService/CudaSharedMemoryUnregister": Handler(
                self.CudaSharedMemoryUnregister,
                Cardinality.UNARY_UNARY,
                CudaSharedMemoryUnregisterRequest,
                CudaSharedMemoryUnregisterResponse,
            ),
            "/inference.GRPCInferenceService/TraceSetting": Handler(
                self.TraceSetting, Cardinality.UNARY_UNARY, TraceSettingRequest, TraceSettingResponse
            ),
            "/inference.GRPCInferenceService/LogSettings": Handler(
                self.LogSettings, Cardinality.UNARY_UNARY, LogSettingsRequest, LogSettingsResponse
            ),
        }


class GRPCInferenceServiceStub:
    """Client side of ``inference.GRPCInferenceService``."""

    def __init__(self, channel: "Channel") -> None:
        self.ServerLive = UnaryUnaryMethod(
            channel, "/inference.GRPCInferenceService/ServerLive", ServerLiveRequest, ServerLiveResponse
        )
        self.ServerReady = UnaryUnaryMethod(
            channel, "/inference.GRPCInferenceService/ServerReady", ServerReadyRequest, ServerReadyResponse
        )
        self.ModelReady = UnaryUnaryMethod(
            channel, "/inference.GRPCInferenceService/ModelReady", ModelReadyRequest, ModelReadyResponse
        )
        self.ServerMetadata = UnaryUnaryMethod(
            channel, "/inference.GRPCInferenceService/ServerMetadata", ServerMetadataRequest, ServerMetadataResponse
        )
        self.ModelMetadata = UnaryUnaryMethod(
            channel, "/inference.GRPCInferenceService/ModelMetadata", ModelMetadataRequest, ModelMetadataResponse
        )
        self.ModelInfer = UnaryUnaryMethod(
            channel, "/inference.GRPCInferenceService/ModelInfer", ModelInferRequest, ModelInferResponse
        )
        self.ModelStreamInfer = StreamStreamMethod(
            channel, "/inference.GRPCInferenceService/ModelStreamInfer", ModelInferRequest, ModelStreamInferResponse
        )
        self.ModelConfig = UnaryUnaryMethod(
            channel, "/inference.GRPCInferenceService/ModelConfig", ModelConfigRequest, ModelConfigResponse
        )
        self.ModelStatistics = UnaryUnaryMethod(
            channel, "/inference.GRPCInferenceService/ModelStatistics", ModelStatisticsRequest, ModelStatisticsResponse
        )
        self.RepositoryIndex = UnaryUnaryMethod(
            channel, "/inference.GRPCInferenceService/RepositoryIndex", RepositoryIndexRequest, RepositoryIndexResponse
        )
        self.RepositoryModelLoad = UnaryUnaryMethod(
            channel,
            "/inference.GRPCInferenceService/RepositoryModelLoad",
            RepositoryModelLoadRequest,
            RepositoryModelLoadResponse,
        )
        self.RepositoryModelUnload = UnaryUnaryMethod(
            channel,
            "/inference.GRPCInferenceService/RepositoryModelUnload",
            RepositoryModelUnloadRequest,
            RepositoryModelUnloadResponse,
        )
        self.SystemSharedMemoryStatus = UnaryUnaryMethod(
            channel,
            "/inference.GRPCInferenceService/SystemSharedMemoryStatus",
            SystemSharedMemoryStatusRequest,
            SystemSharedMemoryStatusResponse,
        )
        self.SystemSharedMemoryRegister = UnaryUnaryMethod(
            channel,
            "/inference.GRPCInferenceService/SystemSharedMemoryRegister",
            SystemSharedMemoryRegisterRequest,
            SystemSharedMemoryRegisterResponse,
        )
        self.SystemSharedMemoryUnregister = UnaryUnaryMethod(
            channel,
            "/inference.GRPCInferenceService/SystemSharedMemoryUnregister",
            SystemSharedMemoryUnregisterRequest,
            SystemSharedMemoryUnregisterResponse,
        )
        self.CudaSharedMemoryStatus = UnaryUnaryMethod(
            channel,
            "/inference.GRPCInferenceService/CudaSharedMemoryStatus",
            CudaSharedMemoryStatusRequest,
            CudaSharedMemoryStatusResponse,
        )
        self.CudaSharedMemoryRegister = UnaryUnaryMethod(
            channel,
            "/inference.GRPCInferenceService/CudaSharedMemoryRegister",
            CudaSharedMemoryRegisterRequest,
            CudaSharedMemoryRegisterResponse,
        )
        self.CudaSharedMemoryUnregister = UnaryUnaryMethod(
            channel,
            "/inference.GRPCInferenceService/CudaSharedMemoryUnregister",
            CudaSharedMemoryUnregisterRequest,
            CudaSharedMemoryUnregisterResponse,
        )
        self.TraceSetting = UnaryUnaryMethod(
            channel, "/inference.GRPCInferenceService/TraceSetting", TraceSettingRequest, TraceSettingResponse
        )
        self.LogSettings = UnaryUnaryMethod(
            channel, "/inference.GRPCInferenceService/LogSettings", LogSettingsRequest, LogSettingsResponse
        )

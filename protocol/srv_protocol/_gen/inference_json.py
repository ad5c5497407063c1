# Generated from inference.proto and overlay.toml. DO NOT EDIT.
# grpcio-tools 1.81.1, ruff 0.17.6; `nox -s codegen` writes it.
# ruff: noqa

"""V2 JSON views of the messages of inference.proto."""

from __future__ import annotations

from msgspec import Meta, Raw, Struct, UNSET, UnsetType
from srv_protocol._gen.inference import (
    InferBatchStatistics,
    InferInputTensor,
    InferOutputTensor,
    InferRequestedOutputTensor,
    InferResponseStatistics,
    InferStatistics,
    MemoryUsage,
    ModelIndex,
    ModelInferRequest,
    ModelInferResponse,
    ModelMetadataResponse,
    ModelStatistics,
    ModelStatisticsResponse,
    RepositoryIndexRequest,
    ServerMetadataResponse,
    StatisticDuration,
    SystemSharedMemoryRegisterRequest,
    SystemSharedMemoryStatusResponseRegionStatus,
    TensorMetadata,
)
from typing import Annotated

__all__ = [
    "InferBatchStatisticsView",
    "InferInputTensorView",
    "InferOutputTensorView",
    "InferRequestedOutputTensorView",
    "InferResponseStatisticsView",
    "InferStatisticsView",
    "MemoryUsageView",
    "ModelIndexView",
    "ModelInferRequestView",
    "ModelInferResponseView",
    "ModelMetadataResponseView",
    "ModelStatisticsResponseView",
    "ModelStatisticsView",
    "RepositoryIndexRequestView",
    "ServerMetadataResponseView",
    "StatisticDurationView",
    "SystemSharedMemoryRegisterRequestView",
    "SystemSharedMemoryStatusResponseRegionStatusView",
    "TensorMetadataView",
]


class ServerMetadataResponseView(Struct, kw_only=True, omit_defaults=True, gc=False):
    """V2 JSON of ``inference.ServerMetadataResponse``."""

    name: str
    version: str
    extensions: list[str]

    @classmethod
    def from_message(cls, message: ServerMetadataResponse) -> ServerMetadataResponseView:
        """Return the view of a message; containers are shared with it, not copied."""
        return cls(name=message.name, version=message.version, extensions=message.extensions)


class TensorMetadataView(Struct, kw_only=True, omit_defaults=True, gc=False):
    """V2 JSON of ``inference.ModelMetadataResponse.TensorMetadata``."""

    name: str
    datatype: str
    shape: list[Annotated[int, Meta(ge=-1)]]
    parameters: dict[str, object] | None = None

    def to_message(self) -> TensorMetadata:
        """Return the message; containers are shared with the view, not copied."""
        return TensorMetadata(name=self.name, datatype=self.datatype, shape=self.shape, parameters=self.parameters)

    @classmethod
    def from_message(cls, message: TensorMetadata) -> TensorMetadataView:
        """Return the view of a message; containers are shared with it, not copied."""
        return cls(
            name=message.name,
            datatype=message.datatype,
            shape=message.shape,
            parameters=dict(message.parameters) or None,
        )


class ModelMetadataResponseView(Struct, kw_only=True, omit_defaults=True, gc=False):
    """V2 JSON of ``inference.ModelMetadataResponse``."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadataView]
    outputs: list[TensorMetadataView]
    properties: dict[str, str] | None = None

    @classmethod
    def from_message(cls, message: ModelMetadataResponse) -> ModelMetadataResponseView:
        """Return the view of a message; containers are shared with it, not copied."""
        return cls(
            name=message.name,
            versions=message.versions,
            platform=message.platform,
            inputs=[TensorMetadataView.from_message(item) for item in message.inputs],
            outputs=[TensorMetadataView.from_message(item) for item in message.outputs],
            properties=dict(message.properties) or None,
        )


class InferInputTensorView(Struct, kw_only=True, omit_defaults=True, gc=False):
    """V2 JSON of ``inference.ModelInferRequest.InferInputTensor``."""

    name: str
    shape: list[Annotated[int, Meta(ge=0)]]
    datatype: str
    parameters: dict[str, object] | None = None
    data: Raw | UnsetType = UNSET

    def to_message(self) -> InferInputTensor:
        """Return the message; containers are shared with the view, not copied."""
        return InferInputTensor(name=self.name, shape=self.shape, datatype=self.datatype, parameters=self.parameters)


class InferRequestedOutputTensorView(Struct, kw_only=True, omit_defaults=True, gc=False):
    """V2 JSON of ``inference.ModelInferRequest.InferRequestedOutputTensor``."""

    name: str
    parameters: dict[str, object] | None = None

    def to_message(self) -> InferRequestedOutputTensor:
        """Return the message; containers are shared with the view, not copied."""
        return InferRequestedOutputTensor(name=self.name, parameters=self.parameters)


class ModelInferRequestView(Struct, kw_only=True, omit_defaults=True, gc=False):
    """V2 JSON of ``inference.ModelInferRequest``."""

    inputs: list[InferInputTensorView]
    id: str | None = None
    parameters: dict[str, object] | None = None
    outputs: list[InferRequestedOutputTensorView] | None = None

    def to_message(self) -> ModelInferRequest:
        """Return the message; containers are shared with the view, not copied."""
        return ModelInferRequest(
            inputs=[item.to_message() for item in self.inputs],
            id=self.id or "",
            parameters=self.parameters,
            outputs=[item.to_message() for item in self.outputs or ()],
        )


class InferOutputTensorView(Struct, kw_only=True, omit_defaults=True, gc=False):
    """V2 JSON of ``inference.ModelInferResponse.InferOutputTensor``."""

    name: str
    shape: list[Annotated[int, Meta(ge=0)]]
    datatype: str
    parameters: dict[str, object] | None = None
    data: object = UNSET

    @classmethod
    def from_message(cls, message: InferOutputTensor) -> InferOutputTensorView:
        """Return the view of a message; containers are shared with it, not copied."""
        return cls(
            name=message.name,
            shape=message.shape,
            datatype=message.datatype,
            parameters=dict(message.parameters) or None,
        )


class ModelInferResponseView(Struct, kw_only=True, omit_defaults=True, gc=False):
    """V2 JSON of ``inference.ModelInferResponse``."""

    model_name: str
    outputs: list[InferOutputTensorView]
    model_version: str | None = None
    id: str | None = None
    parameters: dict[str, object] | None = None

    @classmethod
    def from_message(cls, message: ModelInferResponse) -> ModelInferResponseView:
        """Return the view of a message; containers are shared with it, not copied."""
        return cls(
            model_name=message.model_name,
            outputs=[InferOutputTensorView.from_message(item) for item in message.outputs],
            model_version=message.model_version or None,
            id=message.id or None,
            parameters=dict(message.parameters) or None,
        )


class ModelStatisticsResponseView(Struct, kw_only=True, omit_defaults=True, gc=False):
    """V2 JSON of ``inference.ModelStatisticsResponse``."""

    model_stats: list[ModelStatisticsView]

    @classmethod
    def from_message(cls, message: ModelStatisticsResponse) -> ModelStatisticsResponseView:
        """Return the view of a message; containers are shared with it, not copied."""
        return cls(model_stats=[ModelStatisticsView.from_message(item) for item in message.model_stats])


class StatisticDurationView(Struct, kw_only=True, omit_defaults=True, gc=False):
    """How often something happened, and the nanoseconds that it took in all."""

    count: Annotated[int, Meta(ge=0)]
    ns: Annotated[int, Meta(ge=0)]

    @classmethod
    def from_message(cls, message: StatisticDuration) -> StatisticDurationView:
        """Return the view of a message; containers are shared with it, not copied."""
        return cls(count=message.count, ns=message.ns)


class InferStatisticsView(Struct, kw_only=True, omit_defaults=True, gc=False):
    """V2 JSON of ``inference.InferStatistics``."""

    success: StatisticDurationView
    fail: StatisticDurationView
    queue: StatisticDurationView
    compute_input: StatisticDurationView
    compute_infer: StatisticDurationView
    compute_output: StatisticDurationView
    cache_hit: StatisticDurationView
    cache_miss: StatisticDurationView

    @classmethod
    def from_message(cls, message: InferStatistics) -> InferStatisticsView:
        """Return the view of a message; containers are shared with it, not copied."""
        return cls(
            success=StatisticDurationView.from_message(message.success or StatisticDuration()),
            fail=StatisticDurationView.from_message(message.fail or StatisticDuration()),
            queue=StatisticDurationView.from_message(message.queue or StatisticDuration()),
            compute_input=StatisticDurationView.from_message(message.compute_input or StatisticDuration()),
            compute_infer=StatisticDurationView.from_message(message.compute_infer or StatisticDuration()),
            compute_output=StatisticDurationView.from_message(message.compute_output or StatisticDuration()),
            cache_hit=StatisticDurationView.from_message(message.cache_hit or StatisticDuration()),
            cache_miss=StatisticDurationView.from_message(message.cache_miss or StatisticDuration()),
        )


class InferResponseStatisticsView(Struct, kw_only=True, omit_defaults=True, gc=False):
    """Statistics of one position in the responses to a request of a decoupled model."""

    compute_infer: StatisticDurationView
    compute_output: StatisticDurationView
    success: StatisticDurationView
    fail: StatisticDurationView
    empty_response: StatisticDurationView
    cancel: StatisticDurationView

    @classmethod
    def from_message(cls, message: InferResponseStatistics) -> InferResponseStatisticsView:
        """Return the view of a message; containers are shared with it, not copied."""
        return cls(
            compute_infer=StatisticDurationView.from_message(message.compute_infer or StatisticDuration()),
            compute_output=StatisticDurationView.from_message(message.compute_output or StatisticDuration()),
            success=StatisticDurationView.from_message(message.success or StatisticDuration()),
            fail=StatisticDurationView.from_message(message.fail or StatisticDuration()),
            empty_response=StatisticDurationView.from_message(message.empty_response or StatisticDuration()),
            cancel=StatisticDurationView.from_message(message.cancel or StatisticDuration()),
        )


class InferBatchStatisticsView(Struct, kw_only=True, omit_defaults=True, gc=False):
    """Statistics of the executions that had this batch size."""

    batch_size: Annotated[int, Meta(ge=0)]
    compute_input: StatisticDurationView
    compute_infer: StatisticDurationView
    compute_output: StatisticDurationView

    @classmethod
    def from_message(cls, message: InferBatchStatistics) -> InferBatchStatisticsView:
        """Return the view of a message; containers are shared with it, not copied."""
        return cls(
            batch_size=message.batch_size,
            compute_input=StatisticDurationView.from_message(message.compute_input or StatisticDuration()),
            compute_infer=StatisticDurationView.from_message(message.compute_infer or StatisticDuration()),
            compute_output=StatisticDurationView.from_message(message.compute_output or StatisticDuration()),
        )


class MemoryUsageView(Struct, kw_only=True, omit_defaults=True, gc=False):
    """V2 JSON of ``inference.MemoryUsage``."""

    type: str
    id: int
    byte_size: Annotated[int, Meta(ge=0)]

    @classmethod
    def from_message(cls, message: MemoryUsage) -> MemoryUsageView:
        """Return the view of a message; containers are shared with it, not copied."""
        return cls(type=message.type, id=message.id, byte_size=message.byte_size)


class ModelStatisticsView(Struct, kw_only=True, omit_defaults=True, gc=False):
    """V2 JSON of ``inference.ModelStatistics``."""

    name: str
    version: str
    last_inference: Annotated[int, Meta(ge=0)]
    inference_count: Annotated[int, Meta(ge=0)]
    execution_count: Annotated[int, Meta(ge=0)]
    inference_stats: InferStatisticsView
    response_stats: dict[str, InferResponseStatisticsView]
    batch_stats: list[InferBatchStatisticsView]
    memory_usage: list[MemoryUsageView]

    @classmethod
    def from_message(cls, message: ModelStatistics) -> ModelStatisticsView:
        """Return the view of a message; containers are shared with it, not copied."""
        return cls(
            name=message.name,
            version=message.version,
            last_inference=message.last_inference,
            inference_count=message.inference_count,
            execution_count=message.execution_count,
            inference_stats=InferStatisticsView.from_message(message.inference_stats or InferStatistics()),
            response_stats={
                key: InferResponseStatisticsView.from_message(value) for key, value in message.response_stats.items()
            },
            batch_stats=[InferBatchStatisticsView.from_message(item) for item in message.batch_stats],
            memory_usage=[MemoryUsageView.from_message(item) for item in message.memory_usage],
        )


class RepositoryIndexRequestView(Struct, kw_only=True, omit_defaults=True, gc=False):
    """V2 JSON of ``inference.RepositoryIndexRequest``."""

    ready: bool | None = None

    def to_message(self) -> RepositoryIndexRequest:
        """Return the message; containers are shared with the view, not copied."""
        return RepositoryIndexRequest(ready=self.ready or False)


class ModelIndexView(Struct, kw_only=True, omit_defaults=True, gc=False):
    """V2 JSON of ``inference.RepositoryIndexResponse.ModelIndex``."""

    name: str
    version: str | None = None
    state: str | None = None
    reason: str | None = None

    @classmethod
    def from_message(cls, message: ModelIndex) -> ModelIndexView:
        """Return the view of a message; containers are shared with it, not copied."""
        return cls(
            name=message.name,
            version=message.version or None,
            state=message.state or None,
            reason=message.reason or None,
        )


class SystemSharedMemoryStatusResponseRegionStatusView(Struct, kw_only=True, omit_defaults=True, gc=False):
    """V2 JSON of ``inference.SystemSharedMemoryStatusResponse.RegionStatus``."""

    name: str
    key: str
    offset: Annotated[int, Meta(ge=0)]
    byte_size: Annotated[int, Meta(ge=0)]

    @classmethod
    def from_message(
        cls, message: SystemSharedMemoryStatusResponseRegionStatus
    ) -> SystemSharedMemoryStatusResponseRegionStatusView:
        """Return the view of a message; containers are shared with it, not copied."""
        return cls(name=message.name, key=message.key, offset=message.offset, byte_size=message.byte_size)


class SystemSharedMemoryRegisterRequestView(Struct, kw_only=True, omit_defaults=True, gc=False):
    """V2 JSON of ``inference.SystemSharedMemoryRegisterRequest``."""

    key: str
    byte_size: Annotated[int, Meta(ge=0)]
    offset: Annotated[int, Meta(ge=0)] | None = None

    def to_message(self) -> SystemSharedMemoryRegisterRequest:
        """Return the message; containers are shared with the view, not copied."""
        return SystemSharedMemoryRegisterRequest(key=self.key, byte_size=self.byte_size, offset=self.offset or 0)

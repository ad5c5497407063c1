# Generated from inference.proto and overlay.toml. DO NOT EDIT.
# grpcio-tools 1.81.1, ruff 0.17.6; `nox -s codegen` writes it.
# ruff: noqa

"""V2 JSON views of the messages of inference.proto."""

from __future__ import annotations

from msgspec import Meta, Raw, Struct, UNSET, UnsetType
from srv_protocol._gen.inference import (
    InferInputTensor,
    InferOutputTensor,
    InferRequestedOutputTensor,
    ModelIndex,
    ModelInferRequest,
    ModelInferResponse,
    ModelMetadataResponse,
    ServerMetadataResponse,
    SystemSharedMemoryRegisterRequest,
    SystemSharedMemoryStatusResponseRegionStatus,
    TensorMetadata,
)
from typing import Annotated

__all__ = [
    "InferInputTensorView",
    "InferOutputTensorView",
    "InferRequestedOutputTensorView",
    "ModelIndexView",
    "ModelInferRequestView",
    "ModelInferResponseView",
    "ModelMetadataResponseView",
    "ServerMetadataResponseView",
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

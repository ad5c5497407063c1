# Generated from inference.proto. DO NOT EDIT.
# grpcio-tools 1.81.1, ruff 0.17.6; `nox -s codegen` writes it.
# ruff: noqa

"""Messages of inference.proto, package ``inference``."""

from __future__ import annotations

import betterproto2
from dataclasses import dataclass
from srv_protocol._gen.model_config import ModelConfig
from srv_protocol._message import Message
from srv_protocol._packed_arrays import PackedArrays
from srv_protocol._parameters import ParameterChoice, Parameters, parameters_field
from srv_protocol._pydantic import PydanticMessage, take_items
from srv_protocol._tensor import Tensor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from srv_protocol._tensor import TensorValues

__all__ = [
    "CudaSharedMemoryRegisterRequest",
    "CudaSharedMemoryRegisterResponse",
    "CudaSharedMemoryStatusRequest",
    "CudaSharedMemoryStatusResponse",
    "CudaSharedMemoryStatusResponseRegionStatus",
    "CudaSharedMemoryUnregisterRequest",
    "CudaSharedMemoryUnregisterResponse",
    "InferBatchStatistics",
    "InferInputTensor",
    "InferOutputTensor",
    "InferParameter",
    "InferRequestedOutputTensor",
    "InferResponseStatistics",
    "InferStatistics",
    "InferTensorContents",
    "LogSettingsRequest",
    "LogSettingsRequestSettingValue",
    "LogSettingsResponse",
    "LogSettingsResponseSettingValue",
    "MemoryUsage",
    "ModelConfigRequest",
    "ModelConfigResponse",
    "ModelIndex",
    "ModelInferRequest",
    "ModelInferResponse",
    "ModelMetadataRequest",
    "ModelMetadataResponse",
    "ModelReadyRequest",
    "ModelReadyResponse",
    "ModelRepositoryParameter",
    "ModelStatistics",
    "ModelStatisticsRequest",
    "ModelStatisticsResponse",
    "ModelStreamInferResponse",
    "RepositoryIndexRequest",
    "RepositoryIndexResponse",
    "RepositoryModelLoadRequest",
    "RepositoryModelLoadResponse",
    "RepositoryModelUnloadRequest",
    "RepositoryModelUnloadResponse",
    "ServerLiveRequest",
    "ServerLiveResponse",
    "ServerMetadataRequest",
    "ServerMetadataResponse",
    "ServerReadyRequest",
    "ServerReadyResponse",
    "StatisticDuration",
    "SystemSharedMemoryRegisterRequest",
    "SystemSharedMemoryRegisterResponse",
    "SystemSharedMemoryStatusRequest",
    "SystemSharedMemoryStatusResponse",
    "SystemSharedMemoryStatusResponseRegionStatus",
    "SystemSharedMemoryUnregisterRequest",
    "SystemSharedMemoryUnregisterResponse",
    "TensorMetadata",
    "TraceSettingRequest",
    "TraceSettingRequestSettingValue",
    "TraceSettingResponse",
    "TraceSettingResponseSettingValue",
]


@dataclass(eq=False, repr=False)
class ServerLiveRequest(Message):
    """``inference.ServerLiveRequest``"""


@dataclass(eq=False, repr=False)
class ServerLiveResponse(Message):
    """``inference.ServerLiveResponse``"""

    live: bool = betterproto2.field(1, betterproto2.TYPE_BOOL)


@dataclass(eq=False, repr=False)
class ServerReadyRequest(Message):
    """``inference.ServerReadyRequest``"""


@dataclass(eq=False, repr=False)
class ServerReadyResponse(Message):
    """``inference.ServerReadyResponse``"""

    ready: bool = betterproto2.field(1, betterproto2.TYPE_BOOL)


@dataclass(eq=False, repr=False)
class ModelReadyRequest(Message):
    """``inference.ModelReadyRequest``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    version: str = betterproto2.field(2, betterproto2.TYPE_STRING)
    """Empty: the server chooses."""


@dataclass(eq=False, repr=False)
class ModelReadyResponse(Message):
    """``inference.ModelReadyResponse``"""

    ready: bool = betterproto2.field(1, betterproto2.TYPE_BOOL)


@dataclass(eq=False, repr=False)
class ServerMetadataRequest(Message):
    """``inference.ServerMetadataRequest``"""


@dataclass(eq=False, repr=False)
class ServerMetadataResponse(PydanticMessage):
    """``inference.ServerMetadataResponse``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    version: str = betterproto2.field(2, betterproto2.TYPE_STRING)

    extensions: list[str] = betterproto2.field(3, betterproto2.TYPE_STRING, repeated=True)


@dataclass(eq=False, repr=False)
class ModelMetadataRequest(Message):
    """``inference.ModelMetadataRequest``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    version: str = betterproto2.field(2, betterproto2.TYPE_STRING)
    """Empty: the server chooses."""


@dataclass(eq=False, repr=False, init=False)
class TensorMetadata(PydanticMessage):
    """``inference.ModelMetadataResponse.TensorMetadata``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    datatype: str = betterproto2.field(2, betterproto2.TYPE_STRING)

    shape: list[int] = betterproto2.field(3, betterproto2.TYPE_INT64, repeated=True)
    """-1 stands for a dimension of any size."""

    parameters: Parameters = parameters_field(4, lambda: InferParameter)
    """MLServer's addition: content type and other tags."""

    def __init__(
        self,
        name: str | None = None,
        datatype: str | None = None,
        shape: Iterable[int] | None = None,
        parameters: Mapping[str, object] | None = None,
    ) -> None:
        self.name = "" if name is None else name
        self.datatype = "" if datatype is None else datatype
        self.shape = shape if isinstance(shape, list) else list(shape or ())
        self.parameters = parameters if isinstance(parameters, Parameters) else Parameters(parameters)
        self._unknown_fields = b""


@dataclass(eq=False, repr=False, init=False)
class ModelMetadataResponse(PydanticMessage):
    """``inference.ModelMetadataResponse``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    versions: list[str] = betterproto2.field(2, betterproto2.TYPE_STRING, repeated=True)

    platform: str = betterproto2.field(3, betterproto2.TYPE_STRING)

    inputs: list[TensorMetadata] = betterproto2.field(4, betterproto2.TYPE_MESSAGE, repeated=True)

    outputs: list[TensorMetadata] = betterproto2.field(5, betterproto2.TYPE_MESSAGE, repeated=True)

    properties: dict[str, str] = betterproto2.field(
        6, betterproto2.TYPE_MAP, map_meta=betterproto2.map_meta(betterproto2.TYPE_STRING, betterproto2.TYPE_STRING)
    )
    """Some clients read field 6 as another type and fail on it, so it stays empty unless the model's settings fill it."""

    def __init__(
        self,
        name: str | None = None,
        versions: Iterable[str] | None = None,
        platform: str | None = None,
        inputs: Iterable[TensorMetadata] | None = None,
        outputs: Iterable[TensorMetadata] | None = None,
        properties: dict[str, str] | None = None,
    ) -> None:
        self.name = "" if name is None else name
        self.versions = versions if isinstance(versions, list) else list(versions or ())
        self.platform = "" if platform is None else platform
        self.inputs = take_items(TensorMetadata, inputs)
        self.outputs = take_items(TensorMetadata, outputs)
        self.properties = {} if properties is None else properties
        self._unknown_fields = b""


@dataclass(eq=False, repr=False)
class InferParameter(ParameterChoice):
    """A parameter's value: one scalar of any of these kinds."""

    _choices = (
        ("bool_param", bool, 0, 1),
        ("int64_param", int, -9223372036854775808, 9223372036854775807),
        ("string_param", str, 0, 0),
        ("double_param", float, 0, 0),
        ("uint64_param", int, 0, 18446744073709551615),
    )

    bool_param: bool | None = betterproto2.field(1, betterproto2.TYPE_BOOL, group="parameter_choice", optional=True)

    int64_param: int | None = betterproto2.field(2, betterproto2.TYPE_INT64, group="parameter_choice", optional=True)

    string_param: str | None = betterproto2.field(3, betterproto2.TYPE_STRING, group="parameter_choice", optional=True)

    double_param: float | None = betterproto2.field(
        4, betterproto2.TYPE_DOUBLE, group="parameter_choice", optional=True
    )

    uint64_param: int | None = betterproto2.field(5, betterproto2.TYPE_UINT64, group="parameter_choice", optional=True)


@dataclass(eq=False, repr=False)
class InferTensorContents(PackedArrays):
    """A tensor's elements in row-major order, in the one field that fits the datatype."""

    bool_contents: list[bool] = betterproto2.field(1, betterproto2.TYPE_BOOL, repeated=True)
    """BOOL"""

    int_contents: list[int] = betterproto2.field(2, betterproto2.TYPE_INT32, repeated=True)
    """INT8, INT16, INT32"""

    int64_contents: list[int] = betterproto2.field(3, betterproto2.TYPE_INT64, repeated=True)
    """INT64"""

    uint_contents: list[int] = betterproto2.field(4, betterproto2.TYPE_UINT32, repeated=True)
    """UINT8, UINT16, UINT32"""

    uint64_contents: list[int] = betterproto2.field(5, betterproto2.TYPE_UINT64, repeated=True)
    """UINT64"""

    fp32_contents: list[float] = betterproto2.field(6, betterproto2.TYPE_FLOAT, repeated=True)
    """FP32"""

    fp64_contents: list[float] = betterproto2.field(7, betterproto2.TYPE_DOUBLE, repeated=True)
    """FP64"""

    bytes_contents: list[bytes] = betterproto2.field(8, betterproto2.TYPE_BYTES, repeated=True)
    """BYTES"""


@dataclass(eq=False, repr=False, init=False)
class InferInputTensor(Tensor):
    """``inference.ModelInferRequest.InferInputTensor``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    datatype: str = betterproto2.field(2, betterproto2.TYPE_STRING)

    shape: list[int] = betterproto2.field(3, betterproto2.TYPE_INT64, repeated=True)

    parameters: Parameters = parameters_field(4, lambda: InferParameter)

    contents: InferTensorContents | None = betterproto2.field(5, betterproto2.TYPE_MESSAGE, optional=True)
    """Absent when the data is in raw_input_contents or in shared memory."""

    def __init__(
        self,
        name: str | None = None,
        datatype: str | None = None,
        shape: Iterable[int] | None = None,
        parameters: Mapping[str, object] | None = None,
        contents: InferTensorContents | None = None,
        *,
        data: TensorValues | None = None,
    ) -> None:
        self.name = "" if name is None else name
        self.datatype = "" if datatype is None else datatype
        self.shape = shape if isinstance(shape, list) else list(shape or ())
        self.parameters = parameters if isinstance(parameters, Parameters) else Parameters(parameters)
        self.contents = contents
        self._unknown_fields = b""
        if data is not None:
            self.data = data


@dataclass(eq=False, repr=False, init=False)
class InferRequestedOutputTensor(PydanticMessage):
    """``inference.ModelInferRequest.InferRequestedOutputTensor``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    parameters: Parameters = parameters_field(2, lambda: InferParameter)

    def __init__(
        self,
        name: str | None = None,
        parameters: Mapping[str, object] | None = None,
    ) -> None:
        self.name = "" if name is None else name
        self.parameters = parameters if isinstance(parameters, Parameters) else Parameters(parameters)
        self._unknown_fields = b""


@dataclass(eq=False, repr=False, init=False)
class ModelInferRequest(PydanticMessage):
    """``inference.ModelInferRequest``"""

    _view_fields = frozenset(["raw_input_contents"])

    model_name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    model_version: str = betterproto2.field(2, betterproto2.TYPE_STRING)
    """Empty: the server chooses."""

    id: str = betterproto2.field(3, betterproto2.TYPE_STRING)
    """Repeated in the response."""

    parameters: Parameters = parameters_field(4, lambda: InferParameter)

    inputs: list[InferInputTensor] = betterproto2.field(5, betterproto2.TYPE_MESSAGE, repeated=True)

    outputs: list[InferRequestedOutputTensor] = betterproto2.field(6, betterproto2.TYPE_MESSAGE, repeated=True)
    """None: every output that the model gives."""

    raw_input_contents: list[bytes | memoryview] = betterproto2.field(7, betterproto2.TYPE_BYTES, repeated=True)
    """Little-endian elements without padding; one entry, in order, for each input that has neither contents nor shared memory. FP16 and BF16 have no other form. Parsed values are views of the parsed buffer."""

    def __init__(
        self,
        model_name: str | None = None,
        model_version: str | None = None,
        id: str | None = None,
        parameters: Mapping[str, object] | None = None,
        inputs: Iterable[InferInputTensor] | None = None,
        outputs: Iterable[InferRequestedOutputTensor] | None = None,
        raw_input_contents: list[bytes | memoryview] | None = None,
    ) -> None:
        self.model_name = "" if model_name is None else model_name
        self.model_version = "" if model_version is None else model_version
        self.id = "" if id is None else id
        self.parameters = parameters if isinstance(parameters, Parameters) else Parameters(parameters)
        self.inputs = take_items(InferInputTensor, inputs)
        self.outputs = take_items(InferRequestedOutputTensor, outputs)
        self.raw_input_contents = (
            raw_input_contents if isinstance(raw_input_contents, list) else list(raw_input_contents or ())
        )
        self._unknown_fields = b""


@dataclass(eq=False, repr=False, init=False)
class InferOutputTensor(Tensor):
    """``inference.ModelInferResponse.InferOutputTensor``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    datatype: str = betterproto2.field(2, betterproto2.TYPE_STRING)

    shape: list[int] = betterproto2.field(3, betterproto2.TYPE_INT64, repeated=True)

    parameters: Parameters = parameters_field(4, lambda: InferParameter)

    contents: InferTensorContents | None = betterproto2.field(5, betterproto2.TYPE_MESSAGE, optional=True)
    """Absent when the data is in raw_output_contents or in shared memory."""

    def __init__(
        self,
        name: str | None = None,
        datatype: str | None = None,
        shape: Iterable[int] | None = None,
        parameters: Mapping[str, object] | None = None,
        contents: InferTensorContents | None = None,
        *,
        data: TensorValues | None = None,
    ) -> None:
        self.name = "" if name is None else name
        self.datatype = "" if datatype is None else datatype
        self.shape = shape if isinstance(shape, list) else list(shape or ())
        self.parameters = parameters if isinstance(parameters, Parameters) else Parameters(parameters)
        self.contents = contents
        self._unknown_fields = b""
        if data is not None:
            self.data = data


@dataclass(eq=False, repr=False, init=False)
class ModelInferResponse(PydanticMessage):
    """``inference.ModelInferResponse``"""

    _view_fields = frozenset(["raw_output_contents"])

    model_name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    model_version: str = betterproto2.field(2, betterproto2.TYPE_STRING)

    id: str = betterproto2.field(3, betterproto2.TYPE_STRING)

    parameters: Parameters = parameters_field(4, lambda: InferParameter)

    outputs: list[InferOutputTensor] = betterproto2.field(5, betterproto2.TYPE_MESSAGE, repeated=True)

    raw_output_contents: list[bytes | memoryview] = betterproto2.field(6, betterproto2.TYPE_BYTES, repeated=True)
    """When used: one entry for every output, by position. Parsed values are views of the parsed buffer."""

    def __init__(
        self,
        model_name: str | None = None,
        model_version: str | None = None,
        id: str | None = None,
        parameters: Mapping[str, object] | None = None,
        outputs: Iterable[InferOutputTensor] | None = None,
        raw_output_contents: list[bytes | memoryview] | None = None,
    ) -> None:
        self.model_name = "" if model_name is None else model_name
        self.model_version = "" if model_version is None else model_version
        self.id = "" if id is None else id
        self.parameters = parameters if isinstance(parameters, Parameters) else Parameters(parameters)
        self.outputs = take_items(InferOutputTensor, outputs)
        self.raw_output_contents = (
            raw_output_contents if isinstance(raw_output_contents, list) else list(raw_output_contents or ())
        )
        self._unknown_fields = b""


@dataclass(eq=False, repr=False)
class ModelStreamInferResponse(Message):
    """One element of a response stream: an error of one request, or a response."""

    error_message: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    """Empty: no error."""

    infer_response: ModelInferResponse | None = betterproto2.field(2, betterproto2.TYPE_MESSAGE, optional=True)


@dataclass(eq=False, repr=False)
class ModelConfigRequest(Message):
    """``inference.ModelConfigRequest``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    version: str = betterproto2.field(2, betterproto2.TYPE_STRING)
    """Empty: the server chooses."""


@dataclass(eq=False, repr=False)
class ModelConfigResponse(Message):
    """``inference.ModelConfigResponse``"""

    config: ModelConfig | None = betterproto2.field(1, betterproto2.TYPE_MESSAGE, optional=True)


@dataclass(eq=False, repr=False)
class ModelStatisticsRequest(Message):
    """``inference.ModelStatisticsRequest``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    """Empty: all models."""

    version: str = betterproto2.field(2, betterproto2.TYPE_STRING)
    """Empty: all versions."""


@dataclass(eq=False, repr=False)
class ModelStatisticsResponse(Message):
    """``inference.ModelStatisticsResponse``"""

    model_stats: list[ModelStatistics] = betterproto2.field(1, betterproto2.TYPE_MESSAGE, repeated=True)


@dataclass(eq=False, repr=False)
class StatisticDuration(Message):
    """How often something happened, and the nanoseconds that it took in all."""

    count: int = betterproto2.field(1, betterproto2.TYPE_UINT64)

    ns: int = betterproto2.field(2, betterproto2.TYPE_UINT64)


@dataclass(eq=False, repr=False)
class InferStatistics(Message):
    """``inference.InferStatistics``"""

    success: StatisticDuration | None = betterproto2.field(1, betterproto2.TYPE_MESSAGE, optional=True)

    fail: StatisticDuration | None = betterproto2.field(2, betterproto2.TYPE_MESSAGE, optional=True)

    queue: StatisticDuration | None = betterproto2.field(3, betterproto2.TYPE_MESSAGE, optional=True)

    compute_input: StatisticDuration | None = betterproto2.field(4, betterproto2.TYPE_MESSAGE, optional=True)

    compute_infer: StatisticDuration | None = betterproto2.field(5, betterproto2.TYPE_MESSAGE, optional=True)

    compute_output: StatisticDuration | None = betterproto2.field(6, betterproto2.TYPE_MESSAGE, optional=True)

    cache_hit: StatisticDuration | None = betterproto2.field(7, betterproto2.TYPE_MESSAGE, optional=True)

    cache_miss: StatisticDuration | None = betterproto2.field(8, betterproto2.TYPE_MESSAGE, optional=True)


@dataclass(eq=False, repr=False)
class InferResponseStatistics(Message):
    """Statistics of one position in the responses to a request of a decoupled model."""

    compute_infer: StatisticDuration | None = betterproto2.field(1, betterproto2.TYPE_MESSAGE, optional=True)

    compute_output: StatisticDuration | None = betterproto2.field(2, betterproto2.TYPE_MESSAGE, optional=True)

    success: StatisticDuration | None = betterproto2.field(3, betterproto2.TYPE_MESSAGE, optional=True)

    fail: StatisticDuration | None = betterproto2.field(4, betterproto2.TYPE_MESSAGE, optional=True)

    empty_response: StatisticDuration | None = betterproto2.field(5, betterproto2.TYPE_MESSAGE, optional=True)

    cancel: StatisticDuration | None = betterproto2.field(6, betterproto2.TYPE_MESSAGE, optional=True)


@dataclass(eq=False, repr=False)
class InferBatchStatistics(Message):
    """Statistics of the executions that had this batch size."""

    batch_size: int = betterproto2.field(1, betterproto2.TYPE_UINT64)

    compute_input: StatisticDuration | None = betterproto2.field(2, betterproto2.TYPE_MESSAGE, optional=True)

    compute_infer: StatisticDuration | None = betterproto2.field(3, betterproto2.TYPE_MESSAGE, optional=True)

    compute_output: StatisticDuration | None = betterproto2.field(4, betterproto2.TYPE_MESSAGE, optional=True)


@dataclass(eq=False, repr=False)
class MemoryUsage(Message):
    """``inference.MemoryUsage``"""

    type: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    """Kind of memory, for example "CPU"."""

    id: int = betterproto2.field(2, betterproto2.TYPE_INT64)

    byte_size: int = betterproto2.field(3, betterproto2.TYPE_UINT64)


@dataclass(eq=False, repr=False)
class ModelStatistics(Message):
    """``inference.ModelStatistics``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    version: str = betterproto2.field(2, betterproto2.TYPE_STRING)

    last_inference: int = betterproto2.field(3, betterproto2.TYPE_UINT64)
    """Milliseconds since the Unix epoch."""

    inference_count: int = betterproto2.field(4, betterproto2.TYPE_UINT64)
    """A request of batch size n counts n."""

    execution_count: int = betterproto2.field(5, betterproto2.TYPE_UINT64)
    """Calls of the model: with batching, fewer than requests."""

    inference_stats: InferStatistics | None = betterproto2.field(6, betterproto2.TYPE_MESSAGE, optional=True)

    batch_stats: list[InferBatchStatistics] = betterproto2.field(7, betterproto2.TYPE_MESSAGE, repeated=True)

    memory_usage: list[MemoryUsage] = betterproto2.field(8, betterproto2.TYPE_MESSAGE, repeated=True)

    response_stats: dict[str, InferResponseStatistics] = betterproto2.field(
        9, betterproto2.TYPE_MAP, map_meta=betterproto2.map_meta(betterproto2.TYPE_STRING, betterproto2.TYPE_MESSAGE)
    )
    """Keyed by the response's position, "0" for the first."""


@dataclass(eq=False, repr=False)
class ModelRepositoryParameter(ParameterChoice):
    """A load or unload parameter; bytes carry the content of a file."""

    _choices = (
        ("bool_param", bool, 0, 1),
        ("int64_param", int, -9223372036854775808, 9223372036854775807),
        ("string_param", str, 0, 0),
        ("bytes_param", bytes, 0, 0),
    )

    bool_param: bool | None = betterproto2.field(1, betterproto2.TYPE_BOOL, group="parameter_choice", optional=True)

    int64_param: int | None = betterproto2.field(2, betterproto2.TYPE_INT64, group="parameter_choice", optional=True)

    string_param: str | None = betterproto2.field(3, betterproto2.TYPE_STRING, group="parameter_choice", optional=True)

    bytes_param: bytes | None = betterproto2.field(4, betterproto2.TYPE_BYTES, group="parameter_choice", optional=True)


@dataclass(eq=False, repr=False)
class RepositoryIndexRequest(PydanticMessage):
    """``inference.RepositoryIndexRequest``"""

    repository_name: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    """Empty: all repositories."""

    ready: bool = betterproto2.field(2, betterproto2.TYPE_BOOL)
    """Only models that are ready."""


@dataclass(eq=False, repr=False)
class ModelIndex(PydanticMessage):
    """``inference.RepositoryIndexResponse.ModelIndex``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    version: str = betterproto2.field(2, betterproto2.TYPE_STRING)

    state: str = betterproto2.field(3, betterproto2.TYPE_STRING)

    reason: str = betterproto2.field(4, betterproto2.TYPE_STRING)
    """Why the model is in that state, where there is something to say."""


@dataclass(eq=False, repr=False)
class RepositoryIndexResponse(Message):
    """``inference.RepositoryIndexResponse``"""

    models: list[ModelIndex] = betterproto2.field(1, betterproto2.TYPE_MESSAGE, repeated=True)


@dataclass(eq=False, repr=False)
class RepositoryModelLoadRequest(Message):
    """``inference.RepositoryModelLoadRequest``"""

    repository_name: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    """KServe's clients send the model's name in this field, and no field 2."""

    model_name: str = betterproto2.field(2, betterproto2.TYPE_STRING)

    parameters: Parameters = parameters_field(3, lambda: ModelRepositoryParameter)


@dataclass(eq=False, repr=False)
class RepositoryModelLoadResponse(Message):
    """Triton's form of this message is empty; KServe's has these fields."""

    model_name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    is_loaded: bool = betterproto2.field(2, betterproto2.TYPE_BOOL)


@dataclass(eq=False, repr=False)
class RepositoryModelUnloadRequest(Message):
    """``inference.RepositoryModelUnloadRequest``"""

    repository_name: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    """KServe's clients send the model's name in this field, and no field 2."""

    model_name: str = betterproto2.field(2, betterproto2.TYPE_STRING)

    parameters: Parameters = parameters_field(3, lambda: ModelRepositoryParameter)


@dataclass(eq=False, repr=False)
class RepositoryModelUnloadResponse(Message):
    """Triton's form of this message is empty; KServe's has these fields."""

    model_name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    is_unloaded: bool = betterproto2.field(2, betterproto2.TYPE_BOOL)


@dataclass(eq=False, repr=False)
class SystemSharedMemoryStatusRequest(Message):
    """``inference.SystemSharedMemoryStatusRequest``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    """Empty: all regions."""


@dataclass(eq=False, repr=False)
class SystemSharedMemoryStatusResponseRegionStatus(Message):
    """``inference.SystemSharedMemoryStatusResponse.RegionStatus``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    key: str = betterproto2.field(2, betterproto2.TYPE_STRING)

    offset: int = betterproto2.field(3, betterproto2.TYPE_UINT64)

    byte_size: int = betterproto2.field(4, betterproto2.TYPE_UINT64)


@dataclass(eq=False, repr=False)
class SystemSharedMemoryStatusResponse(Message):
    """``inference.SystemSharedMemoryStatusResponse``"""

    regions: dict[str, SystemSharedMemoryStatusResponseRegionStatus] = betterproto2.field(
        1, betterproto2.TYPE_MAP, map_meta=betterproto2.map_meta(betterproto2.TYPE_STRING, betterproto2.TYPE_MESSAGE)
    )


@dataclass(eq=False, repr=False)
class SystemSharedMemoryRegisterRequest(Message):
    """``inference.SystemSharedMemoryRegisterRequest``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    """What tensors call the region."""

    key: str = betterproto2.field(2, betterproto2.TYPE_STRING)
    """What the operating system calls the memory object."""

    offset: int = betterproto2.field(3, betterproto2.TYPE_UINT64)
    """Where the region starts in the memory object, in bytes."""

    byte_size: int = betterproto2.field(4, betterproto2.TYPE_UINT64)


@dataclass(eq=False, repr=False)
class SystemSharedMemoryRegisterResponse(Message):
    """``inference.SystemSharedMemoryRegisterResponse``"""


@dataclass(eq=False, repr=False)
class SystemSharedMemoryUnregisterRequest(Message):
    """``inference.SystemSharedMemoryUnregisterRequest``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    """Empty: all regions."""


@dataclass(eq=False, repr=False)
class SystemSharedMemoryUnregisterResponse(Message):
    """``inference.SystemSharedMemoryUnregisterResponse``"""


@dataclass(eq=False, repr=False)
class CudaSharedMemoryStatusRequest(Message):
    """``inference.CudaSharedMemoryStatusRequest``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    """Empty: all regions."""


@dataclass(eq=False, repr=False)
class CudaSharedMemoryStatusResponseRegionStatus(Message):
    """``inference.CudaSharedMemoryStatusResponse.RegionStatus``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    device_id: int = betterproto2.field(2, betterproto2.TYPE_UINT64)

    byte_size: int = betterproto2.field(3, betterproto2.TYPE_UINT64)


@dataclass(eq=False, repr=False)
class CudaSharedMemoryStatusResponse(Message):
    """``inference.CudaSharedMemoryStatusResponse``"""

    regions: dict[str, CudaSharedMemoryStatusResponseRegionStatus] = betterproto2.field(
        1, betterproto2.TYPE_MAP, map_meta=betterproto2.map_meta(betterproto2.TYPE_STRING, betterproto2.TYPE_MESSAGE)
    )


@dataclass(eq=False, repr=False)
class CudaSharedMemoryRegisterRequest(Message):
    """``inference.CudaSharedMemoryRegisterRequest``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    raw_handle: bytes = betterproto2.field(2, betterproto2.TYPE_BYTES)
    """A serialised cudaIPC memory handle."""

    device_id: int = betterproto2.field(3, betterproto2.TYPE_INT64)

    byte_size: int = betterproto2.field(4, betterproto2.TYPE_UINT64)


@dataclass(eq=False, repr=False)
class CudaSharedMemoryRegisterResponse(Message):
    """``inference.CudaSharedMemoryRegisterResponse``"""


@dataclass(eq=False, repr=False)
class CudaSharedMemoryUnregisterRequest(Message):
    """``inference.CudaSharedMemoryUnregisterRequest``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    """Empty: all regions."""


@dataclass(eq=False, repr=False)
class CudaSharedMemoryUnregisterResponse(Message):
    """``inference.CudaSharedMemoryUnregisterResponse``"""


@dataclass(eq=False, repr=False)
class TraceSettingRequestSettingValue(Message):
    """No values: back to the default."""

    value: list[str] = betterproto2.field(1, betterproto2.TYPE_STRING, repeated=True)


@dataclass(eq=False, repr=False)
class TraceSettingRequest(Message):
    """``inference.TraceSettingRequest``"""

    settings: dict[str, TraceSettingRequestSettingValue] = betterproto2.field(
        1, betterproto2.TYPE_MAP, map_meta=betterproto2.map_meta(betterproto2.TYPE_STRING, betterproto2.TYPE_MESSAGE)
    )

    model_name: str = betterproto2.field(2, betterproto2.TYPE_STRING)
    """Empty: the settings that hold for all models."""


@dataclass(eq=False, repr=False)
class TraceSettingResponseSettingValue(Message):
    """``inference.TraceSettingResponse.SettingValue``"""

    value: list[str] = betterproto2.field(1, betterproto2.TYPE_STRING, repeated=True)


@dataclass(eq=False, repr=False)
class TraceSettingResponse(Message):
    """``inference.TraceSettingResponse``"""

    settings: dict[str, TraceSettingResponseSettingValue] = betterproto2.field(
        1, betterproto2.TYPE_MAP, map_meta=betterproto2.map_meta(betterproto2.TYPE_STRING, betterproto2.TYPE_MESSAGE)
    )


@dataclass(eq=False, repr=False)
class LogSettingsRequestSettingValue(Message):
    """``inference.LogSettingsRequest.SettingValue``"""

    bool_param: bool | None = betterproto2.field(1, betterproto2.TYPE_BOOL, group="parameter_choice", optional=True)

    uint32_param: int | None = betterproto2.field(2, betterproto2.TYPE_UINT32, group="parameter_choice", optional=True)

    string_param: str | None = betterproto2.field(3, betterproto2.TYPE_STRING, group="parameter_choice", optional=True)


@dataclass(eq=False, repr=False)
class LogSettingsRequest(Message):
    """``inference.LogSettingsRequest``"""

    settings: dict[str, LogSettingsRequestSettingValue] = betterproto2.field(
        1, betterproto2.TYPE_MAP, map_meta=betterproto2.map_meta(betterproto2.TYPE_STRING, betterproto2.TYPE_MESSAGE)
    )


@dataclass(eq=False, repr=False)
class LogSettingsResponseSettingValue(Message):
    """``inference.LogSettingsResponse.SettingValue``"""

    bool_param: bool | None = betterproto2.field(1, betterproto2.TYPE_BOOL, group="parameter_choice", optional=True)

    uint32_param: int | None = betterproto2.field(2, betterproto2.TYPE_UINT32, group="parameter_choice", optional=True)

    string_param: str | None = betterproto2.field(3, betterproto2.TYPE_STRING, group="parameter_choice", optional=True)


@dataclass(eq=False, repr=False)
class LogSettingsResponse(Message):
    """``inference.LogSettingsResponse``"""

    settings: dict[str, LogSettingsResponseSettingValue] = betterproto2.field(
        1, betterproto2.TYPE_MAP, map_meta=betterproto2.map_meta(betterproto2.TYPE_STRING, betterproto2.TYPE_MESSAGE)
    )


import srv_protocol._gen.inference_codec  # pyright: ignore[reportUnusedImport]

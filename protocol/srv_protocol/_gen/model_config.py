# Generated from model_config.proto. DO NOT EDIT.
# grpcio-tools 1.81.1, ruff 0.17.6; `nox -s codegen` writes it.
# ruff: noqa

"""Messages of model_config.proto, package ``inference``."""

from __future__ import annotations

import betterproto2
from dataclasses import dataclass
from srv_protocol._message import Message

__all__ = [
    "Accelerator",
    "Agent",
    "All",
    "BatchInput",
    "BatchInputKind",
    "BatchOutput",
    "BatchOutputKind",
    "Control",
    "ControlInput",
    "Cuda",
    "DataType",
    "ExecutionAccelerators",
    "Format",
    "Graph",
    "GraphSpec",
    "HistogramOptions",
    "InitialState",
    "Input",
    "Latest",
    "LowerBound",
    "MetricControl",
    "MetricIdentifier",
    "ModelConfig",
    "ModelDynamicBatching",
    "ModelEnsembling",
    "ModelInput",
    "ModelInstanceGroup",
    "ModelInstanceGroupKind",
    "ModelMetrics",
    "ModelOperations",
    "ModelOptimizationPolicy",
    "ModelOutput",
    "ModelParameter",
    "ModelPriority",
    "ModelQueuePolicy",
    "ModelRateLimiter",
    "ModelRepositoryAgents",
    "ModelResponseCache",
    "ModelSequenceBatching",
    "ModelSequenceBatchingControlKind",
    "ModelTensorReshape",
    "ModelTransactionPolicy",
    "ModelVersionPolicy",
    "ModelWarmup",
    "PinnedMemoryBuffer",
    "Resource",
    "SecondaryDevice",
    "SecondaryDeviceKind",
    "Shape",
    "Specific",
    "State",
    "Step",
    "StrategyDirect",
    "StrategyOldest",
    "TimeoutAction",
]


class DataType(betterproto2.Enum):
    TYPE_INVALID = 0
    TYPE_BOOL = 1
    TYPE_UINT8 = 2
    TYPE_UINT16 = 3
    TYPE_UINT32 = 4
    TYPE_UINT64 = 5
    TYPE_INT8 = 6
    TYPE_INT16 = 7
    TYPE_INT32 = 8
    TYPE_INT64 = 9
    TYPE_FP16 = 10
    TYPE_FP32 = 11
    TYPE_FP64 = 12
    TYPE_STRING = 13
    """BYTES on the inference protocol."""
    TYPE_BF16 = 14


class Format(betterproto2.Enum):
    """Layout of an image tensor."""

    FORMAT_NONE = 0
    FORMAT_NHWC = 1
    FORMAT_NCHW = 2


class BatchInputKind(betterproto2.Enum):
    BATCH_ELEMENT_COUNT = 0
    BATCH_ACCUMULATED_ELEMENT_COUNT = 1
    BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO = 2
    BATCH_MAX_ELEMENT_COUNT_AS_SHAPE = 3
    BATCH_ITEM_SHAPE = 4
    BATCH_ITEM_SHAPE_FLATTEN = 5


class BatchOutputKind(betterproto2.Enum):
    BATCH_SCATTER_WITH_INPUT_SHAPE = 0


class ModelInstanceGroupKind(betterproto2.Enum):
    KIND_AUTO = 0
    KIND_GPU = 1
    KIND_CPU = 2
    KIND_MODEL = 3


class SecondaryDeviceKind(betterproto2.Enum):
    KIND_NVDLA = 0


class TimeoutAction(betterproto2.Enum):
    """What happens to a request that has waited too long."""

    REJECT = 0
    DELAY = 1


class ModelSequenceBatchingControlKind(betterproto2.Enum):
    CONTROL_SEQUENCE_START = 0
    CONTROL_SEQUENCE_READY = 1
    CONTROL_SEQUENCE_END = 2
    CONTROL_SEQUENCE_CORRID = 3


class ModelPriority(betterproto2.Enum):
    PRIORITY_DEFAULT = 0
    PRIORITY_MAX = 1
    PRIORITY_MIN = 2


@dataclass(eq=False, repr=False)
class ModelConfig(Message):
    """``inference.ModelConfig``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    platform: str = betterproto2.field(2, betterproto2.TYPE_STRING)

    version_policy: ModelVersionPolicy | None = betterproto2.field(3, betterproto2.TYPE_MESSAGE, optional=True)

    max_batch_size: int = betterproto2.field(4, betterproto2.TYPE_INT32)
    """0: no batching. Above 0, dims leave out the leading batch dimension."""

    input: list[ModelInput] = betterproto2.field(5, betterproto2.TYPE_MESSAGE, repeated=True)

    output: list[ModelOutput] = betterproto2.field(6, betterproto2.TYPE_MESSAGE, repeated=True)

    instance_group: list[ModelInstanceGroup] = betterproto2.field(7, betterproto2.TYPE_MESSAGE, repeated=True)

    default_model_filename: str = betterproto2.field(8, betterproto2.TYPE_STRING)

    cc_model_filenames: dict[str, str] = betterproto2.field(
        9, betterproto2.TYPE_MAP, map_meta=betterproto2.map_meta(betterproto2.TYPE_STRING, betterproto2.TYPE_STRING)
    )
    """Model file by CUDA compute capability."""

    metric_tags: dict[str, str] = betterproto2.field(
        10, betterproto2.TYPE_MAP, map_meta=betterproto2.map_meta(betterproto2.TYPE_STRING, betterproto2.TYPE_STRING)
    )

    dynamic_batching: ModelDynamicBatching | None = betterproto2.field(
        11, betterproto2.TYPE_MESSAGE, group="scheduling_choice", optional=True
    )

    optimization: ModelOptimizationPolicy | None = betterproto2.field(12, betterproto2.TYPE_MESSAGE, optional=True)

    sequence_batching: ModelSequenceBatching | None = betterproto2.field(
        13, betterproto2.TYPE_MESSAGE, group="scheduling_choice", optional=True
    )

    parameters: dict[str, ModelParameter] = betterproto2.field(
        14, betterproto2.TYPE_MAP, map_meta=betterproto2.map_meta(betterproto2.TYPE_STRING, betterproto2.TYPE_MESSAGE)
    )

    ensemble_scheduling: ModelEnsembling | None = betterproto2.field(
        15, betterproto2.TYPE_MESSAGE, group="scheduling_choice", optional=True
    )

    model_warmup: list[ModelWarmup] = betterproto2.field(16, betterproto2.TYPE_MESSAGE, repeated=True)

    backend: str = betterproto2.field(17, betterproto2.TYPE_STRING)

    model_operations: ModelOperations | None = betterproto2.field(18, betterproto2.TYPE_MESSAGE, optional=True)

    model_transaction_policy: ModelTransactionPolicy | None = betterproto2.field(
        19, betterproto2.TYPE_MESSAGE, optional=True
    )

    batch_input: list[BatchInput] = betterproto2.field(20, betterproto2.TYPE_MESSAGE, repeated=True)

    batch_output: list[BatchOutput] = betterproto2.field(21, betterproto2.TYPE_MESSAGE, repeated=True)

    model_repository_agents: ModelRepositoryAgents | None = betterproto2.field(
        23, betterproto2.TYPE_MESSAGE, optional=True
    )

    response_cache: ModelResponseCache | None = betterproto2.field(24, betterproto2.TYPE_MESSAGE, optional=True)

    runtime: str = betterproto2.field(25, betterproto2.TYPE_STRING)

    model_metrics: ModelMetrics | None = betterproto2.field(26, betterproto2.TYPE_MESSAGE, optional=True)


@dataclass(eq=False, repr=False)
class ModelTensorReshape(Message):
    """``inference.ModelTensorReshape``"""

    shape: list[int] = betterproto2.field(1, betterproto2.TYPE_INT64, repeated=True)


@dataclass(eq=False, repr=False)
class ModelInput(Message):
    """``inference.ModelInput``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    data_type: DataType = betterproto2.field(2, betterproto2.TYPE_ENUM, default_factory=lambda: DataType(0))

    format: Format = betterproto2.field(3, betterproto2.TYPE_ENUM, default_factory=lambda: Format(0))

    dims: list[int] = betterproto2.field(4, betterproto2.TYPE_INT64, repeated=True)
    """-1 stands for a dimension of any size."""

    reshape: ModelTensorReshape | None = betterproto2.field(5, betterproto2.TYPE_MESSAGE, optional=True)
    """The shape that the model sees, where it differs from dims."""

    is_shape_tensor: bool = betterproto2.field(6, betterproto2.TYPE_BOOL)

    allow_ragged_batch: bool = betterproto2.field(7, betterproto2.TYPE_BOOL)
    """Requests with different shapes may share a batch."""

    optional: bool = betterproto2.field(8, betterproto2.TYPE_BOOL)
    """Requests may leave this input out."""

    is_non_linear_format_io: bool = betterproto2.field(9, betterproto2.TYPE_BOOL)


@dataclass(eq=False, repr=False)
class ModelOutput(Message):
    """``inference.ModelOutput``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    data_type: DataType = betterproto2.field(2, betterproto2.TYPE_ENUM, default_factory=lambda: DataType(0))

    dims: list[int] = betterproto2.field(3, betterproto2.TYPE_INT64, repeated=True)
    """-1 stands for a dimension of any size."""

    label_filename: str = betterproto2.field(4, betterproto2.TYPE_STRING)
    """File with the classes' labels."""

    reshape: ModelTensorReshape | None = betterproto2.field(5, betterproto2.TYPE_MESSAGE, optional=True)
    """The shape that the model gives, where it differs from dims."""

    is_shape_tensor: bool = betterproto2.field(6, betterproto2.TYPE_BOOL)

    is_non_linear_format_io: bool = betterproto2.field(7, betterproto2.TYPE_BOOL)


@dataclass(eq=False, repr=False)
class BatchInput(Message):
    """An extra input that the server computes from the requests of a batch."""

    kind: BatchInputKind = betterproto2.field(1, betterproto2.TYPE_ENUM, default_factory=lambda: BatchInputKind(0))

    target_name: list[str] = betterproto2.field(2, betterproto2.TYPE_STRING, repeated=True)

    data_type: DataType = betterproto2.field(3, betterproto2.TYPE_ENUM, default_factory=lambda: DataType(0))

    source_input: list[str] = betterproto2.field(4, betterproto2.TYPE_STRING, repeated=True)


@dataclass(eq=False, repr=False)
class BatchOutput(Message):
    """How an output that is not plainly batched is divided among the requests."""

    target_name: list[str] = betterproto2.field(1, betterproto2.TYPE_STRING, repeated=True)

    kind: BatchOutputKind = betterproto2.field(2, betterproto2.TYPE_ENUM, default_factory=lambda: BatchOutputKind(0))

    source_input: list[str] = betterproto2.field(3, betterproto2.TYPE_STRING, repeated=True)


@dataclass(eq=False, repr=False)
class Latest(Message):
    """The highest version numbers, as many as num_versions."""

    num_versions: int = betterproto2.field(1, betterproto2.TYPE_UINT32)


@dataclass(eq=False, repr=False)
class All(Message):
    """``inference.ModelVersionPolicy.All``"""


@dataclass(eq=False, repr=False)
class Specific(Message):
    """``inference.ModelVersionPolicy.Specific``"""

    versions: list[int] = betterproto2.field(1, betterproto2.TYPE_INT64, repeated=True)


@dataclass(eq=False, repr=False)
class ModelVersionPolicy(Message):
    """Which of the versions present are served."""

    latest: Latest | None = betterproto2.field(1, betterproto2.TYPE_MESSAGE, group="policy_choice", optional=True)

    all: All | None = betterproto2.field(2, betterproto2.TYPE_MESSAGE, group="policy_choice", optional=True)

    specific: Specific | None = betterproto2.field(3, betterproto2.TYPE_MESSAGE, group="policy_choice", optional=True)


@dataclass(eq=False, repr=False)
class Resource(Message):
    """``inference.ModelRateLimiter.Resource``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    global_: bool = betterproto2.field(2, betterproto2.TYPE_BOOL)
    """Shared by all devices, instead of one for each."""

    count: int = betterproto2.field(3, betterproto2.TYPE_UINT32)


@dataclass(eq=False, repr=False)
class ModelRateLimiter(Message):
    """``inference.ModelRateLimiter``"""

    resources: list[Resource] = betterproto2.field(1, betterproto2.TYPE_MESSAGE, repeated=True)

    priority: int = betterproto2.field(2, betterproto2.TYPE_UINT32)


@dataclass(eq=False, repr=False)
class SecondaryDevice(Message):
    """``inference.ModelInstanceGroup.SecondaryDevice``"""

    kind: SecondaryDeviceKind = betterproto2.field(
        1, betterproto2.TYPE_ENUM, default_factory=lambda: SecondaryDeviceKind(0)
    )

    device_id: int = betterproto2.field(2, betterproto2.TYPE_INT64)


@dataclass(eq=False, repr=False)
class ModelInstanceGroup(Message):
    """Copies of the model that run in parallel, and where they run."""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    count: int = betterproto2.field(2, betterproto2.TYPE_INT32)

    gpus: list[int] = betterproto2.field(3, betterproto2.TYPE_INT32, repeated=True)

    kind: ModelInstanceGroupKind = betterproto2.field(
        4, betterproto2.TYPE_ENUM, default_factory=lambda: ModelInstanceGroupKind(0)
    )

    profile: list[str] = betterproto2.field(5, betterproto2.TYPE_STRING, repeated=True)

    rate_limiter: ModelRateLimiter | None = betterproto2.field(6, betterproto2.TYPE_MESSAGE, optional=True)

    passive: bool = betterproto2.field(7, betterproto2.TYPE_BOOL)
    """Takes no requests from the scheduler."""

    secondary_devices: list[SecondaryDevice] = betterproto2.field(8, betterproto2.TYPE_MESSAGE, repeated=True)

    host_policy: str = betterproto2.field(9, betterproto2.TYPE_STRING)


@dataclass(eq=False, repr=False)
class ModelQueuePolicy(Message):
    """``inference.ModelQueuePolicy``"""

    timeout_action: TimeoutAction = betterproto2.field(
        1, betterproto2.TYPE_ENUM, default_factory=lambda: TimeoutAction(0)
    )

    default_timeout_microseconds: int = betterproto2.field(2, betterproto2.TYPE_UINT64)
    """0: no limit."""

    allow_timeout_override: bool = betterproto2.field(3, betterproto2.TYPE_BOOL)
    """Requests may ask for a shorter timeout."""

    max_queue_size: int = betterproto2.field(4, betterproto2.TYPE_UINT32)
    """0: no limit."""


@dataclass(eq=False, repr=False)
class ModelDynamicBatching(Message):
    """Requests are joined to batches in the order in which they come."""

    preferred_batch_size: list[int] = betterproto2.field(1, betterproto2.TYPE_INT32, repeated=True)

    max_queue_delay_microseconds: int = betterproto2.field(2, betterproto2.TYPE_UINT64)
    """How long a request may wait for others to fill its batch."""

    preserve_ordering: bool = betterproto2.field(3, betterproto2.TYPE_BOOL)

    priority_levels: int = betterproto2.field(4, betterproto2.TYPE_UINT64)

    default_priority_level: int = betterproto2.field(5, betterproto2.TYPE_UINT64)

    default_queue_policy: ModelQueuePolicy | None = betterproto2.field(6, betterproto2.TYPE_MESSAGE, optional=True)

    priority_queue_policy: dict[int, ModelQueuePolicy] = betterproto2.field(
        7, betterproto2.TYPE_MAP, map_meta=betterproto2.map_meta(betterproto2.TYPE_UINT64, betterproto2.TYPE_MESSAGE)
    )
    """Keyed by priority level."""


@dataclass(eq=False, repr=False)
class Control(Message):
    """A signal to the model about a sequence."""

    kind: ModelSequenceBatchingControlKind = betterproto2.field(
        1, betterproto2.TYPE_ENUM, default_factory=lambda: ModelSequenceBatchingControlKind(0)
    )

    int32_false_true: list[int] = betterproto2.field(2, betterproto2.TYPE_INT32, repeated=True)
    """Each of the following pairs gives the values for "no" and "yes"."""

    fp32_false_true: list[float] = betterproto2.field(3, betterproto2.TYPE_FLOAT, repeated=True)

    data_type: DataType = betterproto2.field(4, betterproto2.TYPE_ENUM, default_factory=lambda: DataType(0))
    """For a correlation ID, which is sent as it is."""

    bool_false_true: list[bool] = betterproto2.field(5, betterproto2.TYPE_BOOL, repeated=True)


@dataclass(eq=False, repr=False)
class ControlInput(Message):
    """``inference.ModelSequenceBatching.ControlInput``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    control: list[Control] = betterproto2.field(2, betterproto2.TYPE_MESSAGE, repeated=True)


@dataclass(eq=False, repr=False)
class InitialState(Message):
    """``inference.ModelSequenceBatching.InitialState``"""

    data_type: DataType = betterproto2.field(1, betterproto2.TYPE_ENUM, default_factory=lambda: DataType(0))

    dims: list[int] = betterproto2.field(2, betterproto2.TYPE_INT64, repeated=True)

    zero_data: bool | None = betterproto2.field(3, betterproto2.TYPE_BOOL, group="state_data", optional=True)

    data_file: str | None = betterproto2.field(4, betterproto2.TYPE_STRING, group="state_data", optional=True)

    name: str = betterproto2.field(5, betterproto2.TYPE_STRING)


@dataclass(eq=False, repr=False)
class State(Message):
    """A tensor that the server keeps from one request of a sequence to the next."""

    input_name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    output_name: str = betterproto2.field(2, betterproto2.TYPE_STRING)

    data_type: DataType = betterproto2.field(3, betterproto2.TYPE_ENUM, default_factory=lambda: DataType(0))

    dims: list[int] = betterproto2.field(4, betterproto2.TYPE_INT64, repeated=True)

    initial_state: list[InitialState] = betterproto2.field(5, betterproto2.TYPE_MESSAGE, repeated=True)

    use_same_buffer_for_input_output: bool = betterproto2.field(6, betterproto2.TYPE_BOOL)

    use_growable_memory: bool = betterproto2.field(7, betterproto2.TYPE_BOOL)


@dataclass(eq=False, repr=False)
class StrategyDirect(Message):
    """Each sequence has a fixed slot in the batch."""

    max_queue_delay_microseconds: int = betterproto2.field(1, betterproto2.TYPE_UINT64)

    minimum_slot_utilization: float = betterproto2.field(2, betterproto2.TYPE_FLOAT)


@dataclass(eq=False, repr=False)
class StrategyOldest(Message):
    """Sequences are batched dynamically, the oldest first."""

    max_candidate_sequences: int = betterproto2.field(1, betterproto2.TYPE_INT32)

    preferred_batch_size: list[int] = betterproto2.field(2, betterproto2.TYPE_INT32, repeated=True)

    max_queue_delay_microseconds: int = betterproto2.field(3, betterproto2.TYPE_UINT64)

    preserve_ordering: bool = betterproto2.field(4, betterproto2.TYPE_BOOL)


@dataclass(eq=False, repr=False)
class ModelSequenceBatching(Message):
    """Requests with the same correlation ID go to the same instance."""

    max_sequence_idle_microseconds: int = betterproto2.field(1, betterproto2.TYPE_UINT64)

    control_input: list[ControlInput] = betterproto2.field(2, betterproto2.TYPE_MESSAGE, repeated=True)

    direct: StrategyDirect | None = betterproto2.field(
        3, betterproto2.TYPE_MESSAGE, group="strategy_choice", optional=True
    )

    oldest: StrategyOldest | None = betterproto2.field(
        4, betterproto2.TYPE_MESSAGE, group="strategy_choice", optional=True
    )

    state: list[State] = betterproto2.field(5, betterproto2.TYPE_MESSAGE, repeated=True)

    iterative_sequence: bool = betterproto2.field(6, betterproto2.TYPE_BOOL)


@dataclass(eq=False, repr=False)
class Step(Message):
    """``inference.ModelEnsembling.Step``"""

    model_name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    model_version: int = betterproto2.field(2, betterproto2.TYPE_INT64)
    """-1: the server chooses."""

    input_map: dict[str, str] = betterproto2.field(
        3, betterproto2.TYPE_MAP, map_meta=betterproto2.map_meta(betterproto2.TYPE_STRING, betterproto2.TYPE_STRING)
    )
    """The model's tensor name to the ensemble's."""

    output_map: dict[str, str] = betterproto2.field(
        4, betterproto2.TYPE_MAP, map_meta=betterproto2.map_meta(betterproto2.TYPE_STRING, betterproto2.TYPE_STRING)
    )

    model_namespace: str = betterproto2.field(5, betterproto2.TYPE_STRING)


@dataclass(eq=False, repr=False)
class ModelEnsembling(Message):
    """A pipeline of models whose tensors are passed from one to the next."""

    step: list[Step] = betterproto2.field(1, betterproto2.TYPE_MESSAGE, repeated=True)

    max_inflight_requests: int = betterproto2.field(2, betterproto2.TYPE_UINT32)
    """0: no limit."""


@dataclass(eq=False, repr=False)
class Graph(Message):
    """``inference.ModelOptimizationPolicy.Graph``"""

    level: int = betterproto2.field(1, betterproto2.TYPE_INT32)


@dataclass(eq=False, repr=False)
class Shape(Message):
    """``inference.ModelOptimizationPolicy.Cuda.GraphSpec.Shape``"""

    dim: list[int] = betterproto2.field(1, betterproto2.TYPE_INT64, repeated=True)


@dataclass(eq=False, repr=False)
class LowerBound(Message):
    """``inference.ModelOptimizationPolicy.Cuda.GraphSpec.LowerBound``"""

    batch_size: int = betterproto2.field(1, betterproto2.TYPE_INT32)

    input: dict[str, Shape] = betterproto2.field(
        2, betterproto2.TYPE_MAP, map_meta=betterproto2.map_meta(betterproto2.TYPE_STRING, betterproto2.TYPE_MESSAGE)
    )


@dataclass(eq=False, repr=False)
class GraphSpec(Message):
    """A batch size and input shapes for which a CUDA graph is captured."""

    batch_size: int = betterproto2.field(1, betterproto2.TYPE_INT32)

    input: dict[str, Shape] = betterproto2.field(
        2, betterproto2.TYPE_MAP, map_meta=betterproto2.map_meta(betterproto2.TYPE_STRING, betterproto2.TYPE_MESSAGE)
    )

    graph_lower_bound: LowerBound | None = betterproto2.field(3, betterproto2.TYPE_MESSAGE, optional=True)


@dataclass(eq=False, repr=False)
class Cuda(Message):
    """``inference.ModelOptimizationPolicy.Cuda``"""

    graphs: bool = betterproto2.field(1, betterproto2.TYPE_BOOL)

    busy_wait_events: bool = betterproto2.field(2, betterproto2.TYPE_BOOL)

    graph_spec: list[GraphSpec] = betterproto2.field(3, betterproto2.TYPE_MESSAGE, repeated=True)

    output_copy_stream: bool = betterproto2.field(4, betterproto2.TYPE_BOOL)


@dataclass(eq=False, repr=False)
class Accelerator(Message):
    """``inference.ModelOptimizationPolicy.ExecutionAccelerators.Accelerator``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    parameters: dict[str, str] = betterproto2.field(
        2, betterproto2.TYPE_MAP, map_meta=betterproto2.map_meta(betterproto2.TYPE_STRING, betterproto2.TYPE_STRING)
    )


@dataclass(eq=False, repr=False)
class ExecutionAccelerators(Message):
    """``inference.ModelOptimizationPolicy.ExecutionAccelerators``"""

    gpu_execution_accelerator: list[Accelerator] = betterproto2.field(1, betterproto2.TYPE_MESSAGE, repeated=True)

    cpu_execution_accelerator: list[Accelerator] = betterproto2.field(2, betterproto2.TYPE_MESSAGE, repeated=True)


@dataclass(eq=False, repr=False)
class PinnedMemoryBuffer(Message):
    """``inference.ModelOptimizationPolicy.PinnedMemoryBuffer``"""

    enable: bool = betterproto2.field(1, betterproto2.TYPE_BOOL)


@dataclass(eq=False, repr=False)
class ModelOptimizationPolicy(Message):
    """``inference.ModelOptimizationPolicy``"""

    graph: Graph | None = betterproto2.field(1, betterproto2.TYPE_MESSAGE, optional=True)

    priority: ModelPriority = betterproto2.field(2, betterproto2.TYPE_ENUM, default_factory=lambda: ModelPriority(0))

    cuda: Cuda | None = betterproto2.field(3, betterproto2.TYPE_MESSAGE, optional=True)

    execution_accelerators: ExecutionAccelerators | None = betterproto2.field(
        4, betterproto2.TYPE_MESSAGE, optional=True
    )

    input_pinned_memory: PinnedMemoryBuffer | None = betterproto2.field(5, betterproto2.TYPE_MESSAGE, optional=True)

    output_pinned_memory: PinnedMemoryBuffer | None = betterproto2.field(6, betterproto2.TYPE_MESSAGE, optional=True)

    gather_kernel_buffer_threshold: int = betterproto2.field(7, betterproto2.TYPE_UINT32)

    eager_batching: bool = betterproto2.field(8, betterproto2.TYPE_BOOL)


@dataclass(eq=False, repr=False)
class ModelParameter(Message):
    """``inference.ModelParameter``"""

    string_value: str = betterproto2.field(1, betterproto2.TYPE_STRING)


@dataclass(eq=False, repr=False)
class Input(Message):
    """``inference.ModelWarmup.Input``"""

    data_type: DataType = betterproto2.field(1, betterproto2.TYPE_ENUM, default_factory=lambda: DataType(0))

    dims: list[int] = betterproto2.field(2, betterproto2.TYPE_INT64, repeated=True)

    zero_data: bool | None = betterproto2.field(3, betterproto2.TYPE_BOOL, group="input_data_type", optional=True)

    random_data: bool | None = betterproto2.field(4, betterproto2.TYPE_BOOL, group="input_data_type", optional=True)

    input_data_file: str | None = betterproto2.field(
        5, betterproto2.TYPE_STRING, group="input_data_type", optional=True
    )


@dataclass(eq=False, repr=False)
class ModelWarmup(Message):
    """A request that is sent to the model before it is called ready."""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    batch_size: int = betterproto2.field(2, betterproto2.TYPE_UINT32)

    inputs: dict[str, Input] = betterproto2.field(
        3, betterproto2.TYPE_MAP, map_meta=betterproto2.map_meta(betterproto2.TYPE_STRING, betterproto2.TYPE_MESSAGE)
    )

    count: int = betterproto2.field(4, betterproto2.TYPE_UINT32)
    """0: once."""


@dataclass(eq=False, repr=False)
class ModelOperations(Message):
    """``inference.ModelOperations``"""

    op_library_filename: list[str] = betterproto2.field(1, betterproto2.TYPE_STRING, repeated=True)


@dataclass(eq=False, repr=False)
class ModelTransactionPolicy(Message):
    """``inference.ModelTransactionPolicy``"""

    decoupled: bool = betterproto2.field(1, betterproto2.TYPE_BOOL)
    """A request may have any number of responses, not exactly one."""


@dataclass(eq=False, repr=False)
class Agent(Message):
    """``inference.ModelRepositoryAgents.Agent``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    parameters: dict[str, str] = betterproto2.field(
        2, betterproto2.TYPE_MAP, map_meta=betterproto2.map_meta(betterproto2.TYPE_STRING, betterproto2.TYPE_STRING)
    )


@dataclass(eq=False, repr=False)
class ModelRepositoryAgents(Message):
    """``inference.ModelRepositoryAgents``"""

    agents: list[Agent] = betterproto2.field(1, betterproto2.TYPE_MESSAGE, repeated=True)


@dataclass(eq=False, repr=False)
class ModelResponseCache(Message):
    """``inference.ModelResponseCache``"""

    enable: bool = betterproto2.field(1, betterproto2.TYPE_BOOL)


@dataclass(eq=False, repr=False)
class MetricIdentifier(Message):
    """``inference.ModelMetrics.MetricControl.MetricIdentifier``"""

    family: str = betterproto2.field(1, betterproto2.TYPE_STRING)


@dataclass(eq=False, repr=False)
class HistogramOptions(Message):
    """``inference.ModelMetrics.MetricControl.HistogramOptions``"""

    buckets: list[float] = betterproto2.field(1, betterproto2.TYPE_DOUBLE, repeated=True)


@dataclass(eq=False, repr=False)
class MetricControl(Message):
    """``inference.ModelMetrics.MetricControl``"""

    metric_identifier: MetricIdentifier | None = betterproto2.field(1, betterproto2.TYPE_MESSAGE, optional=True)

    histogram_options: HistogramOptions | None = betterproto2.field(
        2, betterproto2.TYPE_MESSAGE, group="metric_options", optional=True
    )


@dataclass(eq=False, repr=False)
class ModelMetrics(Message):
    """``inference.ModelMetrics``"""

    metric_control: list[MetricControl] = betterproto2.field(1, betterproto2.TYPE_MESSAGE, repeated=True)

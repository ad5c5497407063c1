"""A model's configuration in Triton's form, from its metadata (Triton's "Model Configuration Extension")."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Final

from srv.dataplane._validation import optional_inputs
from srv.runtimes._derived import described_inputs, described_outputs, main_signature
from srv_protocol.datatypes import DATATYPES
from srv_protocol.errors import LoadError
from srv_protocol.model_config import (
    All,
    DataType,
    ModelConfig,
    ModelInput,
    ModelInstanceGroup,
    ModelInstanceGroupKind,
    ModelOutput,
    ModelParameter,
    ModelResponseCache,
    ModelSequenceBatching,
    ModelTransactionPolicy,
    ModelVersionPolicy,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srv.runtimes._loaded import LoadedModel
    from srv_protocol.inference import TensorMetadata

BACKEND: Final = "python"
"""What Triton calls a backend that runs a user's Python class; some clients look at it."""


def model_config(model: LoadedModel) -> ModelConfig:
    """Return the configuration of a loaded model: what is so, and the rest as the load request had it.

    With ``max_batch_size`` above 0 the first dimension of its metadata's shapes is that of the batch, which
    configurations leave out. Where no metadata says anything, the signature does, except that it does not know which
    dimension is that of the batch. Of the parameters, those are shown that are text.
    """
    runtime, settings = model.runtime, model.runtime.settings
    batched = settings.max_batch_size > 0
    config = ModelConfig() if settings.config is None else copy(settings.config)
    config.name = runtime.name
    config.platform = settings.platform
    config.backend = config.backend or BACKEND
    config.version_policy = config.version_policy or ModelVersionPolicy(all=All())
    config.max_batch_size = settings.max_batch_size
    inputs = runtime.inputs if batched else described_inputs(runtime)
    outputs = runtime.outputs if batched else described_outputs(runtime)
    optional = optional_inputs(inputs, main_signature(runtime))
    config.input = [
        ModelInput(
            name=each.name,
            data_type=_data_type(each),
            dims=_dims(each.shape, batched=batched),
            optional=each.name in optional,
        )
        for each in inputs
    ]
    config.output = [
        ModelOutput(name=each.name, data_type=_data_type(each), dims=_dims(each.shape, batched=batched))
        for each in outputs
    ]
    config.instance_group = [ModelInstanceGroup(name=runtime.name, count=1, kind=ModelInstanceGroupKind.KIND_CPU)]
    if type(runtime).stateful:
        config.sequence_batching = config.sequence_batching or ModelSequenceBatching()
    config.response_cache = None if model.cache is None else ModelResponseCache(enable=True)
    config.parameters = {
        name: ModelParameter(value) for name, value in settings.parameters.extra.items() if isinstance(value, str)
    }
    config.model_transaction_policy = ModelTransactionPolicy(decoupled=model.decoupled)
    return config


def check_config(model: LoadedModel) -> None:
    """Check what the configuration of a load request says of the runtime that has been loaded.

    Raises:
        LoadError: it says that the runtime is decoupled or stateful, and it is not, or the other way round; or that its
            responses are cached, and they cannot be.
    """
    config = model.runtime.settings.config
    if config is None:
        return
    policy, stateful = config.model_transaction_policy, type(model.runtime).stateful
    if policy is not None and policy.decoupled is not model.decoupled:
        raise LoadError(
            f"config.model_transaction_policy.decoupled: expected {model.decoupled}, which is what the runtime is"
        )
    if config.response_cache is not None and config.response_cache.enable and model.cache is None:
        raise LoadError("config.response_cache.enable: expected false: the server, or the runtime, has no cache")
    if config.sequence_batching is not None and not stateful:
        raise LoadError("config.sequence_batching: the runtime is not stateful")
    if config.dynamic_batching is not None and stateful:
        raise LoadError("config.dynamic_batching: the runtime is stateful")


def _data_type(tensor: TensorMetadata) -> DataType:
    return DataType[DATATYPES[tensor.datatype].config] if tensor.datatype else DataType.TYPE_INVALID


def _dims(shape: Sequence[int], *, batched: bool) -> list[int]:
    return list(shape[1:] if batched else shape)

"""A model's configuration in Triton's form, from its metadata (Triton's "Model Configuration Extension")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srv_protocol.datatypes import DATATYPES
from srv_protocol.model_config import DataType, ModelConfig, ModelInput, ModelOutput, ModelTransactionPolicy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srv._loaded import LoadedModel
    from srv_protocol.inference import TensorMetadata

BACKEND: Final = "python"
"""What Triton calls a backend that runs a user's Python class; some clients look at it."""


def model_config(model: LoadedModel) -> ModelConfig:
    """Return the configuration of a loaded model.

    With ``max_batch_size`` above 0 the first dimension of its metadata's shapes is that of the batch, which
    configurations leave out.
    """
    runtime = model.runtime
    batched = runtime.settings.max_batch_size > 0
    return ModelConfig(
        name=runtime.name,
        platform=runtime.settings.platform,
        backend=BACKEND,
        max_batch_size=runtime.settings.max_batch_size,
        input=[
            ModelInput(name=each.name, data_type=_data_type(each), dims=_dims(each.shape, batched=batched))
            for each in runtime.inputs
        ],
        output=[
            ModelOutput(name=each.name, data_type=_data_type(each), dims=_dims(each.shape, batched=batched))
            for each in runtime.outputs
        ],
        model_transaction_policy=ModelTransactionPolicy(decoupled=model.decoupled),
    )


def _data_type(tensor: TensorMetadata) -> DataType:
    return DataType[DATATYPES[tensor.datatype].config]


def _dims(shape: Sequence[int], *, batched: bool) -> list[int]:
    return list(shape[1:] if batched else shape)

# Generated from model_config.proto and overlay.toml. DO NOT EDIT.
# grpcio-tools 1.81.1, ruff 0.17.6; `nox -s codegen` writes it.
# ruff: noqa

"""V2 JSON views of the messages of model_config.proto."""

from __future__ import annotations

from msgspec import Struct
from srv_protocol._gen.model_config import ModelConfig, ModelInput, ModelOutput, ModelTransactionPolicy

__all__ = ["ModelConfigView", "ModelInputView", "ModelOutputView", "ModelTransactionPolicyView"]


class ModelConfigView(Struct, kw_only=True, omit_defaults=True, gc=False):
    """V2 JSON of ``inference.ModelConfig``."""

    name: str
    platform: str
    backend: str
    max_batch_size: int
    input: list[ModelInputView]
    output: list[ModelOutputView]
    model_transaction_policy: ModelTransactionPolicyView

    @classmethod
    def from_message(cls, message: ModelConfig) -> ModelConfigView:
        """Return the view of a message; containers are shared with it, not copied."""
        return cls(
            name=message.name,
            platform=message.platform,
            backend=message.backend,
            max_batch_size=message.max_batch_size,
            input=[ModelInputView.from_message(item) for item in message.input],
            output=[ModelOutputView.from_message(item) for item in message.output],
            model_transaction_policy=ModelTransactionPolicyView.from_message(
                message.model_transaction_policy or ModelTransactionPolicy()
            ),
        )


class ModelInputView(Struct, kw_only=True, omit_defaults=True, gc=False):
    """V2 JSON of ``inference.ModelInput``."""

    name: str
    data_type: str
    format: str
    dims: list[int]
    is_shape_tensor: bool
    allow_ragged_batch: bool
    optional: bool
    is_non_linear_format_io: bool

    @classmethod
    def from_message(cls, message: ModelInput) -> ModelInputView:
        """Return the view of a message; containers are shared with it, not copied."""
        return cls(
            name=message.name,
            data_type=message.data_type.name,
            format=message.format.name,
            dims=message.dims,
            is_shape_tensor=message.is_shape_tensor,
            allow_ragged_batch=message.allow_ragged_batch,
            optional=message.optional,
            is_non_linear_format_io=message.is_non_linear_format_io,
        )


class ModelOutputView(Struct, kw_only=True, omit_defaults=True, gc=False):
    """V2 JSON of ``inference.ModelOutput``."""

    name: str
    data_type: str
    dims: list[int]
    label_filename: str
    is_shape_tensor: bool
    is_non_linear_format_io: bool

    @classmethod
    def from_message(cls, message: ModelOutput) -> ModelOutputView:
        """Return the view of a message; containers are shared with it, not copied."""
        return cls(
            name=message.name,
            data_type=message.data_type.name,
            dims=message.dims,
            label_filename=message.label_filename,
            is_shape_tensor=message.is_shape_tensor,
            is_non_linear_format_io=message.is_non_linear_format_io,
        )


class ModelTransactionPolicyView(Struct, kw_only=True, omit_defaults=True, gc=False):
    """V2 JSON of ``inference.ModelTransactionPolicy``."""

    decoupled: bool

    @classmethod
    def from_message(cls, message: ModelTransactionPolicy) -> ModelTransactionPolicyView:
        """Return the view of a message; containers are shared with it, not copied."""
        return cls(decoupled=message.decoupled)

"""Metadata of a model that declares none: what its signature under ``decode_args`` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srv_codecs.hints import signature_of
from srv_protocol.inference import Parameters, TensorMetadata

if TYPE_CHECKING:
    from collections.abc import Iterable

    from srv.runtimes._model import MLModel
    from srv_codecs.hints import ImpliedTensor, SignatureSummary

OPTIONAL: Final = "optional"
"""The parameter of an input's metadata that says that requests may leave it out."""


def main_signature(runtime: MLModel) -> SignatureSummary | None:
    """Return the signature of ``predict``, else that of ``predict_stream``; ``None`` without ``decode_args``."""
    return signature_of(type(runtime).predict) or signature_of(type(runtime).predict_stream)


def described_inputs(runtime: MLModel) -> list[TensorMetadata]:
    """Return the inputs that a model declares, or else those that its signature implies."""
    signature = main_signature(runtime)
    return runtime.inputs or _described(() if signature is None else signature.implied_inputs)


def described_outputs(runtime: MLModel) -> list[TensorMetadata]:
    """Return the outputs that a model declares, or else those that its signature implies."""
    signature = main_signature(runtime)
    return runtime.outputs or _described(() if signature is None else signature.implied_outputs)


def _described(tensors: Iterable[ImpliedTensor]) -> list[TensorMetadata]:
    return [
        TensorMetadata(
            each.name,
            # Empty where a request or a result is what says it.
            each.datatype or "",
            each.shape,
            Parameters({OPTIONAL: True} if each.optional else {}, content_type=each.content_type),
        )
        for each in tensors
    ]

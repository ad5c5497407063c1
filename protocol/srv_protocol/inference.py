"""The messages of the inference service, by their protobuf names."""

from __future__ import annotations

from srv_protocol._answers import ErrorResponse, RepositoryIndex, State
from srv_protocol._gen import inference as _generated
from srv_protocol._gen.inference import *  # noqa: F403  # one public name for the generated module
from srv_protocol._parameters import Headers, Parameters, ParameterValue
from srv_protocol._tensor import Tensor, TensorData

__all__ = [
    "ErrorResponse",
    "Headers",
    "ParameterValue",
    "Parameters",
    "RepositoryIndex",
    "State",
    "Tensor",
    "TensorData",
]
__all__ += _generated.__all__

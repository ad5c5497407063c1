"""The messages of the inference service, by their protobuf names."""

from __future__ import annotations

from srv_protocol._gen.inference import *  # noqa: F403  # one public name for the generated module
from srv_protocol._gen.inference import __all__ as __all__
from srv_protocol._parameters import Headers as Headers
from srv_protocol._parameters import Parameters as Parameters
from srv_protocol._parameters import ParameterValue as ParameterValue
from srv_protocol._tensor import Tensor as Tensor
from srv_protocol._tensor import TensorData as TensorData

"""The standard health service of gRPC: its messages, and its base class for grpclib."""

from __future__ import annotations

from srv_protocol._gen import grpc_health_v1 as _generated
from srv_protocol._gen.grpc_health_v1 import *  # noqa: F403  # one public name for the generated module
from srv_protocol._gen.grpc_health_v1_grpc import HealthBase, HealthStub

__all__ = ["HealthBase", "HealthStub"]
__all__ += _generated.__all__

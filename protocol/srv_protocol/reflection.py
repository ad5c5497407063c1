"""The standard reflection service of gRPC in both versions: the modules of its messages, and its base classes."""

from __future__ import annotations

from srv_protocol._gen import grpc_reflection_v1 as v1
from srv_protocol._gen import grpc_reflection_v1alpha as v1alpha
from srv_protocol._gen.grpc_reflection_v1_grpc import ServerReflectionBase
from srv_protocol._gen.grpc_reflection_v1alpha_grpc import ServerReflectionBase as ServerReflectionAlphaBase

__all__ = ["ServerReflectionAlphaBase", "ServerReflectionBase", "v1", "v1alpha"]

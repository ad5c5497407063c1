"""The inference service for grpclib: the base class of servers, and the stub that clients call."""

from __future__ import annotations

from srv_protocol._gen.inference_grpc import GRPCInferenceServiceBase, GRPCInferenceServiceStub

__all__ = ["GRPCInferenceServiceBase", "GRPCInferenceServiceStub"]

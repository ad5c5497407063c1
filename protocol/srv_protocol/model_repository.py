"""The model repository extension's own service: its messages, and its base class for grpclib."""

from __future__ import annotations

from srv_protocol._gen import model_repository as _generated
from srv_protocol._gen.model_repository import *  # noqa: F403  # one public name for the generated module
from srv_protocol._gen.model_repository_grpc import ModelRepositoryServiceBase, ModelRepositoryServiceStub

__all__ = ["ModelRepositoryServiceBase", "ModelRepositoryServiceStub"]
__all__ += _generated.__all__

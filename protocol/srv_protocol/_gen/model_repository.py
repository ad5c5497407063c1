# Generated from model_repository.proto. DO NOT EDIT.
# grpcio-tools 1.81.1, ruff 0.17.6; `nox -s codegen` writes it.
# ruff: noqa

"""Messages of model_repository.proto, package ``inference.model_repository``."""

from __future__ import annotations

import betterproto2
from dataclasses import dataclass
from srv_protocol._message import Message

__all__ = [
    "ModelIndex",
    "RepositoryIndexRequest",
    "RepositoryIndexResponse",
    "RepositoryModelLoadRequest",
    "RepositoryModelLoadResponse",
    "RepositoryModelUnloadRequest",
    "RepositoryModelUnloadResponse",
]


@dataclass(eq=False, repr=False)
class RepositoryIndexRequest(Message):
    """``inference.model_repository.RepositoryIndexRequest``"""

    repository_name: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    """Empty: all repositories."""

    ready: bool = betterproto2.field(2, betterproto2.TYPE_BOOL)
    """Only models that are ready."""


@dataclass(eq=False, repr=False)
class ModelIndex(Message):
    """``inference.model_repository.RepositoryIndexResponse.ModelIndex``"""

    name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    version: str = betterproto2.field(2, betterproto2.TYPE_STRING)

    state: str = betterproto2.field(3, betterproto2.TYPE_STRING)

    reason: str = betterproto2.field(4, betterproto2.TYPE_STRING)
    """Why the model is in that state, where there is something to say."""


@dataclass(eq=False, repr=False)
class RepositoryIndexResponse(Message):
    """``inference.model_repository.RepositoryIndexResponse``"""

    models: list[ModelIndex] = betterproto2.field(1, betterproto2.TYPE_MESSAGE, repeated=True)


@dataclass(eq=False, repr=False)
class RepositoryModelLoadRequest(Message):
    """``inference.model_repository.RepositoryModelLoadRequest``"""

    repository_name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    model_name: str = betterproto2.field(2, betterproto2.TYPE_STRING)


@dataclass(eq=False, repr=False)
class RepositoryModelLoadResponse(Message):
    """``inference.model_repository.RepositoryModelLoadResponse``"""


@dataclass(eq=False, repr=False)
class RepositoryModelUnloadRequest(Message):
    """``inference.model_repository.RepositoryModelUnloadRequest``"""

    repository_name: str = betterproto2.field(1, betterproto2.TYPE_STRING)

    model_name: str = betterproto2.field(2, betterproto2.TYPE_STRING)


@dataclass(eq=False, repr=False)
class RepositoryModelUnloadResponse(Message):
    """``inference.model_repository.RepositoryModelUnloadResponse``"""

# Generated from model_repository.proto. DO NOT EDIT.
# grpcio-tools 1.81.1, ruff 0.17.6; `nox -s codegen` writes it.
# ruff: noqa

"""gRPC services of model_repository.proto, for grpclib."""

from __future__ import annotations

from grpclib.client import UnaryUnaryMethod
from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError
from srv_protocol._gen.model_repository import (
    RepositoryIndexRequest,
    RepositoryIndexResponse,
    RepositoryModelLoadRequest,
    RepositoryModelLoadResponse,
    RepositoryModelUnloadRequest,
    RepositoryModelUnloadResponse,
)
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grpclib.client import Channel
    from grpclib.server import Stream

__all__ = ["ModelRepositoryServiceBase", "ModelRepositoryServiceStub"]


class ModelRepositoryServiceBase:
    """Server side of ``inference.model_repository.ModelRepositoryService``; a call that is not overridden is UNIMPLEMENTED."""

    async def RepositoryIndex(self, stream: "Stream[RepositoryIndexRequest, RepositoryIndexResponse]") -> None:
        raise GRPCError(Status.UNIMPLEMENTED, "RepositoryIndex is not served by this server")

    async def RepositoryModelLoad(
        self, stream: "Stream[RepositoryModelLoadRequest, RepositoryModelLoadResponse]"
    ) -> None:
        raise GRPCError(Status.UNIMPLEMENTED, "RepositoryModelLoad is not served by this server")

    async def RepositoryModelUnload(
        self, stream: "Stream[RepositoryModelUnloadRequest, RepositoryModelUnloadResponse]"
    ) -> None:
        raise GRPCError(Status.UNIMPLEMENTED, "RepositoryModelUnload is not served by this server")

    def __mapping__(self) -> dict[str, Handler]:
        """Return the handlers by path, as grpclib asks."""
        return {
            "/inference.model_repository.ModelRepositoryService/RepositoryIndex": Handler(
                self.RepositoryIndex, Cardinality.UNARY_UNARY, RepositoryIndexRequest, RepositoryIndexResponse
            ),
            "/inference.model_repository.ModelRepositoryService/RepositoryModelLoad": Handler(
                self.RepositoryModelLoad,
                Cardinality.UNARY_UNARY,
                RepositoryModelLoadRequest,
                RepositoryModelLoadResponse,
            ),
            "/inference.model_repository.ModelRepositoryService/RepositoryModelUnload": Handler(
                self.RepositoryModelUnload,
                Cardinality.UNARY_UNARY,
                RepositoryModelUnloadRequest,
                RepositoryModelUnloadResponse,
            ),
        }


class ModelRepositoryServiceStub:
    """Client side of ``inference.model_repository.ModelRepositoryService``."""

    def __init__(self, channel: "Channel") -> None:
        self.RepositoryIndex = UnaryUnaryMethod(
            channel,
            "/inference.model_repository.ModelRepositoryService/RepositoryIndex",
            RepositoryIndexRequest,
            RepositoryIndexResponse,
        )
        self.RepositoryModelLoad = UnaryUnaryMethod(
            channel,
            "/inference.model_repository.ModelRepositoryService/RepositoryModelLoad",
            RepositoryModelLoadRequest,
            RepositoryModelLoadResponse,
        )
        self.RepositoryModelUnload = UnaryUnaryMethod(
            channel,
            "/inference.model_repository.ModelRepositoryService/RepositoryModelUnload",
            RepositoryModelUnloadRequest,
            RepositoryModelUnloadResponse,
        )

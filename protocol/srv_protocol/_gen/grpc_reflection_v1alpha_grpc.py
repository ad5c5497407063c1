# Generated from grpc/reflection/v1alpha/reflection.proto. DO NOT EDIT.
# grpcio-tools 1.81.1, ruff 0.17.6; `nox -s codegen` writes it.
# ruff: noqa

"""gRPC services of grpc/reflection/v1alpha/reflection.proto, for grpclib."""

from __future__ import annotations

from grpclib.client import StreamStreamMethod
from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError
from srv_protocol._gen.grpc_reflection_v1alpha import ServerReflectionRequest, ServerReflectionResponse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grpclib.client import Channel
    from grpclib.server import Stream

__all__ = ["ServerReflectionBase", "ServerReflectionStub"]


class ServerReflectionBase:
    """Server side of ``grpc.reflection.v1alpha.ServerReflection``; a call that is not overridden is UNIMPLEMENTED."""

    async def ServerReflectionInfo(self, stream: "Stream[ServerReflectionRequest, ServerReflectionResponse]") -> None:
        """One response to each request, in order."""
        raise GRPCError(Status.UNIMPLEMENTED, "ServerReflectionInfo is not served by this server")

    def __mapping__(self) -> dict[str, Handler]:
        """Return the handlers by path, as grpclib asks."""
        return {
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": Handler(
                self.ServerReflectionInfo, Cardinality.STREAM_STREAM, ServerReflectionRequest, ServerReflectionResponse
            ),
        }


class ServerReflectionStub:
    """Client side of ``grpc.reflection.v1alpha.ServerReflection``."""

    def __init__(self, channel: "Channel") -> None:
        self.ServerReflectionInfo = StreamStreamMethod(
            channel,
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            ServerReflectionRequest,
            ServerReflectionResponse,
        )

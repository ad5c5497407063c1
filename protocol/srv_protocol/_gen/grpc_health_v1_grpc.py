# Generated from grpc/health/v1/health.proto. DO NOT EDIT.
# grpcio-tools 1.81.1, ruff 0.17.6; `nox -s codegen` writes it.
# ruff: noqa

"""gRPC services of grpc/health/v1/health.proto, for grpclib."""

from __future__ import annotations

from grpclib.client import UnaryStreamMethod, UnaryUnaryMethod
from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError
from srv_protocol._gen.grpc_health_v1 import (
    HealthCheckRequest,
    HealthCheckResponse,
    HealthListRequest,
    HealthListResponse,
)
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grpclib.client import Channel
    from grpclib.server import Stream

__all__ = ["HealthBase", "HealthStub"]


class HealthBase:
    """Server side of ``grpc.health.v1.Health``; a call that is not overridden is UNIMPLEMENTED."""

    async def Check(self, stream: "Stream[HealthCheckRequest, HealthCheckResponse]") -> None:
        """The status now; an unknown service is a NOT_FOUND error."""
        raise GRPCError(Status.UNIMPLEMENTED, "Check is not served by this server")

    async def List(self, stream: "Stream[HealthListRequest, HealthListResponse]") -> None:
        """The status of every service."""
        raise GRPCError(Status.UNIMPLEMENTED, "List is not served by this server")

    async def Watch(self, stream: "Stream[HealthCheckRequest, HealthCheckResponse]") -> None:
        """The status now and at each change; an unknown service is SERVICE_UNKNOWN."""
        raise GRPCError(Status.UNIMPLEMENTED, "Watch is not served by this server")

    def __mapping__(self) -> dict[str, Handler]:
        """Return the handlers by path, as grpclib asks."""
        return {
            "/grpc.health.v1.Health/Check": Handler(
                self.Check, Cardinality.UNARY_UNARY, HealthCheckRequest, HealthCheckResponse
            ),
            "/grpc.health.v1.Health/List": Handler(
                self.List, Cardinality.UNARY_UNARY, HealthListRequest, HealthListResponse
            ),
            "/grpc.health.v1.Health/Watch": Handler(
                self.Watch, Cardinality.UNARY_STREAM, HealthCheckRequest, HealthCheckResponse
            ),
        }


class HealthStub:
    """Client side of ``grpc.health.v1.Health``."""

    def __init__(self, channel: "Channel") -> None:
        self.Check = UnaryUnaryMethod(channel, "/grpc.health.v1.Health/Check", HealthCheckRequest, HealthCheckResponse)
        self.List = UnaryUnaryMethod(channel, "/grpc.health.v1.Health/List", HealthListRequest, HealthListResponse)
        self.Watch = UnaryStreamMethod(channel, "/grpc.health.v1.Health/Watch", HealthCheckRequest, HealthCheckResponse)

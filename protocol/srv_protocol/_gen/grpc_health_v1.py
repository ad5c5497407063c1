# Generated from grpc/health/v1/health.proto. DO NOT EDIT.
# grpcio-tools 1.81.1, ruff 0.17.6; `nox -s codegen` writes it.
# ruff: noqa

"""Messages of grpc/health/v1/health.proto, package ``grpc.health.v1``."""

from __future__ import annotations

import betterproto2
from dataclasses import dataclass
from srv_protocol._message import Message

__all__ = ["HealthCheckRequest", "HealthCheckResponse", "HealthListRequest", "HealthListResponse", "ServingStatus"]


class ServingStatus(betterproto2.Enum):
    UNKNOWN = 0
    SERVING = 1
    NOT_SERVING = 2
    SERVICE_UNKNOWN = 3
    """Only in answers to Watch."""


@dataclass(eq=False, repr=False)
class HealthCheckRequest(Message):
    """``grpc.health.v1.HealthCheckRequest``"""

    service: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    """Empty: the server as a whole."""


@dataclass(eq=False, repr=False)
class HealthCheckResponse(Message):
    """``grpc.health.v1.HealthCheckResponse``"""

    status: ServingStatus = betterproto2.field(1, betterproto2.TYPE_ENUM, default_factory=lambda: ServingStatus(0))


@dataclass(eq=False, repr=False)
class HealthListRequest(Message):
    """``grpc.health.v1.HealthListRequest``"""


@dataclass(eq=False, repr=False)
class HealthListResponse(Message):
    """``grpc.health.v1.HealthListResponse``"""

    statuses: dict[str, HealthCheckResponse] = betterproto2.field(
        1, betterproto2.TYPE_MAP, map_meta=betterproto2.map_meta(betterproto2.TYPE_STRING, betterproto2.TYPE_MESSAGE)
    )
    """Keyed by service."""

"""``grpc.health.v1.Health``: whether the server is ready (gRPC Health Checking Protocol)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from srv.grpc._messages import receive_one
from srv_protocol.descriptors import SERVICES
from srv_protocol.health import (
    HealthBase,
    HealthCheckRequest,
    HealthCheckResponse,
    HealthListRequest,
    HealthListResponse,
    ServingStatus,
)

if TYPE_CHECKING:
    from grpclib.server import Stream

    from srv._state import ServerState
    from srv.dataplane._dataplane import DataPlane

_KNOWN: Final = frozenset(("", *SERVICES))


class HealthService(HealthBase):
    """The server and all its services have one status: that of readiness."""

    def __init__(self, dataplane: DataPlane, state: ServerState) -> None:
        self._dataplane = dataplane
        self._state = state

    def _status(self, service: str) -> ServingStatus:
        if service not in _KNOWN:
            return ServingStatus.SERVICE_UNKNOWN
        return ServingStatus.SERVING if self._dataplane.is_ready() else ServingStatus.NOT_SERVING

    async def Check(self, stream: Stream[HealthCheckRequest, HealthCheckResponse]) -> None:
        request = await receive_one(stream)
        status = self._status(request.service)
        if status is ServingStatus.SERVICE_UNKNOWN:
            raise GRPCError(Status.NOT_FOUND, f"unknown service '{request.service}'")
        await stream.send_message(HealthCheckResponse(status=status))

    async def List(self, stream: Stream[HealthListRequest, HealthListResponse]) -> None:
        await receive_one(stream)
        statuses = {name: HealthCheckResponse(status=self._status(name)) for name in sorted(_KNOWN)}
        await stream.send_message(HealthListResponse(statuses=statuses))

    async def Watch(self, stream: Stream[HealthCheckRequest, HealthCheckResponse]) -> None:
        """Send the status now and at each change, until the client goes away or the server does."""
        request = await receive_one(stream)
        sent: ServingStatus | None = None
        while True:
            changed = self._state.changes.next()
            status = self._status(request.service)
            if status is not sent:
                await stream.send_message(HealthCheckResponse(status=status))
                sent = status
            if self._state.draining.is_set():
                return
            await changed.wait()

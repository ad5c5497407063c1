"""grpclib's server with a drain: it stops accepting, lets calls finish, then says goodbye."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

import grpclib.server
from grpclib.config import Configuration

from srv.grpc._calls import Calls
from srv.grpc._codec import MessageCodec
from srv.grpc._connection import ConnectionProtocol
from srv.grpc._handler import ConnectionHandler
from srv.grpc._health import HealthService
from srv.grpc._inference import InferenceService
from srv.grpc._reflection import ReflectionAlphaService, ReflectionService
from srv.grpc._repository import RepositoryRpcs, RepositoryService
from srv.grpc._settings import SettingsRpcs
from srv.grpc._shared_memory import SharedMemoryRpcs
from srv.grpc.native._endpoint import Endpoint

if TYPE_CHECKING:
    import socket
    import ssl

    from grpclib._typing import IServable
    from grpclib.protocol import H2Protocol

    from srv._backend import Backend
    from srv.grpc.native._protocol import NativeProtocol

# grpclib's own backlog of 100 is small for a server behind a load balancer; this is uvicorn's.
_BACKLOG: Final = 2048
# Seconds that calls which were cancelled have to end.
_LAST_ANSWERS: Final = 1.0
# Seconds between looks at the connections that are left.
_LOOK: Final = 0.05


class GrpcServer(grpclib.server.Server):
    """The gRPC front on one socket."""

    def __init__(
        self,
        backend: Backend,
        listener: socket.socket,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._calls = Calls(backend.metrics)
        self._native = backend.settings.grpc_transport == "native"
        self._listener = listener
        self._tls = tls
        self._connections: WeakSet[H2Protocol] = WeakSet()
        services: list[IServable] = [
            InferenceService(backend),
            RepositoryRpcs(backend),
            RepositoryService(backend),
            SettingsRpcs(backend),
            SharedMemoryRpcs(backend),
            HealthService(backend.dataplane, backend.state),
            ReflectionService(backend.state.draining),
            ReflectionAlphaService(backend.state.draining),
        ]
        settings = backend.settings
        limits = filter(None, (settings.max_request_size, settings.grpc_max_message_length))
        codec = MessageCodec(min(limits))
        super().__init__([self._calls.wrap(services)], codec=codec, config=Configuration())
        # Every byte has a meaning in it: one that is not ASCII in the metadata of a call ended its whole connection.
        self._h2_config.header_encoding = "latin-1"
        self._endpoint = Endpoint(settings, self._mapping, codec, self.__dispatch__)

    def _protocol_factory(self) -> NativeProtocol | H2Protocol:  # type: ignore[override]  # asyncio takes both
        if self._native:
            return self._endpoint.connect()
        # As in the base class, with a handler of our own.
        self.__gc_step__()
        handler = ConnectionHandler(self._mapping, self._codec, self._status_details_codec, self.__dispatch__)
        self._handlers.add(handler)
        protocol = ConnectionProtocol(handler, self._config, self._h2_config)
        self._connections.add(protocol)
        return protocol

    async def open(self) -> None:
        """Accept calls."""
        await self.start(sock=self._listener, backlog=_BACKLOG, ssl=self._tls)

    async def hand_over(self, patience: float) -> None:
        """Accept nothing more, and ask clients to take other connections; return when none is left.

        Or after `patience` seconds. Connections of grpclib's are left as they are: it has no way to ask.
        """
        if self._server is None or not self._native:
            return
        self._server.close()
        self._endpoint.hand_over()
        deadline = self._endpoint.loop.time() + patience
        while self._endpoint.connections and self._endpoint.loop.time() < deadline:  # noqa: ASYNC110  # for once in a life
            await asyncio.sleep(_LOOK)

    async def stop(self, grace: float) -> None:
        """Accept nothing more, let running calls finish for `grace` seconds, cancel the rest, close connections."""
        if self._server is None:
            return
        self._server.close()
        self._calls.refusing = True
        self._endpoint.drain()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._calls.wait_idle(), grace)
        self.close()
        self._endpoint.cancel_calls()
        # A thread that is stuck keeps its call for ever.
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._calls.wait_idle(), _LAST_ANSWERS)
        self._endpoint.close()
        for protocol in list(self._connections):
            _say_goodbye(protocol)


def _say_goodbye(protocol: H2Protocol) -> None:
    connection = getattr(protocol, "connection", None)
    if connection is not None and not connection.is_closing():
        # GOAWAY tells the client that the calls it has not heard of can be made elsewhere (RFC 9113, section 6.8).
        connection._connection.close_connection()  # noqa: SLF001  # grpclib has no call for it
        connection.flush()
        connection.close()

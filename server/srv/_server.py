"""One server: its models, its fronts, and its life from start to exit."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from srv._backend import Backend
from srv._log_settings import LogSettings
from srv._metrics import Metrics
from srv._shared_memory import SharedMemory
from srv._state import ServerState
from srv.controlplane._controlplane import ControlPlane
from srv.controlplane._registry import ModelRegistry
from srv.controlplane._source import root_of
from srv.controlplane._watcher import Watcher
from srv.dataplane._cache import ResponseCache
from srv.dataplane._custom_routes import CustomRoutes
from srv.dataplane._dataplane import DataPlane
from srv.grpc._server import GrpcServer
from srv.rest._app import metrics_app, rest_app
from srv.rest._http import HttpServer
from srv.rest._inference_cycle import InferenceEndpoint
from srv.tracing._trace import Tracer
from srv_protocol.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from srv._model_settings import ModelSettings
    from srv._settings import Settings
    from srv.controlplane._repository import ModelRepository

_logger: Final = logging.getLogger("srv")


# uvicorn's.
_BACKLOG: Final = 2048
# Seconds that models have for unload() when somebody asked twice to stop.
_HASTY_UNLOAD: Final = 1.0
# Seconds that the traces which are not in their file yet have to get there.
_LAST_TRACES: Final = 5.0


class Address(NamedTuple):
    """Where a front listens."""

    front: str
    host: str
    port: int

    @property
    def url(self) -> str:
        """The address as clients write it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.front == "gRPC" else f"http://{host}:{self.port}"


class Server:
    """A server of one repository. Make it inside a running event loop.

    With `reload` it follows the changes of the repository's folders; see :meth:`watch`.

    Raises:
        SettingsError: ``trace_file`` cannot be written.
    """

    def __init__(self, settings: Settings, repository: ModelRepository, *, reload: bool = False) -> None:
        self.state = ServerState()
        cache = (
            ResponseCache(settings.cache_size, settings.cache_max_bytes, settings.cache_ttl)
            if settings.cache_enabled
            else None
        )
        self.root = root_of(repository, settings.model_repository_root)
        self.registry = ModelRegistry(self.state.changes, self.root, settings.max_queue_size, cache)
        self.metrics = Metrics(settings.metrics_rest_server_prefix)
        tracer = Tracer(Path(settings.trace_file) if settings.trace_file is not None else None)
        dataplane = DataPlane(settings, self.registry, self.metrics, self.state, tracer)
        controlplane = ControlPlane(repository, self.registry, allow_files=settings.allow_file_override)
        shared_memory = SharedMemory(allowed=settings.allow_client_shm)
        self.backend = Backend(
            settings,
            self.state,
            self.metrics,
            dataplane,
            controlplane,
            tracer,
            LogSettings(),
            shared_memory,
            CustomRoutes(settings, self.registry),
        )
        self.addresses: list[Address] = []
        watcher = Watcher(controlplane, self.root, load_new=settings.load_models_at_startup)
        self._watcher = watcher if reload else None
        self._settings = settings
        self._http: list[HttpServer] = []
        self._grpc: GrpcServer | None = None
        self._hasten = asyncio.Event()

    async def open(self) -> None:
        """Listen on every port; models may still be missing, and readiness says so.

        Raises:
            SettingsError: an address cannot be taken.
        """
        settings = self._settings
        listeners = [self._bind("REST", settings.http_port), self._bind("gRPC", settings.grpc_port)]
        app = rest_app(self.backend)
        self._http = [
            HttpServer(
                app,
                listeners[0],
                InferenceEndpoint(self.backend),
                root_path=settings.root_path,
                access_log=settings.debug,
            )
        ]
        self._grpc = GrpcServer(self.backend, listeners[1])
        if settings.metrics_endpoint:
            listener = self._bind("metrics", settings.metrics_port)
            self._http.append(HttpServer(metrics_app(settings.metrics_endpoint, self.metrics), listener))
        await asyncio.gather(self._grpc.open(), *(server.start() for server in self._http))

    def _bind(self, front: str, port: int) -> socket.socket:
        host = self._settings.host
        listener: socket.socket | None = None
        try:
            # Of a name with several addresses, such as localhost, the first of IPv4 is taken.
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            family, kind, protocol, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
            listener = socket.socket(family, kind, protocol)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            # Now rather than later: two binds of one port succeed, and one of their listens would fail unseen.
            listener.listen(_BACKLOG)
        except (OSError, UnicodeError) as error:
            if listener is not None:
                listener.close()
            setting = {"REST": "http_port", "gRPC": "grpc_port"}.get(front, "metrics_port")
            raise SettingsError(
                f"{front} cannot listen on {host}:{port} ({setting}): {getattr(error, 'strerror', error)}"
            ) from None
        listener.setblocking(False)  # noqa: FBT003  # the socket module's own signature
        self.addresses.append(Address(front, host, listener.getsockname()[1]))
        return listener

    async def load_models(self, progress: Callable[[ModelSettings], None] = lambda _: None) -> None:
        """Load what the repository has; readiness follows."""
        if self._watcher is not None:
            await self._watcher.begin()
        if self._settings.load_models_at_startup:
            await self.backend.controlplane.load_all(progress)
        self.state.set_started()

    async def watch(self) -> None:
        """Follow the changes of the repository's folders, for ever."""
        if self._watcher is not None:
            await self._watcher.run()

    def hasten(self) -> None:
        """Cut the waiting of a stop that is under way short."""
        self._hasten.set()

    async def stop(self) -> bool:
        """Turn not ready, wait ``shutdown_delay``, let requests finish for ``shutdown_timeout``, unload the models.

        Return whether all code of the models has ended; a thread that is stuck cannot be made to.
        """
        settings = self._settings
        self.state.set_stopping()
        await self._unless_hastened(asyncio.sleep(settings.shutdown_delay))
        self.state.set_draining()
        fronts = [server.stop(settings.shutdown_timeout) for server in self._http]
        if self._grpc is not None:
            fronts.append(self._grpc.stop(settings.shutdown_timeout))
        await self._unless_hastened(_all(fronts))
        closing = asyncio.ensure_future(self.registry.close())
        hastened = self._hasten.is_set()
        await asyncio.wait({closing}, timeout=_HASTY_UNLOAD if hastened else settings.shutdown_timeout)
        await self.backend.controlplane.close()
        if closing.done():
            closing.result()
        await self._close_tracer()
        return closing.done()

    async def _close_tracer(self) -> None:
        writing = asyncio.ensure_future(self.backend.tracer.close())
        await asyncio.wait({writing}, timeout=_LAST_TRACES)
        if not writing.done():
            writing.cancel()
            _logger.warning("%s: some traces are not written yet, and are lost", self._settings.trace_file)

    async def _unless_hastened(self, waiting: Awaitable[None]) -> None:
        task = asyncio.ensure_future(waiting)
        hastened = asyncio.ensure_future(self._hasten.wait())
        await asyncio.wait({task, hastened}, return_when=asyncio.FIRST_COMPLETED)
        for each in (task, hastened):
            if not each.done():
                each.cancel()
        if task.done() and not task.cancelled():
            task.result()


async def _all(waiting: Iterable[Awaitable[None]]) -> None:
    await asyncio.gather(*waiting)

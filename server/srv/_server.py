"""One server: its models, its fronts, and its life from start to exit."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from srv._backend import Backend
from srv._listening import SocketFile, listen_tcp, listen_unix
from srv._log_settings import LogSettings
from srv._metrics import Metrics
from srv._shared_memory import SharedMemory
from srv._state import ServerState
from srv._tls import tls_context
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
from srv.workers._plans import WorkerPlans
from srv_protocol.errors import SettingsError

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Iterable

    from srv._model_settings import ModelSettings
    from srv._settings import Settings
    from srv.controlplane._repository import ModelRepository

_logger: Final = logging.getLogger("srv")


# Seconds that models have for unload() when somebody asked twice to stop.
_HASTY_UNLOAD: Final = 1.0
# Seconds that the traces which are not in their file yet have to get there.
_LAST_TRACES: Final = 5.0


class Address(NamedTuple):
    """Where a front listens; `url` as clients write it."""

    front: str
    url: str


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
        self.registry = ModelRegistry(
            self.state.changes, self.root, settings.max_queue_size, cache, WorkerPlans(settings)
        )
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
        self._socket_files: list[SocketFile] = []
        self._hasten = asyncio.Event()

    async def open(self) -> None:
        """Listen on every port; models may still be missing, and readiness says so.

        Raises:
            SettingsError: an address cannot be taken, or the files of TLS cannot be used.
        """
        settings = self._settings
        http_tls, grpc_tls = tls_context(settings, "http/1.1"), tls_context(settings, "h2")
        scheme = "http" if http_tls is None else "https"
        try:
            listeners = [
                self._listen("REST", "http", settings.http_port, settings.http_uds, f"{scheme}://"),
                self._listen("gRPC", "grpc", settings.grpc_port, settings.grpc_uds),
            ]
            if settings.metrics_endpoint:
                listeners.append(self._listen("metrics", "metrics", settings.metrics_port, None, "http://"))
        except SettingsError:
            self._remove_socket_files()
            raise
        self._http = [
            HttpServer(
                rest_app(self.backend),
                listeners[0],
                InferenceEndpoint(self.backend),
                tls=http_tls,
                root_path=settings.root_path,
                access_log=settings.debug,
            )
        ]
        self._grpc = GrpcServer(self.backend, listeners[1], grpc_tls)
        if settings.metrics_endpoint:
            self._http.append(HttpServer(metrics_app(settings.metrics_endpoint, self.metrics), listeners[2]))
        await asyncio.gather(self._grpc.open(), *(server.start() for server in self._http))

    def _listen(self, front: str, prefix: str, port: int, path: str | None, scheme: str = "") -> socket.socket:
        host = self._settings.host
        try:
            if path is None:
                listener = listen_tcp(host, port)
                shown = f"[{host}]" if ":" in host else host
                self.addresses.append(Address(front, f"{scheme}{shown}:{listener.getsockname()[1]}"))
            else:
                listener, file = listen_unix(path)
                self._socket_files.append(file)
                self.addresses.append(Address(front, file.url))
        except (OSError, UnicodeError) as error:
            place, setting = (f"{host}:{port}", "port") if path is None else (f"unix:{path}", "uds")
            raise SettingsError(
                f"{front} cannot listen on {place} ({prefix}_{setting}): {getattr(error, 'strerror', None) or error}"
            ) from None
        return listener

    def _remove_socket_files(self) -> None:
        for file in self._socket_files:
            try:
                file.remove()
            except OSError as error:
                _logger.warning("%s cannot be removed: %s", file.url, error.strerror)

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
        # Before anything is closed: from now on, the names are free for the server that comes next.
        self._remove_socket_files()
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

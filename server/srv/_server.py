"""One server: its models, its fronts, and its life from start to exit."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from srv._backend import Backend
from srv._listening import Listeners
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
from srv_protocol.errors import SrvError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from srv._backend import Peers
    from srv._listening import Address
    from srv._model_settings import ModelSettings
    from srv._settings import Settings
    from srv.controlplane._repository import ModelRepository

_logger: Final = logging.getLogger("srv")


# Seconds that models have for unload() when somebody asked twice to stop.
_HASTY_UNLOAD: Final = 1.0
# Seconds that the traces which are not in their file yet have to get there.
_LAST_TRACES: Final = 5.0


class Server:
    """A server of one repository. Make it inside a running event loop.

    With `reload` it follows the changes of the repository's folders; see :meth:`watch`.

    Args:
        listeners: where it listens; ``None`` opens what the settings say.
        peers: the other processes that serve the same ports, if there are any.

    Raises:
        SettingsError: ``trace_file`` cannot be written.
    """

    def __init__(
        self,
        settings: Settings,
        repository: ModelRepository,
        *,
        reload: bool = False,
        listeners: Listeners | None = None,
        peers: Peers | None = None,
    ) -> None:
        self.state = ServerState()
        cache = (
            ResponseCache(settings.cache_size, settings.cache_max_bytes, settings.cache_ttl)
            if settings.cache_enabled
            else None
        )
        self.root = root_of(repository, settings.model_repository_root)
        workers, log_settings = WorkerPlans(settings), LogSettings()
        log_settings.on_change.append(workers.set_logging)
        self.registry = ModelRegistry(self.state.changes, self.root, settings.max_queue_size, cache, workers)
        self.registry.keeps_sequences = peers is None
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
            log_settings,
            shared_memory,
            CustomRoutes(settings, self.registry),
            peers,
        )
        self._listeners = listeners
        watcher = Watcher(controlplane, self.root, load_new=settings.load_models_at_startup)
        self._watcher = watcher if reload else None
        self._settings = settings
        self._http: list[HttpServer] = []
        self._grpc: GrpcServer | None = None
        self._hasten = asyncio.Event()

    async def open(self) -> None:
        """Listen on every port; models may still be missing, and readiness says so.

        Raises:
            SettingsError: an address cannot be taken, or the files of TLS cannot be used.
        """
        settings = self._settings
        http_tls, grpc_tls = tls_context(settings, "http/1.1"), tls_context(settings, "h2")
        if self._listeners is None:
            self._listeners = Listeners.open(settings)
        listeners = self._listeners
        self._http = [
            HttpServer(
                rest_app(self.backend),
                listeners.rest,
                InferenceEndpoint(self.backend),
                tls=http_tls,
                root_path=settings.root_path,
                access_log=settings.debug,
            )
        ]
        self._grpc = GrpcServer(self.backend, listeners.grpc, grpc_tls)
        if settings.metrics_endpoint and listeners.metrics is not None:
            self._http.append(HttpServer(metrics_app(settings.metrics_endpoint, self._render), listeners.metrics))
        await asyncio.gather(self._grpc.open(), *(server.start() for server in self._http))

    async def _render(self) -> bytes:
        return self.metrics.render()

    @property
    def addresses(self) -> list[Address]:
        """Where it listens."""
        return [] if self._listeners is None else self._listeners.addresses

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

    async def reload(self) -> None:
        """Load all models anew, each as it is in the repository now; one that fails goes on as it was."""
        _logger.info("loading all models anew")
        try:
            await self.backend.controlplane.refresh(None, load_new=self._settings.load_models_at_startup)
        except SrvError as error:
            _logger.error("the models go on as they were: %s", error.message)  # noqa: TRY400  # its text says all
        else:
            _logger.info("the models are loaded anew")

    def hasten(self) -> None:
        """Cut the waiting of a stop that is under way short."""
        self._hasten.set()

    async def stop(self, *, replaced: bool = False) -> bool:
        """Turn not ready, wait ``shutdown_delay``, let requests finish for ``shutdown_timeout``, unload the models.

        One that is `replaced` by another on the same ports stays ready instead, accepts no connections, and waits for
        as long as it lets requests finish until its clients have gone over to the other, which they are asked to.

        Return whether all code of the models has ended; a thread that is stuck cannot be made to.
        """
        settings = self._settings
        if replaced:
            await self._unless_hastened(self._hand_over(settings.shutdown_timeout))
            self.state.set_stopping()
        else:
            self.state.set_stopping()
            await self._unless_hastened(asyncio.sleep(settings.shutdown_delay))
        self.state.set_draining()
        # Before anything is closed: from now on, the names are free for the server that comes next.
        if self._listeners is not None:
            self._listeners.remove_files()
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

    async def _hand_over(self, patience: float) -> None:
        waiting = [server.hand_over(patience) for server in self._http]
        if self._grpc is not None:
            waiting.append(self._grpc.hand_over(patience))
        await _all(waiting)

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

"""What the fronts serve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from srv._changes import ChangeLog, ChangeTrace, Load, Register, Unload, Unregister

if TYPE_CHECKING:
    from srv._changes import Change
    from srv._log_settings import LogSettings
    from srv._metrics import Metrics
    from srv._settings import Settings
    from srv._shared_memory import SharedMemory
    from srv._state import ServerState
    from srv.controlplane._controlplane import ControlPlane
    from srv.dataplane._custom_routes import CustomRoutes
    from srv.dataplane._dataplane import DataPlane
    from srv.tracing._trace import TraceChanges, Tracer
    from srv_protocol.inference import ModelStatistics


class Peers(Protocol):
    """The processes that serve the same ports, this one among them."""

    async def change(self, change: Change) -> None:
        """Make a change in all of them, as :meth:`Backend.change` says."""
        ...

    async def statistics(self, name: str, version: str) -> list[ModelStatistics]:
        """Return the sums over all of them."""
        ...


@dataclass(frozen=True, slots=True)
class Backend:
    """The parts of a server behind its fronts."""

    settings: Settings
    state: ServerState
    metrics: Metrics
    dataplane: DataPlane
    controlplane: ControlPlane
    tracer: Tracer
    log_settings: LogSettings
    shared_memory: SharedMemory
    custom_routes: CustomRoutes
    peers: Peers | None = None

    async def change(self, change: Change) -> None:
        """Do what a client asks for: in this process, and in all others that serve the same ports.

        Raises:
            SrvError: as what makes the change, see :meth:`apply`; nothing is changed.
            InferenceError: other processes could not follow this one; they are replaced.
        """
        await (self.apply(change) if self.peers is None else self.peers.change(change))

    async def apply(self, change: Change) -> None:
        """Make a change in this process alone.

        Raises:
            As :class:`srv.controlplane._controlplane.ControlPlane`, :meth:`trace_settings`,
            :class:`srv._log_settings.LogSettings` and :class:`srv._shared_memory.SharedMemory`; nothing is changed.
        """
        match change:
            case Load(name, parameters):
                await self.controlplane.load(name, parameters)
            case Unload(name, parameters):
                await self.controlplane.unload(name, parameters)
            case ChangeTrace(changes, model):
                self.trace_settings(changes, model)
            case ChangeLog(changes):
                self.log_settings.update(changes)
            case Register(name, key, offset, byte_size):
                self.shared_memory.register(name, key, offset, byte_size)
            case Unregister(name):
                self.shared_memory.unregister(name)

    async def statistics(self, name: str = "", version: str = "") -> list[ModelStatistics]:
        """Return what the loaded versions of a model have done so far, in all processes; see `DataPlane.statistics`.

        Raises:
            InvalidInput: the model, or the version, is not loaded.
        """
        own = self.dataplane.statistics(name, version)
        return own if self.peers is None else await self.peers.statistics(name, version)

    def trace_settings(self, changes: TraceChanges, model: str = "") -> dict[str, list[str]]:
        """Change the trace settings of a model, ``""`` for those of all, and return what holds then.

        Raises:
            ModelNotFound: there is no such model.
            InvalidInput, Unsupported: as :meth:`srv.tracing._trace.Tracer.update`; nothing is changed.
        """
        if model:
            self.dataplane.is_model_ready(model)  # raises; settings may be made before the model is loaded
        self.tracer.update(changes, model)
        return self.tracer.settings(model)

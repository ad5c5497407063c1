"""What the fronts serve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from srv._log_settings import LogSettings
    from srv._metrics import Metrics
    from srv._settings import Settings
    from srv._shared_memory import SharedMemory
    from srv._state import ServerState
    from srv.controlplane._controlplane import ControlPlane
    from srv.dataplane._custom_routes import CustomRoutes
    from srv.dataplane._dataplane import DataPlane
    from srv.tracing._trace import TraceChanges, Tracer


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

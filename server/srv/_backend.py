"""What the fronts serve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from srv._controlplane import ControlPlane
    from srv._dataplane import DataPlane
    from srv._metrics import Metrics
    from srv._settings import Settings
    from srv._shared_memory import SharedMemory
    from srv._state import ServerState


@dataclass(frozen=True, slots=True)
class Backend:
    """The parts of a server behind its fronts."""

    settings: Settings
    state: ServerState
    metrics: Metrics
    dataplane: DataPlane
    controlplane: ControlPlane
    shared_memory: SharedMemory

"""What clients have changed since the start, which a new process has to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srv._changes import ChangeLog, ChangeTrace, Load, Register, Unload, Unregister

if TYPE_CHECKING:
    from srv._changes import Change


class Journal:
    """The changes that still count: the last load or unload of each model, the regions, and the sums of settings."""

    def __init__(self) -> None:
        self._models: dict[str, Load | Unload] = {}
        self._regions: dict[str, Register] = {}
        self._log: dict[str, object] = {}
        self._traces: dict[str, dict[str, list[str] | None]] = {}

    def record(self, change: Change) -> None:
        """Take note of a change that has been made."""
        match change:
            case Load(name) | Unload(name):
                self._models[name] = change
            case Register(name):
                self._regions[name] = change
            case Unregister(""):
                self._regions.clear()
            case Unregister(name):
                self._regions.pop(name, None)
            case ChangeLog(changes):
                self._log |= {key: value for key, value in changes.items() if value is not None}
            case ChangeTrace(changes, model):
                self._traces.setdefault(model, {}).update(changes)

    def changes(self) -> list[Change]:
        """Return what a new process has to do to be as the others are."""
        traces = [ChangeTrace(changes, model) for model, changes in self._traces.items()]
        log = [ChangeLog(dict(self._log))] if self._log else []
        return [*self._models.values(), *self._regions.values(), *traces, *log]

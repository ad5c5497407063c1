"""The models that a server holds, by name and version, and the states that they go through."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import TYPE_CHECKING, Final

from srv._error_text import error_text
from srv._state import SHUTTING_DOWN
from srv.controlplane._entry import ModelEntry, ModelState, is_number, version_key
from srv.controlplane._hiding import hide_folder
from srv.controlplane._model_config import check_config
from srv.runtimes._loaded import LoadedModel, uncacheable
from srv.runtimes._loading import Loading, code_folder
from srv.workers._pool import CodePlace, WorkerPool
from srv_protocol.errors import LoadError, ModelNotFound, ModelNotReady, SrvError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
    from pathlib import Path

    from srv._model_settings import ModelSettings
    from srv._state import Changes
    from srv.controlplane._file_override import ModelFiles
    from srv.controlplane._repository import BrokenModel
    from srv.dataplane._cache import ModelCache, ResponseCache
    from srv.workers._plans import WorkerPlans

_logger: Final = logging.getLogger("srv")


class ModelRegistry:
    """Entries by name and version.

    A model that cannot be loaded stays in it, with the reason, and stops no other. Loading a version that is loaded
    already replaces it: the old one answers until the new one is ready, and is unloaded after its last request.
    """

    def __init__(
        self,
        changes: Changes,
        root: Path | None = None,
        max_queue_size: int | None = None,
        cache: ResponseCache | None = None,
        workers: WorkerPlans | None = None,
    ) -> None:
        self._changes = changes
        self._root = root
        self._max_queue_size = max_queue_size
        self._cache = cache
        self._workers = workers
        self._entries: dict[str, dict[str, ModelEntry]] = {}
        self._broken: dict[BrokenModel, ModelEntry] = {}
        self._closed = False
        self._locks: dict[str, asyncio.Lock] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self.keeps_sequences = True
        """Whether all requests of a sequence come to this process; a model that needs that is not loaded otherwise."""
        self.on_load: list[Callable[[LoadedModel], None]] = []
        """Called with each model that has been loaded."""

    def entries(self) -> list[ModelEntry]:
        """Return every entry, by name, then by version."""
        return [
            entry
            for _, versions in sorted(self._entries.items())
            for _, entry in sorted(versions.items(), key=lambda item: version_key(item[0]))
        ] + sorted(self._broken.values(), key=lambda entry: entry.name)

    def versions(self, name: str) -> list[str]:
        """Return the versions of a model that are ready, oldest first; ``""`` is a model without versions.

        Raises:
            ModelNotFound: there is no such model.
        """
        ready = [version for version, entry in self._of(name).items() if entry.state is ModelState.READY]
        return sorted(ready, key=version_key)

    def find(self, name: str, version: str = "") -> LoadedModel:
        """Return a loaded model; without a version the default one.

        That is the one without version if there is such, else the highest, numbers before words, and v10 before v3.

        Raises:
            ModelNotFound: no such model, no such version, or none that is loaded.
            ModelNotReady: it is being loaded.
        """
        versions = self._of(name)
        if version:
            entry = versions.get(version)
        elif "" in versions and versions[""].loaded is not None:
            entry = versions[""]
        else:
            ready = [key for key, entry in versions.items() if entry.loaded is not None]
            entry = versions[max(ready, key=version_key)] if ready else None
        if entry is not None and entry.loaded is not None:
            return entry.loaded
        waiting = versions.values() if entry is None and not version else filter(None, (entry,))
        if any(each.state is ModelState.LOADING for each in waiting):
            raise ModelNotReady(f"model '{name}' is loading")
        if entry is None and version:
            raise _no_version(name, version)
        raise ModelNotFound(name, version, detail="has no available versions")

    def names_with_handlers(self) -> list[str]:
        """Return the names of the models of which a loaded version has custom handlers."""
        return [
            name
            for name, versions in self._entries.items()
            if any(entry.loaded is not None and entry.loaded.handlers for entry in versions.values())
        ]

    def is_ready(self, name: str, version: str = "") -> bool:
        """Whether a model can answer.

        Raises:
            ModelNotFound: there is no such model or version.
        """
        versions = self._of(name)
        if version and version not in versions:
            raise _no_version(name, version)
        entries: Iterable[ModelEntry] = [versions[version]] if version else versions.values()
        return any(entry.loaded is not None and entry.says_ready for entry in entries)

    def report_broken(self, models: Sequence[BrokenModel]) -> None:
        """Take note of all models whose settings cannot be read now; those of an earlier report are forgotten.

        They are unavailable under their folders' names; a model that really has the name is found before them.
        """
        before = self._broken
        self._broken = {}
        for model in models:
            # The same as before may have been unloaded meanwhile, and stays so.
            entry = before.get(model)
            if entry is None:
                _logger.error("model '%s': %s", model.name, model.reason)
                entry = ModelEntry(model.name, "", ModelState.UNAVAILABLE, model.reason)
            self._broken[model] = entry
        self._changes.notify()

    def _broken_versions(self) -> dict[str, dict[str, ModelEntry]]:
        return {entry.name: {"": entry} for entry in self._broken.values()}

    async def load(self, settings: ModelSettings) -> None:
        """Load a model, or load it anew, as :meth:`load_versions` does."""
        await self.load_versions([settings])

    async def load_versions(self, versions: Sequence[ModelSettings], files: ModelFiles | None = None) -> None:
        """Load versions of one model, or load them anew: all of them, or none.

        `files` are kept for as long as the model's code.

        Raises:
            LoadError: one could not be loaded; the entries say so, unless what was loaded before goes on.
        """
        name = versions[0].name
        if self._closed:
            raise LoadError(f"failed to load '{name}': {SHUTTING_DOWN}")
        entries = [self._entry(name, settings.version or "") for settings in versions]
        async with self._lock(name):
            for entry in entries:
                if entry.loaded is None:
                    entry.state, entry.reason = ModelState.LOADING, ""
            started: list[LoadedModel] = []
            try:
                for settings in versions:
                    started.append(await self._start(settings, files))  # noqa: PERF401  # a failure leaves those before it
            except BaseException as error:
                for loaded in started:
                    self._retire(loaded.unload())
                self._fail(entries, entries[len(started)], error, files)
                raise
            replaced = [entry.loaded for entry in entries if entry.loaded is not None]
            for entry, loaded in zip(entries, started, strict=True):
                entry.set_ready(loaded)
                _logger.info("model '%s'%s is loaded", name, entry.of_version)
                for listener in self.on_load:
                    listener(loaded)
            self._changes.notify()
        for loaded in replaced:
            self._retire(loaded.unload())

    def _entry(self, name: str, version: str) -> ModelEntry:
        versions = self._entries.setdefault(name, {})
        return versions.setdefault(version, ModelEntry(name, version, ModelState.UNKNOWN))

    def _fail(
        self, entries: Sequence[ModelEntry], failed: ModelEntry, error: BaseException, files: ModelFiles | None
    ) -> None:
        """Say in the entries of a load why it failed, and raise it; what was loaded before is left as it is."""
        reason = self._reason(error, files)
        for entry in entries:
            if entry.loaded is None:
                entry.fail(reason if entry is failed else f"not loaded without{failed.of_version}, which failed")
        self._changes.notify()
        if isinstance(error, Exception):
            name = failed.name
            # Both halves are what Triton's tests look for.
            text = f"failed to load '{name}'{failed.of_version}: load failed for model '{name}': {reason}"
            # Our own errors say all that there is to say; of others, which come from the model's code, all helps.
            _logger.log(logging.ERROR, "%s", text, exc_info=None if isinstance(error, SrvError) else error)
            raise LoadError(text) from error

    def _reason(self, error: BaseException, files: ModelFiles | None) -> str:
        """Return what clients may know of a load's failure."""
        text = error_text(error) if isinstance(error, SrvError) else f"{type(error).__name__}: {error_text(error)}"
        text = text if files is None else files.hide(text)
        return text if self._root is None else hide_folder(text, self._root, "the repository")

    async def _start(self, settings: ModelSettings, files: ModelFiles | None) -> LoadedModel:
        settings.log_warnings()
        limit = settings.parameters.max_queue_size
        loading = Loading(
            self._root, self._max_queue_size if limit is None else limit, self._changes.notify, self._retire
        )
        # Its parameters are the runtime's own, to set as it likes.
        own = dataclasses.replace(settings, parameters=settings.parameters.copy())
        plan = None if self._workers is None else await self._workers.plan(settings)
        if plan is None:
            loaded = LoadedModel(await loading.start(own, files))
        else:
            pool = WorkerPool(own, plan, self._code_place(settings, files), loading.limit, self._changes.notify)
            await pool.start()
            loaded = LoadedModel(pool)
        try:
            loaded.cache = self._cache_for(loaded)
            check_config(loaded)
            self._check_sequences(loaded)
        except BaseException:
            self._retire(loaded.unload())
            raise
        return loaded

    def _check_sequences(self, model: LoadedModel) -> None:
        if model.runtime.stateful and not self.keeps_sequences:
            raise LoadError(
                "the model is stateful, and its sequences would be spread over the server processes: expected "
                "the setting processes to be 1"
            )

    def _code_place(self, settings: ModelSettings, files: ModelFiles | None) -> CodePlace:
        folder = code_folder(settings)
        return CodePlace(
            None if self._root is None else str(self._root), None if folder is None else str(folder), files
        )

    def _cache_for(self, model: LoadedModel) -> ModelCache | None:
        settings = model.runtime.settings
        if self._cache is None or not settings.cache_enabled:
            return None
        reason = uncacheable(model)
        if reason:
            _logger.warning("model '%s': cache_enabled has no effect: %s", settings.name, reason)
            return None
        return self._cache.for_model()

    def _retire(self, ending: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(ending)
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def unload(self, name: str, version: str | None = None) -> None:
        """Unload all versions of a model, or one; returns when the last running request has its answer.

        Raises:
            ModelNotFound: there is no such model or version.
        """
        versions = self._of(name)
        if version is not None and version not in versions:
            raise _no_version(name, version)
        async with self._lock(name):
            for entry in list(versions.values()) if version is None else [versions[version]]:
                loaded, entry.loaded = entry.loaded, None
                if loaded is not None:
                    entry.state = ModelState.UNLOADING
                    self._changes.notify()
                    await loaded.unload()
                # One that failed to load no longer counts against the server's readiness either.
                entry.set_unloaded()
                self._changes.notify()

    async def forget_other_versions(self, name: str, kept: Collection[str]) -> None:
        """Unload the versions of a model that are not among `kept`, and drop their entries."""
        for version in [each for each in self._of(name) if each not in kept]:
            await self.unload(name, version)
            self._entries[name].pop(version, None)
        self._changes.notify()

    async def forget(self, name: str, version: str) -> None:
        """Unload a version, and drop its entry."""
        versions = self._entries.get(name, {})
        if version in versions:
            _logger.info("model '%s'%s is gone from the repository", name, versions[version].of_version)
            await self.unload(name, version)
            versions.pop(version, None)
            if not versions:
                self._entries.pop(name, None)
            self._changes.notify()

    async def close(self) -> None:
        """Unload everything; nothing is loaded any more."""
        self._closed = True
        await asyncio.gather(*(self.unload(name) for name in list(self._entries)))
        if self._retiring:
            await asyncio.wait(self._retiring)
        if self._workers is not None:
            await self._workers.close()

    def _of(self, name: str) -> dict[str, ModelEntry]:
        found = self._entries.get(name) or self._broken_versions().get(name)
        if not found:
            raise ModelNotFound(name)
        return found

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())


def _no_version(name: str, version: str) -> ModelNotFound:
    """Return the error for a version that a model does not have."""
    if is_number(version):
        return ModelNotFound(name, version)
    # Triton's versions are numbers alone, and these are its words, which its example programs look for.
    detail = f"is not found: failed to get model version from specified version string '{version}'"
    return ModelNotFound(name, version, detail=detail)

"""Loads and unloads models by name, at the start and when clients ask."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from srv._model_settings import MODEL_SETTINGS_FILE
from srv.controlplane._config_override import ConfigOverride
from srv.controlplane._entry import ModelState
from srv.controlplane._file_override import FileStore, moved
from srv.controlplane._load_parameters import check_unload_parameters, read_load_parameters
from srv.controlplane._source import ModelSource
from srv_protocol.errors import InvalidInput, LoadError, SettingsError, SrvError, Unsupported
from srv_protocol.inference import ModelIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
    from pathlib import Path

    from srv._model_settings import ModelSettings
    from srv.controlplane._entry import ModelEntry
    from srv.controlplane._file_override import ModelFiles
    from srv.controlplane._registry import ModelRegistry
    from srv.controlplane._repository import ModelRepository

_logger: Final = logging.getLogger("srv")
_NONE: Final[Mapping[str, object]] = MappingProxyType({})


class ControlPlane:
    """The model repository of a server."""

    def __init__(self, repository: ModelRepository, registry: ModelRegistry, *, allow_files: bool = False) -> None:
        self._source = ModelSource(repository)
        self._registry = registry
        self._allow_files = allow_files
        self._files = FileStore()
        self._working: set[asyncio.Future[None]] = set()
        # Weak, since clients may ask for any name.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def load_all(self, progress: Callable[[ModelSettings], None] = lambda _: None) -> None:
        """Load every model that the repository has, side by side; those that fail stay in the registry with a reason.

        `progress` is called for each model that is done, loaded or not.

        Raises:
            SettingsError: the repository cannot say which models there are.
        """
        try:
            found, broken = await self._source.scan()
        except SrvError as error:
            # At the start it is no client's request that fails.
            raise SettingsError(error.message) from error
        self._registry.report_broken(broken)

        async def load_model(name: str) -> None:
            # One version after the other, as the registry does it, and before a client's load of the same model.
            async with self._lock(name):
                for settings in found:
                    if settings.name == name:
                        await load_one(settings)

        async def load_one(settings: ModelSettings) -> None:
            try:
                await self._registry.load(settings)
            except LoadError:
                pass  # logged, and kept as the reason of the model's state
            finally:
                progress(settings)

        await asyncio.gather(*map(load_model, dict.fromkeys(settings.name for settings in found)))

    async def index(self, *, only_ready: bool = False) -> list[ModelIndex]:
        """Return every version of every model, with state and reason; of models that were never loaded the name alone.

        Raises:
            SettingsError, InferenceError: as :meth:`ModelSource.scan`.
        """
        present = set[str]()
        if not only_ready:
            found, broken = await self._source.scan()
            present = {settings.name for settings in found} | {model.name for model in broken}
        entries = self._registry.entries()
        known = [
            _index(entry) for entry in entries if (entry.loaded is not None and entry.says_ready) or not only_ready
        ]
        return known + [ModelIndex(name=name) for name in sorted(present - {entry.name for entry in entries})]

    async def load(self, name: str, parameters: Mapping[str, object] = _NONE) -> None:
        """Load all versions of a model that the repository has now, anew if they are loaded; unload those it lost.

        `parameters` may bring a configuration in the place of settings, and files in the place of the model's folder;
        both are forgotten at the next load. A load that fails leaves the model as it was.

        Raises:
            LoadError: the repository has no such model, or a version failed to load.
            InvalidInput: a load parameter is unknown or wrong, or the name cannot be a model's.
            Unsupported: the configuration asks for what this server does not do, or files are not accepted.
        """
        _check_name(name)
        given = read_load_parameters(parameters)
        if given.files and given.config is None:
            raise InvalidInput(
                f"{_not_polled(name)}: load parameter 'config' must be specified for model file override"
            )
        if given.files and not self._allow_files:
            raise Unsupported(f"failed to load '{name}': files are not accepted; allow_file_override is false")
        override = None if given.config is None else ConfigOverride.parse(given.config, name)
        await self._in_turn(name, lambda: self._load(name, override, given.files))

    async def _load(self, name: str, override: ConfigOverride | None, contents: Mapping[str, bytes]) -> None:
        if not contents:
            await self._load_versions(name, override, await self._find(name), None)
            return
        files = await asyncio.to_thread(self._files.write, name, contents)
        try:
            await self._load_versions(name, override, await self._find_in(files, name), files)
        finally:
            await files.release()

    async def _load_versions(
        self, name: str, override: ConfigOverride | None, found: Sequence[ModelSettings], files: ModelFiles | None
    ) -> None:
        wanted = found if override is None else [override.apply(each) for each in override.choose(found)]
        await self._registry.load_versions(wanted, files)
        await self._registry.forget_other_versions(name, {each.version or "" for each in found})
        passed_over = {each.version or "" for each in found} - {each.version or "" for each in wanted}
        for entry in self._registry.entries():
            if entry.name == name and entry.version in passed_over:
                await self._registry.unload(name, entry.version)

    async def _find(self, name: str) -> list[ModelSettings]:
        """Return the versions of a model that the repository has now."""
        wanted, broken = await self._source.find(name)
        self._registry.report_broken(broken)
        if not wanted:
            reasons = [each.reason for each in broken if each.name == name]
            reason = "; ".join(reasons) or "there is no such model"
            raise LoadError(f"{_not_polled(name)}: {reason}")
        return wanted

    async def _find_in(self, files: ModelFiles, name: str) -> list[ModelSettings]:
        """Return the versions of a model that a request's files describe, or else its own settings for these files."""
        found, broken = await self._source.scan_folder(files.folder)
        if broken:
            raise LoadError(f"failed to load '{name}': {broken[0].reason}")
        for settings in found:
            if settings.name != name:
                place = files.hide(str(settings.source))
                raise LoadError(f"failed to load '{name}': {place}: expected the same name, got {settings.name!r}")
        if found:
            return found
        try:
            return [moved(settings, files.folder) for settings in await self._find(name)]
        except LoadError as error:
            raise LoadError(f"{error.message}, and no {MODEL_SETTINGS_FILE} among the files") from error

    async def refresh(self, folders: Collection[Path] | None, *, load_new: bool = True) -> None:
        """Load what has changed in the folders of models anew, each version for itself; unload what is gone.

        ``None`` for the folders is all models.

        A model that fails to load goes on as it was, and so does one whose settings cannot be read; both are logged.
        What a client has unloaded stays so. Without `load_new`, only models that are known are looked at.

        Raises:
            SettingsError, InferenceError: as :meth:`ModelSource.scan`.
        """
        found, broken = await self._source.scan()
        self._registry.report_broken(broken)
        # Those whose settings cannot be read come last, under the names of folders: a model ranks above them.
        known = {(entry.name, entry.version): entry for entry in reversed(self._registry.entries())}
        for settings in found:
            entry = known.get((settings.name, settings.version or ""))
            if (folders is None or settings.folder in folders) and (load_new if entry is None else entry.wanted):
                with contextlib.suppress(LoadError):  # logged, and kept as the reason of the model's state
                    await self._in_turn(settings.name, partial(self._registry.load, settings))
        present = {(settings.name, settings.version or "") for settings in found}
        sources = {settings.source for settings in found}
        for key, entry in known.items():
            if key not in present and _is_gone(entry, sources):
                await self._in_turn(entry.name, partial(self._registry.forget, *key))

    async def unload(self, name: str, parameters: Mapping[str, object] = _NONE) -> None:
        """Unload all versions of a model.

        Raises:
            ModelNotFound: there is no such model.
            InvalidInput: an unload parameter is unknown or wrong, or the name cannot be a model's.
        """
        _check_name(name)
        check_unload_parameters(parameters)
        await self._in_turn(name, lambda: self._registry.unload(name))

    async def close(self) -> None:
        """Remove the files that load requests brought, once the models that they belong to are gone."""
        await asyncio.to_thread(self._files.close)

    def _lock(self, name: str) -> asyncio.Lock:
        """Return what keeps two loads of a model from mixing their versions."""
        return self._locks.setdefault(name, asyncio.Lock())

    async def _in_turn(self, name: str, work: Callable[[], Coroutine[object, object, None]]) -> None:
        """Do something to a model, behind what is being done to it; to the end, also when whoever asked goes away.

        Half of it would leave a model in between. Whoever goes before their turn has come asks for nothing any more.
        """
        lock = self._lock(name)
        await lock.acquire()
        task = asyncio.ensure_future(work())
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        task.add_done_callback(lambda _: lock.release())
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(partial(_log_fault, name))
            raise


def _is_gone(entry: ModelEntry, sources: Collection[Path | None]) -> bool:
    """Whether a model that the repository does not name any more should go.

    Not one whose settings are there and cannot be read, nor one that a client has brought the files of.
    """
    if entry.loaded is None:
        return entry.state is ModelState.UNAVAILABLE
    settings = entry.loaded.runtime.settings
    if entry.loaded.has_files or settings.source is None:
        return False
    return settings.source in sources or not settings.source.exists()


def _log_fault(name: str, task: asyncio.Future[None]) -> None:
    """Log a fault of the server that no client is left to hear of; what a load says of a model, the registry logs."""
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, SrvError):
        _logger.error("model '%s': a load or unload failed, and its client has gone", name, exc_info=error)


def _not_polled(name: str) -> str:
    """Return how Triton begins the errors of a model that it does not find in a form that could be loaded."""
    return f"failed to load '{name}', failed to poll from model repository"


def _check_name(name: str) -> None:
    if not name.strip():
        raise InvalidInput("Model name cannot be empty")
    if "/" in name or "\\" in name or "\0" in name or name in {".", ".."}:
        raise InvalidInput("model name must not contain path traversal characters")


def _index(entry: ModelEntry) -> ModelIndex:
    state, reason = entry.shown
    return ModelIndex(name=entry.name, version=entry.version, state=state.value, reason=reason)

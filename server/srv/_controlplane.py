"""Loads and unloads models by name, at the start and when clients ask."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from srv_protocol.errors import InvalidInput, LoadError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from srv._model_settings import ModelSettings
    from srv._registry import ModelRegistry
    from srv._repository import ModelRepository


class ControlPlane:
    """The model repository of a server."""

    def __init__(self, repository: ModelRepository, registry: ModelRegistry) -> None:
        self._repository = repository
        self._registry = registry
        self._working: set[asyncio.Future[None]] = set()

    async def load_all(self, progress: Callable[[ModelSettings], None] = lambda _: None) -> None:
        """Load every model that the repository has, side by side; those that fail stay in the registry with a reason.

        `progress` is called for each model that is done, loaded or not.
        """
        found, broken = await asyncio.to_thread(self._repository.scan)
        self._registry.report_broken(broken)

        async def load_one(settings: ModelSettings) -> None:
            try:
                await self._registry.load(settings)
            except LoadError:
                pass  # logged, and kept as the reason of the model's state
            finally:
                progress(settings)

        await asyncio.gather(*map(load_one, found))

    async def load(self, name: str, parameters: Iterable[str] = ()) -> None:
        """Load all versions of a model that the repository has now, anew if they are loaded; unload those it lost.

        `parameters` are the names of the load parameters that the client gave.

        Raises:
            LoadError: the repository has no such model, or a version failed to load.
            InvalidInput: a load parameter, of which none is served yet, or a name that cannot be a model's.
        """
        _check_name(name)
        for parameter in parameters:
            raise InvalidInput(f"unrecognized load parameter '{parameter}'.")
        await self._finish(self._load(name))

    async def _load(self, name: str) -> None:
        found, broken = await asyncio.to_thread(self._repository.scan)
        self._registry.report_broken(broken)
        wanted = [settings for settings in found if settings.name == name]
        if not wanted:
            reasons = [each.reason for each in broken if each.name == name]
            reason = "; ".join(reasons) or "failed to poll from model repository: there is no such model"
            raise LoadError(f"failed to load '{name}': {reason}")
        outcomes = await asyncio.gather(*map(self._registry.load, wanted), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        kept = {settings.version or "" for settings in wanted}
        await self._registry.forget_other_versions(name, kept)

    async def unload(self, name: str) -> None:
        """Unload all versions of a model.

        Raises:
            ModelNotFound: there is no such model.
        """
        _check_name(name)
        await self._finish(self._registry.unload(name))

    async def _finish(self, work: Coroutine[object, object, None]) -> None:
        """Do something to the end, also when whoever asked for it goes away.

        Half of it would leave a model in between.
        """
        task = asyncio.ensure_future(work)
        self._working.add(task)
        task.add_done_callback(self._done)
        await asyncio.shield(task)

    def _done(self, task: asyncio.Future[None]) -> None:
        self._working.discard(task)
        if not task.cancelled():
            task.exception()  # the registry has logged it; nobody may be left to take it


def _check_name(name: str) -> None:
    if not name.strip():
        raise InvalidInput("Model name cannot be empty")
    if "/" in name or "\\" in name or name in {".", ".."}:
        raise InvalidInput("model name must not contain path traversal characters")

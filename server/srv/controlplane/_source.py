"""What the control plane asks of a repository, whoever wrote it."""

from __future__ import annotations

import asyncio
import inspect
import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from srv._model_settings import ModelSettings
from srv.controlplane._repository import BrokenModel, FolderRepository, ModelRepository, Scan
from srv.runtimes._calls import Contained, contain
from srv.runtimes._importer import ModelCode
from srv_protocol.errors import InferenceError, LoadError, ModelNotFound, SettingsError, SrvError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from srv._settings import Settings

_logger: Final = logging.getLogger("srv")


class ModelSource:
    """A repository that may be somebody else's code: its answers are checked, and it never blocks the event loop."""

    def __init__(self, repository: ModelRepository) -> None:
        self._repository = repository
        self._folders = _plain(repository)

    async def scan(self) -> Scan:
        """Return every model, and those whose settings are wrong.

        Raises:
            SettingsError: as :meth:`FolderRepository.scan`.
            InferenceError: the repository's own code failed.
            SrvError: of any kind, which that code raised for the client.
        """
        if self._folders is not None:
            return await asyncio.to_thread(self._folders.scan)
        return await self._ask("list", self._repository.list)

    async def find(self, name: str) -> Scan:
        """Return the versions of one model; of the others, those whose settings are wrong may be there too.

        Raises:
            As :meth:`scan`.
        """
        if self._folders is not None or type(self._repository).find is ModelRepository.find:
            found, broken = await self.scan()
            return Scan([each for each in found if each.name == name], broken)
        made = await self._ask("find", self._repository.find, name)
        for settings in made.found:
            if settings.name != name:
                raise self._fault("find", f"expected settings of model {name!r}, got those of {settings.name!r}")
        return made

    async def scan_folder(self, folder: Path) -> Scan:
        """Return what a folder beside the repository holds."""
        folders = self._folders or FolderRepository(folder)
        return await asyncio.to_thread(folders.scan_folder, folder)

    async def _ask(self, method: str, function: Callable[..., object], *args: str) -> Scan:
        try:
            bound = partial(function, *args)
            answer = bound() if inspect.iscoroutinefunction(function) else await asyncio.to_thread(contain, bound)
            if inspect.isawaitable(answer):
                with Contained():
                    answer = cast("object", await answer)
        except ModelNotFound:
            return Scan([], [])  # as MLServer's own repository says it
        except SrvError:
            raise  # meant for the client
        except Exception as error:
            _logger.exception("the model repository: %s failed", method)
            # Its text may name what clients should not know.
            raise self._fault(method, f"raised {type(error).__name__}") from error
        if not isinstance(answer, (list, tuple)):
            raise self._fault(method, f"expected a list of ModelSettings, got {type(answer).__name__}")
        found: dict[tuple[str, str | None], ModelSettings] = {}
        broken: list[BrokenModel] = []
        for each in cast("list[object]", answer):
            if not isinstance(each, ModelSettings):
                raise self._fault(method, f"expected a list of ModelSettings, got one of {type(each).__name__}")
            if found.setdefault((each.name, each.version), each) is not each:
                broken.append(BrokenModel(each.name, f"{method}() names version {each.version or '(none)'} twice"))
        return Scan([*found.values()], broken)

    def _fault(self, method: str, text: str) -> InferenceError:
        return InferenceError(f"the model repository: {type(self._repository).__name__}.{method}(): {text}")


def _plain(repository: ModelRepository) -> FolderRepository | None:
    """Return a repository that is the one of folders, and no subclass that answers differently."""
    kind = type(repository)
    if not isinstance(repository, FolderRepository):
        return None
    return repository if kind.list is FolderRepository.list and kind.find is FolderRepository.find else None


def make_repository(settings: Settings, environ: Mapping[str, str]) -> ModelRepository:
    """Return the repository that the settings name, at ``model_repository_root``. Imports code of the user's.

    Raises:
        SettingsError: there is no such class, or making one of it fails.
    """
    root, args = settings.model_repository_root, settings.model_repository_implementation_args
    name = settings.model_repository_implementation
    place = f"model_repository_implementation {name!r}"
    if name is None:
        if args:
            raise SettingsError("model_repository_implementation_args: there is no model_repository_implementation")
        return FolderRepository(root, environ)
    code = ModelCode("repository", Path(root))
    try:
        kind = cast("Callable[..., object]", code.load(name, ModelRepository, place))
        repository = kind(root, **args)
    except LoadError as error:
        raise SettingsError(error.message) from error
    except Exception as error:
        _logger.exception("%s failed", place)
        raise SettingsError(f"{place}: {type(error).__name__}: {error}") from error
    if not isinstance(repository, ModelRepository):
        raise SettingsError(f"{place}: expected a ModelRepository, got {repository!r:.80}")
    return repository


def root_of(repository: ModelRepository, default: str) -> Path:
    """Return the root of a repository, `default` of one that has none or uses the name for something else.

    That is a class of the user's which does not call ``super().__init__``, as MLServer's need not.
    """
    root: object = getattr(repository, "root", None)
    return root if isinstance(root, Path) else Path(default).absolute()

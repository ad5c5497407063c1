"""Where models come from: the base class of repositories, and the one of folders."""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from srv._environment import read_environment
from srv._error_text import error_text
from srv._model_settings import MODEL_SETTINGS_FILE, ModelSettings
from srv.controlplane._hiding import hide_folder
from srv_protocol.errors import SettingsError

if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class BrokenModel:
    """A model whose settings cannot be read; it goes by its folder's name."""

    name: str
    reason: str


class Scan(NamedTuple):
    """What a look at a repository gives."""

    found: list[ModelSettings]
    broken: list[BrokenModel]


class ModelRepository(ABC):
    """Says which models there are, with their settings.

    A class of your own takes the place of the folders where ``model_repository_implementation`` names it. It is made
    once, when the server starts, with the root and ``model_repository_implementation_args``. Its methods may be
    ``async def`` or plain ``def``; plain ones run off the event loop. They are called whenever clients ask for the
    index or load a model, so they may change their answer.
    """

    def __init__(self, root: Path | str) -> None:
        """Take the repository's root, the folder that ``srv start`` was given."""
        self.root = Path(root).absolute()

    @abstractmethod
    async def list(self) -> builtins.list[ModelSettings]:
        """Return the settings of every version of every model."""

    async def find(self, name: str) -> builtins.list[ModelSettings]:
        """Return the settings of every version of a model; none if there is no such model."""
        return [each for each in await self.list() if each.name == name]


class FolderRepository(ModelRepository):
    """The models in a folder: every ``model-settings.json``, at any depth.

    Nothing is cached: each call reads the disk. Settings that cannot be read are left out.
    """

    def __init__(self, root: Path | str, environ: Mapping[str, str] | None = None) -> None:
        """Take a folder, and the variables that rank above its files: by default those of the process."""
        super().__init__(root)
        self._environ = read_environment() if environ is None else environ

    async def list(self) -> builtins.list[ModelSettings]:
        """Return the models found, in the order of their paths."""
        return (await asyncio.to_thread(self.scan))[0]

    def scan(self) -> Scan:
        """Return the models found, in the order of their paths, and those whose settings are wrong.

        Hidden folders are passed over. Without any file, environment variables may describe a single model.
        Two folders with the same name and version make the later one broken.

        Raises:
            SettingsError: there is no file, and the variables that describe the model are wrong.
        """
        paths = sorted(_settings_files(self.root))
        if not paths:
            sole = ModelSettings.from_environment(self._environ)
            return Scan([] if sole is None else [sole], [])
        return self._read(self.root, paths, sole=len(paths) == 1)

    def scan_folder(self, folder: Path) -> Scan:
        """Return what a folder beside the repository holds, as :meth:`scan` does.

        Environment variables count as they do where there are several models: they do not say which model it is.
        """
        return self._read(folder, sorted(_settings_files(folder)), sole=False)

    def _read(self, root: Path, paths: Sequence[Path], *, sole: bool) -> Scan:
        found: dict[tuple[str, str | None], ModelSettings] = {}
        broken: builtins.list[BrokenModel] = []
        for path in paths:
            try:
                settings = ModelSettings.parse_file(path, self._environ, sole=sole)
            except SettingsError as error:
                broken.append(_broken(path, error_text(error), root))
                continue
            first = found.setdefault((settings.name, settings.version), settings)
            if first is not settings:
                text = f"{path}: {first.source} has the same name and version already"
                broken.append(_broken(path, text, root))
        return Scan([*found.values()], broken)


def _broken(path: Path, reason: str, root: Path) -> BrokenModel:
    return BrokenModel(_shown(path.parent.name), hide_folder(reason, root, "the folder"))


def _settings_files(root: Path) -> list[Path]:
    return [Path(folder, MODEL_SETTINGS_FILE) for folder, names in walk(root) if MODEL_SETTINGS_FILE in names]


def walk(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder below `root`, itself first, and the names of its files; hidden ones are passed over."""
    seen: set[str] = set()
    for folder, subfolders, names in os.walk(root, followlinks=True):
        # Links may lead to models elsewhere, and round in circles.
        real = os.path.realpath(folder)
        first = real not in seen
        subfolders[:] = [each for each in subfolders if first and not each.startswith(".") and each != "__pycache__"]
        if first:
            seen.add(real)
            yield folder, names


def _shown(name: str) -> str:
    """Return a folder's name as text that can be sent: bytes of it that are not UTF-8 are escaped."""
    return name.encode(errors="backslashreplace").decode()

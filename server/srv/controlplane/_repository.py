"""Finds models: every ``model-settings.json`` below a folder, at any depth."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from srv._model_settings import MODEL_SETTINGS_FILE, ModelSettings
from srv._status import error_text
from srv.controlplane._hiding import hide_folder
from srv_protocol.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class BrokenModel:
    """A model whose settings cannot be read; it goes by its folder's name."""

    name: str
    reason: str


class ModelRepository:
    """The models in a folder. Nothing is cached: each call reads the disk, so call it off the event loop."""

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self.root = root.absolute()
        self._environ = environ

    def scan(self) -> tuple[list[ModelSettings], list[BrokenModel]]:
        """Return the models found, in the order of their paths, and those whose settings are wrong.

        Hidden folders are passed over. Without any file, environment variables may describe a single model.
        Two folders with the same name and version make the later one broken.

        Raises:
            SettingsError: there is no file, and the variables that describe the model are wrong.
        """
        paths = sorted(_settings_files(self.root))
        if not paths:
            sole = ModelSettings.from_environment(self._environ)
            return ([] if sole is None else [sole]), []
        return self._read(self.root, paths, sole=len(paths) == 1)

    def scan_folder(self, folder: Path) -> tuple[list[ModelSettings], list[BrokenModel]]:
        """Return what a folder beside the repository holds, as :meth:`scan` does.

        Environment variables count as they do where there are several models: they do not say which model it is.
        """
        return self._read(folder, sorted(_settings_files(folder)), sole=False)

    def _read(self, root: Path, paths: Sequence[Path], *, sole: bool) -> tuple[list[ModelSettings], list[BrokenModel]]:
        found: dict[tuple[str, str | None], ModelSettings] = {}
        broken: list[BrokenModel] = []
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
        return list(found.values()), broken


def _broken(path: Path, reason: str, root: Path) -> BrokenModel:
    return BrokenModel(_shown(path.parent.name), hide_folder(reason, root, "the folder"))


def _settings_files(root: Path) -> list[Path]:
    files: list[Path] = []
    seen: set[str] = set()
    for folder, subfolders, names in os.walk(root, followlinks=True):
        # Links may lead to models elsewhere, and round in circles.
        real = os.path.realpath(folder)
        subfolders[:] = [] if real in seen else [name for name in subfolders if not name.startswith(".")]
        if real in seen:
            continue
        seen.add(real)
        if MODEL_SETTINGS_FILE in names:
            files.append(Path(folder, MODEL_SETTINGS_FILE))
    return files


def _shown(name: str) -> str:
    """Return a folder's name as text that can be sent: bytes of it that are not UTF-8 are escaped."""
    return name.encode(errors="backslashreplace").decode()

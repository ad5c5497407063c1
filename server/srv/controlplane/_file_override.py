"""Files that a load request brings in place of a model's folder."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from srv._model_settings import MODEL_SETTINGS_FILE
from srv._state import SHUTTING_DOWN
from srv.controlplane._hiding import hide_folder
from srv_protocol.errors import InvalidInput, LoadError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srv._model_settings import ModelSettings

# What common file systems take.
_MAX_COMPONENT: Final = 255
_logger: Final = logging.getLogger("srv")


class ModelFiles:
    """A temporary folder of one load, there until the last that holds it has released it."""

    def __init__(self, base: Path, folder: Path) -> None:
        """Hold a folder that exists.

        Args:
            base: what is removed at the end.
            folder: the model's folder in it, which has the model's name.
        """
        self.folder: Final = folder
        self._base: Final = base
        self._holders = 1

    def hold(self) -> None:
        """Keep the files for one holder more."""
        self._holders += 1

    async def release(self) -> None:
        """Let go of the files; the last removes them. A folder that cannot be removed is logged."""
        self._holders -= 1
        if not self._holders:
            await asyncio.to_thread(_remove, self._base)

    def hide(self, text: str) -> str:
        """Return a text for the client without the place of the folder."""
        return hide_folder(text, self.folder, "the files of the request")


class FileStore:
    """Where a server keeps the files of load requests: one folder of its own, made when first needed."""

    def __init__(self) -> None:
        self._root: Path | None = None
        self._closed = False
        self._lock = threading.Lock()

    def write(self, name: str, contents: Mapping[str, bytes]) -> ModelFiles:
        """Write the files of a model into a new folder that nobody else can read. Blocks; call it off the event loop.

        Raises:
            InvalidInput: a path leads out of the folder, or cannot be one.
            LoadError: the store is closed.
        """
        try:
            for path in contents:
                check_path(path)
        except InvalidInput as error:
            raise InvalidInput(f"failed to load '{name}': {error.message}") from None
        # To the end of the writing: close() would leave what is written behind it.
        with self._lock:
            if self._closed:
                raise LoadError(f"failed to load '{name}': {SHUTTING_DOWN}")
            try:
                return self._write(name, contents)
            except OSError as error:
                # Such as a file and a folder of one name. Its own text has the whole path.
                raise InvalidInput(f"failed to load '{name}': the files cannot be written: {error.strerror}") from error

    def _write(self, name: str, contents: Mapping[str, bytes]) -> ModelFiles:
        if self._root is None:
            # Made with mode 0700, behind which the modes of all others do not matter.
            self._root = Path(tempfile.mkdtemp(prefix="srv-")).resolve()
        base = Path(tempfile.mkdtemp(dir=self._root))
        try:
            folder = base / name
            folder.mkdir()
            for path, content in contents.items():
                # Everything below the folder is written here, so that there is no link to follow.
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("xb") as file:
                    file.write(content)
        except BaseException:
            _remove(base)
            raise
        return ModelFiles(base, folder)

    def close(self) -> None:
        """Remove whatever is left, and take nothing more. Blocks."""
        with self._lock:
            self._closed = True
            if self._root is not None:
                _remove(self._root)


def check_path(path: str) -> None:
    """Check that the path of a file is relative, and leads nowhere but into the folder that it is relative to.

    Raises:
        InvalidInput: it does not.
    """
    components = path.split("/")
    if any(not each or each in {".", ".."} or set(each) & {"\\", "\0"} for each in components):
        raise InvalidInput(
            f"Invalid file path 'file:{path:.80}': expected a relative path without '.', '..', '\\' and NUL in it"
        )
    if any(len(each.encode()) > _MAX_COMPONENT for each in components):
        raise InvalidInput(f"Invalid file path 'file:{path:.80}': expected names of at most {_MAX_COMPONENT} bytes")


def moved(settings: ModelSettings, folder: Path) -> ModelSettings:
    """Return a model's settings for a folder that stands in for its own."""
    old, uri = settings.folder, settings.parameters.uri
    if uri is None:
        uri = str(folder)
    elif old is not None and Path(uri).is_relative_to(old):
        uri = str(folder / Path(uri).relative_to(old))
    parameters = dataclasses.replace(settings.parameters, uri=uri)
    return dataclasses.replace(settings, source=folder / MODEL_SETTINGS_FILE, parameters=parameters)


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        pass  # the store was closed before the last holder let go
    except OSError as error:
        _logger.warning("files of a load request cannot be removed: %s", error)

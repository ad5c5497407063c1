"""Follows the changes of a repository's folders (``srv start --reload``)."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Final

from srv._model_settings import MODEL_SETTINGS_FILE
from srv.controlplane._repository import walk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srv.controlplane._controlplane import ControlPlane

INTERVAL: Final = 1.0
"""Seconds between two looks, or more where a look takes long."""
# A look may take this part of the time.
_SHARE: Final = 0.1
_TEMPORARY: Final = (".*", "*~", "#*#", "*.tmp", "*.swp", "*.swx", "4913", "*.pyc")
"""Files of editors, of writers that rename at the end, and of Python."""

Look = dict[Path, frozenset[tuple[str, int, int, int]]]
"""Folder of a model -> its files: path, time of change, size and inode. Contents are never read."""

_logger: Final = logging.getLogger("srv")


def look_at(root: Path) -> Look | None:
    """Return the files of every model below a folder, ``None`` if there is no such folder. Blocks.

    A file belongs to the innermost model around it. Modules and packages in the root belong to all models, which may
    import them. Hidden files and folders, compiled files and those that editors write meanwhile are passed over.
    """
    if not root.is_dir():
        return None
    found: dict[Path, set[tuple[str, int, int, int]]] = {}
    shared: set[tuple[str, int, int, int]] = set()
    owners: dict[str, Path | None] = {}
    packages: set[str] = set()
    for folder, names in walk(root):
        owner = Path(folder) if MODEL_SETTINGS_FILE in names else owners.get(os.path.dirname(folder))  # noqa: PTH120  # a string, as os.walk has it
        owners[folder] = owner
        if owner is None and (folder == str(root) or ("__init__.py" in names and os.path.dirname(folder) in packages)):  # noqa: PTH120  # as above
            packages.add(folder)
        files = shared if owner is None else found.setdefault(owner, set())
        for name in names:
            if not _is_passed_over(name) and (owner is not None or (folder in packages and name.endswith(".py"))):
                path = os.path.join(folder, name)  # noqa: PTH118  # as above
                try:
                    status = os.stat(path)  # noqa: PTH116  # as above
                except OSError:
                    continue  # it has gone meanwhile, or is a link to nothing
                files.add((path, status.st_mtime_ns, status.st_size, status.st_ino))
    return {owner: frozenset(files | shared) for owner, files in found.items()}


def _is_passed_over(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in _TEMPORARY)


class Watcher:
    """Has the control plane load what changes, once two looks have shown the same: a file may be half written."""

    def __init__(self, controlplane: ControlPlane, root: Path, *, load_new: bool, interval: float = INTERVAL) -> None:
        self._controlplane = controlplane
        self._root = root
        self._load_new = load_new
        self._interval = interval
        self._last: Look = {}
        self._done: Look = {}

    async def begin(self) -> None:
        """Take what is there now for known; to be called before it is loaded."""
        look = await asyncio.to_thread(look_at, self._root)
        self._last = self._done = look or {}

    async def run(self) -> None:
        """Look for changes, for ever."""
        pause = self._interval
        while True:
            await asyncio.sleep(pause)
            begun = time.monotonic()
            try:
                await self.step()
            except Exception:
                _logger.exception("%s: its changes cannot be followed; trying again", self._root)
            pause = max(self._interval, (time.monotonic() - begun) / _SHARE)

    async def step(self) -> None:
        """Look once, and act on what has changed since it was last acted on, and not since the last look."""
        look = await asyncio.to_thread(look_at, self._root)
        if look is None:
            # Such as a volume that is being mounted anew; the models are no less wanted.
            return
        changed = {each for each in look.keys() | self._done.keys() if _is_settled(each, look, self._last, self._done)}
        self._last = look
        if changed:
            # Noted first: what changes while it is loaded is loaded again.
            before = self._done
            kept = {each: files for each, files in before.items() if each not in changed}
            self._done = kept | {each: look[each] for each in changed if each in look}
            try:
                await self._controlplane.refresh(changed, load_new=self._load_new)
            except BaseException:
                self._done = before
                raise


def _is_settled(folder: Path, look: Look, last: Mapping[Path, object], done: Mapping[Path, object]) -> bool:
    return look.get(folder) == last.get(folder) and look.get(folder) != done.get(folder)

"""Folders that servers share, each there for as long as a process uses it.

Below the store's root, a folder's name is its key. Two locks say what goes on; both are of the kernel's (``flock``), so
that they end with the process that holds them, however it ends:

- ``KEY.lock``, exclusively: the folder is being made, looked for or removed;
- ``KEY/in-use``, shared: somebody uses the folder. Who makes it holds this one exclusively until all of it is there.

So a folder that nobody holds is one to be removed: complete or not, nobody ever uses it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import re
import shutil
import threading
import time
from typing import TYPE_CHECKING, Final, TypeVar

from srv.environments._archive import check

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

KEY: Final = re.compile(r"[0-9a-f]{32}")
"""Keys; other names below the root are not the store's."""

_POLL: Final = 0.02
_IN_USE: Final = "in-use"
_LOCK: Final = ".lock"
_T = TypeVar("_T")
_logger: Final = logging.getLogger("srv")


class Store:
    """The folders below `root`, which is made when it is first needed."""

    def __init__(self, root: Path) -> None:
        self.root: Final = root
        self._root_is_ours = False

    def take(self, key: str, prepare: Callable[[Path, bool], _T], stop: threading.Event) -> tuple[Holding, _T]:
        """Use the folder of a key, and return what `prepare` returns of it.

        That is called with the folder and whether it is new, and empty, while nobody else gets the folder. If it
        raises, a new folder is removed. Blocks, as long as another process is at it.

        Raises:
            Stopped: `stop` was set while another process was waited for.
            OSError: nothing can be written below the root, or its file system has no locks.
        """
        folder = self.root / key
        with self._locked(key, stop):
            folder.mkdir(mode=0o700, exist_ok=True)
            used = os.open(folder / _IN_USE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                new = _lock(used, fcntl.LOCK_EX)
                if new:
                    _empty(folder)
                try:
                    prepared = prepare(folder, new)
                except BaseException:
                    if new:
                        _remove(folder)
                    raise
                # A lock is let go of when it changes; but whoever wants it needs the other one first.
                fcntl.flock(used, fcntl.LOCK_SH)
            except BaseException:
                os.close(used)
                raise
        return Holding(self, key, used), prepared

    def remove_unused(self, key: str, stop: threading.Event | None) -> None:
        """Remove a folder that nobody uses. Blocks; without `stop` it passes over one that somebody is at.

        Raises:
            Stopped: `stop` was set while another process was waited for.
            OSError: it cannot be looked into.
        """
        folder = self.root / key
        with self._locked(key, stop) as locked:
            if not locked or not folder.is_dir():
                return
            used = os.open(folder / _IN_USE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if _lock(used, fcntl.LOCK_EX):
                    _remove(folder)
            finally:
                os.close(used)

    def sweep(self) -> None:
        """Remove all folders that nobody uses, such as those of killed servers, and the root if it was made here."""
        try:
            keys = {name.removesuffix(_LOCK) for name in os.listdir(self.root)}  # noqa: PTH208  # only the names
            for key in filter(KEY.fullmatch, keys):
                self.remove_unused(key, None)
            if self._root_is_ours:
                self.root.rmdir()
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST}:
                _logger.warning("environments that nobody uses cannot be removed: %s", error)

    @contextlib.contextmanager
    def _locked(self, key: str, stop: threading.Event | None) -> Generator[bool]:
        """Keep others from a folder; without `stop` say whether nobody else does so, rather than wait for it."""
        path = self.root / f"{key}{_LOCK}"
        while (file := self._try_lock(path)) is None:
            if stop is None:
                yield False
                return
            check(stop)
            time.sleep(_POLL)
        try:
            yield True
        finally:
            if not (self.root / key).exists():
                path.unlink()
            os.close(file)

    def _try_lock(self, path: Path) -> int | None:
        """Return a file that is open and locked by nobody else."""
        if not self.root.is_dir():
            self.root.mkdir(parents=True, exist_ok=True)
            self._root_is_ours = True
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            return None  # another server has closed, and removed the root
        try:
            # Whoever held it before may have removed the file: others have a new one then.
            if _lock(file, fcntl.LOCK_EX) and os.path.samestat(os.fstat(file), path.stat()):
                return file
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(file)
            raise
        os.close(file)
        return None


class Holding:
    """The use of a folder by this process, until it is released."""

    def __init__(self, store: Store, key: str, used: int) -> None:
        self._store = store
        self._key = key
        self._used = used

    def release(self) -> None:
        """Let go of the folder, once; the last that does so removes it. Blocks."""
        os.close(self._used)
        try:
            self._store.remove_unused(self._key, threading.Event())
        except OSError as error:
            _logger.warning("an environment that nobody uses cannot be removed: %s", error)


def _lock(file: int, operation: int) -> bool:
    """Take a lock, and return whether nobody else has it."""
    try:
        fcntl.flock(file, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != _IN_USE:
            path.unlink()


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        _logger.warning("an environment that nobody uses cannot be removed: %s", error)

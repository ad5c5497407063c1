"""The environments that a server's models use."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import hashlib
import logging
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from srv._state import SHUTTING_DOWN
from srv.environments._archive import Stopped, check, unpack
from srv.environments._interpreter import UnusablePython, run
from srv.environments._layout import Layout, survey
from srv.environments._store import Store
from srv_protocol.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from srv.environments._environment import Environment
    from srv.environments._store import Holding

_logger: Final = logging.getLogger("srv")
_TREE: Final = "tree"
_STAND_IN: Final = "python"
_CHUNK: Final = 1 << 20
# Seconds; conda-unpack rewrites thousands of files.
_PATIENCE: Final = 600.0
# A file that changed so many nanoseconds ago might change again within the same tick of its clock.
_SETTLED: Final = 2 * 10**9


class Lease:
    """The use of an environment; its folder stays until it is released."""

    def __init__(self, environment: Environment, release: Callable[[Lease], None]) -> None:
        self.environment: Final = environment
        self._release = release
        self._released = False

    def release(self) -> None:
        """Give the environment back, when no process runs in it any more. Does not block; once is enough."""
        if not self._released:
            self._released = True
            self._release(self)


class Environments:
    """The environments that a server's models use, of folders and of tarballs.

    A tarball is unpacked once for all servers that have the same `root`, and removed again when the last of them uses
    it no longer. What killed ones leave goes when the next one looks. A folder of the user's is never written to.

    Args:
        root: the folder for what is unpacked; it is made when it is needed.
        max_size: bytes of one environment, unpacked.
    """

    def __init__(self, root: Path, max_size: int = 20 << 30) -> None:
        self._store = Store(root.absolute())
        self._max_size = max_size
        # Threads of its own: asyncio's are for what takes less long.
        self._pool = concurrent.futures.ThreadPoolExecutor(4, "srv-environments")
        self._turns: dict[Path, asyncio.Lock] = {}
        self._stops: set[threading.Event] = set()
        self._held: dict[Lease, Holding] = {}
        self._keys: dict[Path, tuple[tuple[int, ...], str]] = {}
        self._closed = False

    async def prepare(self, path: Path | None, tarball: Path | None) -> Lease:
        """Return an environment that can be started: that of the folder `path`, or of the file `tarball`.

        Raises:
            LoadError: there is none, or it cannot run here; the text says why.
        """
        if path is not None and tarball is not None:
            raise LoadError(
                "parameters.environment_path, parameters.environment_tarball: expected one of them, got both"
            )
        subject = tarball or path
        if subject is None:
            raise LoadError(
                "parameters.environment_path, parameters.environment_tarball: expected one of them, got none"
            )
        # Of models that share one, the first has it unpacked, and the others need no thread to wait.
        async with self._turns.setdefault(subject, asyncio.Lock()):
            if self._closed:
                raise LoadError(SHUTTING_DOWN)
            stop = threading.Event()
            self._stops.add(stop)
            work = self._pool.submit(self._from_tarball if tarball else self._from_path, subject, stop)
            try:
                return await asyncio.wrap_future(work)
            except Stopped:
                raise LoadError(SHUTTING_DOWN) from None
            except asyncio.CancelledError:
                stop.set()
                work.add_done_callback(_give_back)
                raise
            finally:
                self._stops.discard(stop)

    async def close(self) -> None:
        """Give back whatever is in use, and remove what no other server uses; nothing is prepared any more."""
        self._closed = True
        for stop in self._stops:
            stop.set()
        await asyncio.to_thread(self._close)

    # ---- On threads

    def _close(self) -> None:
        self._pool.shutdown()
        for lease in list(self._held):
            lease.release()
        self._store.sweep()

    def _from_path(self, path: Path, stop: threading.Event) -> Lease:
        environ = dict(os.environ)

        def stand_in(folder: Path, new: bool) -> Environment:  # noqa: FBT001, ARG001  # as the store calls it
            return layout.stand_in(folder / _STAND_IN, environ)

        with _placed(f"parameters.environment_path: {path}", self._store.root):
            if not path.is_dir():
                got = "a file; is it meant for environment_tarball?" if path.exists() else "nothing of that name"
                raise LoadError(f"expected a folder, got {got}")
            layout = survey(path.absolute())
            environment = layout.open(environ)
            if environment is not None:
                return Lease(environment, self._give_back)
            self._store.sweep()
            key = hashlib.sha256(b"path " + os.fsencode(path.absolute())).hexdigest()[:32]
            return self._lease(*self._store.take(key, stand_in, stop))

    def _from_tarball(self, path: Path, stop: threading.Event) -> Lease:
        with _placed(f"parameters.environment_tarball: {path}", self._store.root):
            if not path.is_file():
                got = (
                    "a folder or the like; is it meant for environment_path?"
                    if path.exists()
                    else "nothing of that name"
                )
                raise LoadError(f"expected a file, got {got}")
            with path.open("rb") as file:
                stamp = _stamp(file)
                key = self._key(path, file, stamp, stop)
                self._store.sweep()
                return self._lease(*self._store.take(key, functools.partial(self._fill, file, stamp, stop), stop))

    def _fill(
        self,
        file: BinaryIO,
        stamp: tuple[int, ...],
        stop: threading.Event,
        folder: Path,
        new: bool,  # noqa: FBT001  # as the store calls it
    ) -> Environment:
        tree = folder / _TREE
        if new:
            started = time.monotonic()
            tree.mkdir()
            unpack(file, tree, self._max_size, stop)
            # The folder's name says what is in it: it must be what the digest was made of.
            if _stamp(file) != stamp:
                raise LoadError("it has changed while it was read; load the model again")
            _logger.info("%s is unpacked into %s, in %.1f s", file.name, folder, time.monotonic() - started)
        layout = survey(tree)
        environ = dict(os.environ)
        environment = layout.open(environ) or layout.stand_in(folder / _STAND_IN, environ)
        if new:
            _run_conda_unpack(layout, environment, environ)
        return environment

    def _key(self, path: Path, file: BinaryIO, stamp: tuple[int, ...], stop: threading.Event) -> str:
        """Return the digest of a file's contents, which is remembered for as long as the file is the same."""
        known = self._keys.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        digest = hashlib.sha256()
        while chunk := file.read(_CHUNK):
            check(stop)
            digest.update(chunk)
        key = digest.hexdigest()[:32]
        if time.time_ns() - os.fstat(file.fileno()).st_mtime_ns > _SETTLED:
            self._keys[path] = stamp, key
        return key

    def _lease(self, holding: Holding, environment: Environment) -> Lease:
        lease = Lease(environment, self._give_back)
        self._held[lease] = holding
        return lease

    def _give_back(self, lease: Lease) -> None:
        holding = self._held.pop(lease, None)
        if holding is not None:
            try:
                self._pool.submit(holding.release)
            except RuntimeError:  # it is shut down
                holding.release()


def _give_back(work: concurrent.futures.Future[Lease]) -> None:
    """Release what nobody waits for any more."""
    if not work.cancelled() and work.exception() is None:
        work.result().release()


@contextlib.contextmanager
def _placed(place: str, root: Path) -> Generator[None]:
    """Say of errors which environment they are about."""
    try:
        yield
    except LoadError as error:
        raise LoadError(f"{place}: {error.message}") from None
    except OSError as error:
        at = Path(error.filename) if isinstance(error.filename, str) else root
        setting = " (environments_dir)" if at.is_relative_to(root) else ""
        raise LoadError(f"{place}: {at}{setting}: {error.strerror}") from error


def _stamp(file: BinaryIO) -> tuple[int, ...]:
    """Return what tells a file from what it was before."""
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _run_conda_unpack(layout: Layout, environment: Environment, environ: Mapping[str, str]) -> None:
    """Have conda-pack's script put the folder's path where that of the machine stood which it was packed on."""
    script = layout.folder / "bin" / "conda-unpack"
    if not script.is_file():
        return
    try:
        # Not by its first line, which names a Python on the PATH; and not isolated, as it imports what lies beside it.
        run([environment.python[0], "-E", "-s", str(script)], environment.environ(environ), _PATIENCE)
    except UnusablePython as error:
        raise LoadError(f"bin/conda-unpack failed: {error}") from None

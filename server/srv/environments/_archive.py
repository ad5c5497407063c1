"""Unpacking tarballs, none of whose members gets out of the folder that they are unpacked into."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import sys
import tarfile
import zlib
from typing import IO, TYPE_CHECKING, Final, Protocol, cast

from srv.environments._members import check_symlink, is_interpreter, link_error, member_path
from srv_protocol.errors import LoadError

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator, Iterator
    from pathlib import Path
    from typing import BinaryIO

MAX_MEMBERS: Final = 1_000_000
"""Files, folders and links of an environment; each takes an inode. Large ones of conda have some 200,000."""

# tarfile reads an extended header in one piece, however long it says that it is.
_MAX_READ: Final = 1 << 24
_CHUNK: Final = 1 << 20
_BLOCK: Final = bytes(tarfile.BLOCKSIZE)

_FORMATS: Final = "tar, tar.gz, tar.bz2, tar.xz, or tar.zst under Python 3.14"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_KNOWN: Final = {b"PK\x03\x04": "a zip archive", _ZSTD: "a tar.zst", b"hsqs": "a squashfs image"}


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Stopped(Exception):
    """Nobody waits any longer for what is being done."""


def check(stop: threading.Event) -> None:
    """Raise Stopped once `stop` is set."""
    if stop.is_set():
        raise Stopped


def unpack(file: BinaryIO, folder: Path, max_size: int, stop: threading.Event) -> None:
    """Unpack a tarball, from its start, into an empty folder that nobody else writes to. Blocks.

    Files keep their times, for the compiled ones are compared with them, and the permissions of their owner; nothing
    becomes writable for others, setuid or setgid.

    Args:
        file: open, and read in pieces.
        folder: where it exists.
        max_size: bytes after decompression.
        stop: ends it with :class:`Stopped`.

    Raises:
        LoadError: it is no tarball, is damaged, is too large, or has a member that must not be unpacked.
        OSError: a file cannot be written.
    """
    file.seek(0)
    with _decompressed(file) as plain:
        stream = _Stream(plain, max_size, stop)
        members = _Members(stream)
        unpacker = _Unpacker(folder, max_size)
        for member in members:
            unpacker.add(member, members)
        members.check_end()
        unpacker.check_links()


def _decompressed(file: BinaryIO) -> contextlib.AbstractContextManager[_Readable]:
    magic = file.read(6)
    file.seek(0)
    if magic.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)
    if magic.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if magic == b"\xfd7zXZ\x00":
        return lzma.LZMAFile(file)
    if magic.startswith(_ZSTD) and sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.ZstdFile(file)
    for start, name in _KNOWN.items():
        if magic.startswith(start):
            raise LoadError(f"expected a tarball ({_FORMATS}), got {name}")
    return contextlib.nullcontext(file)


class _Stream:
    """A tarball's bytes, as tarfile reads them: only forwards, counted, and none too many at once."""

    def __init__(self, source: _Readable, max_size: int, stop: threading.Event) -> None:
        self._source = source
        self._max_size = max_size
        self._stop = stop
        self._position = 0
        self.last = b""
        """What was read last."""

    def read(self, size: int = -1) -> bytes:
        check(self._stop)
        if not 0 <= size <= _MAX_READ:
            raise _damaged(f"a header that takes {size} bytes")
        try:
            self.last = self._source.read(size)
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise _damaged(str(error)) from None
        self._position += len(self.last)
        if self._position > self._max_size:
            raise _too_large(self._max_size)
        return self.last

    def seek(self, position: int) -> int:
        if position < self._position:
            raise _damaged(f"a member that begins before byte {self._position}")
        while self._position < position and self.read(min(position - self._position, _CHUNK)):
            pass
        return self._position

    def tell(self) -> int:
        return self._position


class _Members:
    """The members of a tarball, one after the other, each of which is read before the next."""

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream
        with _parsing():
            self._tar = tarfile.TarFile(fileobj=cast("IO[bytes]", stream))

    def __iter__(self) -> Iterator[tarfile.TarInfo]:
        while True:
            with _parsing():
                member = self._tar.next()
            if member is None:
                return
            # It keeps them all otherwise.
            self._tar.members = []  # type: ignore[attr-defined]  # documented by its use alone
            yield member

    def contents(self, member: tarfile.TarInfo) -> Iterator[bytes]:
        """Yield what is in a file."""
        with _parsing():
            source = self._tar.extractfile(member)
        remaining = member.size
        while source is not None and remaining:
            with _parsing():
                chunk = source.read(min(remaining, _CHUNK))
            if not chunk:
                raise _damaged(f"{member.name!r:.200} ends too early")
            remaining -= len(chunk)
            yield chunk

    def check_end(self) -> None:
        """Raise LoadError where what came last is no end of a tarball: tarfile takes a damaged header for one."""
        if self._stream.last != _BLOCK:
            raise _damaged(f"it ends after byte {self._stream.tell()}")
        # To the end of the compressed bytes, where the checksum is that they are compared with.
        for _ in range(8):
            self._stream.read(_CHUNK)


@contextlib.contextmanager
def _parsing() -> Generator[None]:
    """Say of whatever tarfile raises that the file is damaged."""
    try:
        yield
    except (LoadError, Stopped):
        raise
    except Exception as error:  # it has many for headers that make no sense
        raise _damaged(str(error)) from error


def _damaged(reason: str) -> LoadError:
    return LoadError(f"expected a tarball ({_FORMATS}), got a file that is none, or is damaged: {reason:.300}")


def _too_large(max_size: int) -> LoadError:
    return LoadError(f"expected at most {max_size} bytes when it is unpacked (environment_max_size), got more")


class _Unpacker:
    """Writes members into a folder; it never follows a symbolic link in it."""

    def __init__(self, folder: Path, max_size: int) -> None:
        self._folder = folder
        self._max_size = max_size
        self._size = 0
        self._count = 0
        self._folders = {""}
        self._links: list[str] = []

    def add(self, member: tarfile.TarInfo, members: _Members) -> None:
        path = member_path(member.name)
        if member.isdir():
            self._make_folder(path)
            return
        if path in self._folders:
            raise LoadError(f"expected {member.name!r:.200} to be a folder, as it was before, got something else")
        self._count_one()
        self._make_folder(path.rpartition("/")[0])
        place = self._folder / path
        # The last of a name counts; what other names the first one has, keep it.
        place.unlink(missing_ok=True)
        if member.issym():
            check_symlink(path, member.linkname)
            place.symlink_to(member.linkname)
            self._links.append(path)
        elif member.islnk():
            self._link(place, member.linkname)
        elif member.isreg():
            self._write(place, member, members)
        else:
            raise LoadError(f"expected files, folders and links, got a device or the like: {path!r:.200}")

    def _count_one(self) -> None:
        self._count += 1
        if self._count > MAX_MEMBERS:
            raise LoadError(f"expected at most {MAX_MEMBERS} files, folders and links, got more")

    def _make_folder(self, path: str) -> None:
        """Make a folder, and those above it that are missing."""
        missing: list[str] = []
        while path not in self._folders:
            missing.append(path)
            path = path.rpartition("/")[0]
        for each in reversed(missing):
            self._count_one()
            try:
                (self._folder / each).mkdir(mode=0o755)
            except FileExistsError:
                raise LoadError(f"expected {each!r:.200} to be a folder, as members are below it, got a file") from None
            self._folders.add(each)

    def _link(self, place: Path, target: str) -> None:
        found = member_path(target)
        source = self._folder / found
        # The folders that were made are no links, and a link to a symbolic one would lead elsewhere from its place.
        if found.rpartition("/")[0] not in self._folders or source.is_symlink() or not source.is_file():
            raise LoadError(f"expected a link to a file before it, got one to {target!r:.200}")
        place.hardlink_to(source)

    def _write(self, place: Path, member: tarfile.TarInfo, members: _Members) -> None:
        if not 0 <= member.size <= self._max_size - self._size:
            raise _too_large(self._max_size)
        self._size += member.size
        with place.open("xb", buffering=0) as file:
            for chunk in members.contents(member):
                view = memoryview(chunk)
                while view:
                    view = view[file.write(view) :]
            os.fchmod(file.fileno(), member.mode & 0o755 | 0o600)
            moment = member.mtime if 0 <= member.mtime < 1 << 33 else 0
            os.utime(file.fileno(), (moment, moment))

    def check_links(self) -> None:
        """Check where the symbolic links lead, now that all that they may lead through is there."""
        root = os.path.realpath(self._folder)
        for path in self._links:
            place = self._folder / path
            target = os.path.realpath(place)
            inside = target == root or target.startswith(root + os.sep)
            if not inside and place.is_symlink() and not is_interpreter(path):
                raise link_error(path, str(place.readlink()))

"""Memory that clients on this machine share with the server (Triton's "System Shared Memory Extension").

A region is a part of a memory object of POSIX, under a name that tensors call it by. Arrays on it are the client's own
memory: what the client writes during a request, the runtime sees. A client that shortens the object between the check
of its size and the reading of an input ends the server by SIGBUS; nothing but a copy could prevent that, which is one
reason why clients may not use it unless a setting says so.
"""

from __future__ import annotations

import _posixshmem  # type: ignore[import-not-found]  # the standard library's, which has no stubs
import mmap
import os
import resource
import sys
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from srv_protocol.errors import AlreadyExists, InferenceError, InvalidInput, NotFound, Unsupported
from srv_protocol.inference import SystemSharedMemoryStatusResponseRegionStatus as RegionStatus

if TYPE_CHECKING:
    from collections.abc import Callable

# Not multiprocessing's SharedMemory, whose resource tracker would unlink the client's object.
_shm_open = cast("Callable[[str, int, int], int]", _posixshmem.shm_open)  # pyright: ignore[reportUnknownMemberType]  # as above
_DISABLED: Final = (
    "Client shared memory is disabled. Start the server with the setting 'allow_client_shm' "
    "(SRV_ALLOW_CLIENT_SHM=true) to enable."
)


# As many as no client needs; each is two file descriptors, of which the process has not many, and a mapping.
_MOST_REGIONS: Final = 4096
_DESCRIPTORS: Final = 2


class _Region:
    """A part of a memory object; open and mapped until the last reference to it, or to a view of it, is gone."""

    def __init__(self, name: str, key: str, offset: int, byte_size: int) -> None:
        self.name = name
        self.key = key
        self.offset = offset
        self.byte_size = byte_size
        try:
            self._fd = _shm_open(_path(key), os.O_RDWR, 0)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InvalidInput(f"Unable to open shared memory region: '{name}': {reason}") from None
        weakref.finalize(self, os.close, self._fd)
        size = os.fstat(self._fd).st_size
        if not 0 < byte_size <= size - offset:
            raise InvalidInput(
                f"failed to register shared memory region '{name}': invalid args: expected offset and byte_size within "
                f"the {size} bytes of the memory object, got {offset} and {byte_size}"
            )
        # A mapping starts at a page.
        self._start = offset % mmap.ALLOCATIONGRANULARITY
        try:
            self._mapping = mmap.mmap(self._fd, self._start + byte_size, offset=offset - self._start)
        except (OSError, ValueError) as error:
            raise InvalidInput(
                f"failed to register shared memory region '{name}': it cannot be mapped: {error}"
            ) from None

    def status(self) -> RegionStatus:
        """Return what the client has registered."""
        return RegionStatus(self.name, self.key, self.offset, self.byte_size)

    def view(self, start: int, end: int) -> memoryview:
        """Return bytes of the region: a writable view."""
        self._check_size(end)
        return memoryview(self._mapping)[self._start + start : self._start + end]

    def _check_size(self, end: int) -> None:
        size = os.fstat(self._fd).st_size
        if self.offset + end > size:
            raise InvalidInput(
                f"shared memory region '{self.name}': expected a memory object of {self.offset + end} bytes or more, "
                f"it has {size} by now"
            )

    def write(self, start: int, data: memoryview) -> None:
        """Copy `data` into the region."""
        end = start + len(data)
        if sys.platform == "darwin":
            self.view(start, end)[:] = data  # memory objects there cannot be written as files
            return
        self._check_size(end)
        # Not through the mapping: a fault in it, as where no memory is left for a page, would end the process.
        pos = self.offset + start
        try:
            while len(data):
                written = os.pwrite(self._fd, data, pos)
                data, pos = data[written:], pos + written
        except OSError as error:
            raise InferenceError(f"shared memory region '{self.name}' cannot be written: {error.strerror}") from None


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a region, as :class:`srv_codecs.regions.Span` has it."""

    region: _Region
    start: int
    size: int

    def view(self) -> memoryview:
        """Return the bytes: a read-only view of the client's memory.

        Raises:
            InvalidInput: the memory object has become too small.
        """
        return self.region.view(self.start, self.start + self.size).toreadonly()

    def write(self, data: memoryview) -> None:
        """Copy `data`, which is no longer than the span, to its start.

        Raises:
            InvalidInput: the memory object has become too small.
            InferenceError: no memory is left for it.
        """
        self.region.write(self.start, data)


class SharedMemory:
    """The regions that clients have registered, as :class:`srv_codecs.regions.Regions` has it.

    Names of CUDA regions would be among them; there are none, as the server has no part in GPU memory.
    """

    def __init__(self, *, allowed: bool) -> None:
        self._allowed = allowed
        self._regions: dict[str, _Region] = {}

    def register(self, name: str, key: str, offset: int, byte_size: int) -> None:
        """Open a memory object and map a part of it.

        Args:
            name: what tensors call the region.
            key: the object's name, with or without the slash in front.
            offset: where the region starts in the object, in bytes; not necessarily at a page.
            byte_size: bytes of the region, one or more.

        Raises:
            Unsupported: clients may not use shared memory.
            AlreadyExists: the name is taken.
            InvalidInput: there is no such object, the server may not open it, the region is not within it, or there
                are too many regions.
        """
        self._check_allowed()
        if not name:
            raise InvalidInput("failed to register shared memory region: expected a name, got none")
        if name in self._regions:
            raise AlreadyExists(f"shared memory region '{name}' already in manager")
        most = _most_regions()
        if len(self._regions) >= most:
            raise InvalidInput(
                f"failed to register shared memory region '{name}': expected at most {most} regions; unregister others"
            )
        self._regions[name] = _Region(name, key, offset, byte_size)

    def status(self, name: str = "") -> list[RegionStatus]:
        """Return the region of a name, or all of them.

        Raises:
            NotFound: there is no region of that name.
        """
        if not name:
            return [region.status() for region in self._regions.values()]
        found = self._regions.get(name)
        if found is None:
            raise NotFound(f"Unable to find system shared memory region: '{name}'")
        return [found.status()]

    def unregister(self, name: str = "") -> None:
        """Forget the region of a name, if there is one, or all of them; requests that use one keep it until they end.

        Raises:
            Unsupported: clients may not use shared memory.
        """
        self._check_allowed()
        if name:
            self._regions.pop(name, None)
        else:
            self._regions.clear()

    def find(self, region: str, offset: int, byte_size: int) -> Span:
        """Return a part of a region; offset and size are in bytes.

        Raises:
            Unsupported: clients may not use shared memory.
            NotFound: there is no region of that name.
            InvalidInput: the part is not within it.
        """
        self._check_allowed()
        found = self._regions.get(region)
        if found is None:
            raise NotFound(f"Unable to find shared memory region: '{region}'")
        # A tensor without bytes may begin at the end of the region.
        for what, value in (("offset", offset + min(byte_size, 1)), ("offset + byte size", offset + byte_size)):
            if value > found.byte_size:
                raise InvalidInput(
                    f"Invalid {what} for shared memory region: '{region}': "
                    f"expected at most {found.byte_size} bytes, got offset {offset} and byte size {byte_size}"
                )
        return Span(found, offset, byte_size)

    def register_cuda(self, name: str) -> None:
        """Refuse to map memory of a GPU.

        Raises:
            Unsupported: clients may not use shared memory.
            InvalidInput: always otherwise.
        """
        self._check_allowed()
        raise InvalidInput(f"failed to register CUDA shared memory region: '{name}', GPUs not supported")

    def check_cuda_status(self, name: str = "") -> None:
        """Check that nobody asks for a CUDA region by its name; of all of them there are none.

        Raises:
            NotFound: somebody does.
        """
        if name in self._regions:
            raise NotFound(f"The region named '{name}' is registered as system shared memory, not CUDA shared memory")
        if name:
            raise NotFound(f"Unable to find cuda shared memory region: '{name}'")

    def unregister_cuda(self) -> None:
        """Do nothing: of regions that are not there, none is left.

        Raises:
            Unsupported: clients may not use shared memory.
        """
        self._check_allowed()

    def _check_allowed(self) -> None:
        if not self._allowed:
            raise Unsupported(_DISABLED)


def _most_regions() -> int:
    """Return how many regions there may be: half of the process's descriptors are left to connections and models."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return _MOST_REGIONS
    return min(_MOST_REGIONS, descriptors // 2 // _DESCRIPTORS)


def _path(key: str) -> str:
    """Return a memory object's name as the operating system has it."""
    name = key.removeprefix("/")
    # What shm_open() does with them is up to the system, and may be another file.
    if not name or "/" in name or "\0" in name:
        message = f"expected a key without further slashes or NULs, got {key!r:.80}"
        raise ValueError(message)
    return f"/{name}"

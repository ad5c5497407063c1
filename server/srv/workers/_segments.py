"""Shared memory that one process writes tensors into, and another reads as views.

A segment is an anonymous file in memory (``memfd_create``): it has no name, so that nothing is left of it when the
processes that have it are gone, however they ended. It holds the tensors of one message at a time. The writer uses it
again when the reader has let go of every view.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_SMALLEST: Final = 1 << 16
# Bytes of free segments that are kept for the messages to come.
_KEPT: Final = 64 << 20
# Of them, at most: each has a file descriptor on both sides.
_MOST: Final = 32


def _new_file(size: int) -> int:
    """Return a file descriptor of memory without a name.

    Raises:
        OSError: there is no memory, or no descriptor left.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("srv-tensors", os.MFD_CLOEXEC)
    else:
        descriptor, path = tempfile.mkstemp(prefix="srv-tensors-")
        Path(path).unlink()
    try:
        os.ftruncate(descriptor, size)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


class Segment:
    """A segment on its writer's side.

    Attributes:
        number: what both sides call it; from 1 on.
        memory: all of its bytes.
        released: when its reader let go of it, on the monotonic clock.
    """

    __slots__ = ("memory", "number", "released", "size")

    def __init__(self, number: int, memory: mmap.mmap, size: int) -> None:
        self.number = number
        self.memory = memory
        self.size = size
        self.released = 0.0


class WrittenSegments:
    """The segments that this process writes.

    Args:
        announce: tells the reader of a new one: number, size, file descriptor; the descriptor is closed then.
        forget: tells the reader that one will not be used again.
    """

    def __init__(self, announce: Callable[[int, int, int], None], forget: Callable[[int], None]) -> None:
        self._announce = announce
        self._forget = forget
        self._used: dict[int, Segment] = {}
        # By size: the power of two that all sizes are.
        self._free: dict[int, list[Segment]] = {}
        self._free_bytes = 0
        self._free_count = 0
        self._count = 0

    @property
    def in_use(self) -> int:
        """How many the reader has not let go of."""
        return len(self._used)

    def take(self, size: int) -> Segment:
        """Return a segment of at least `size` bytes, whatever is in it.

        Raises:
            OSError: there is no memory, or no descriptor left.
        """
        rounded = max(_SMALLEST, 1 << (size - 1).bit_length())
        free = self._free.get(rounded)
        if free:
            segment = free.pop()
            self._free_bytes -= rounded
            self._free_count -= 1
        else:
            descriptor = _new_file(rounded)
            self._count += 1
            try:
                segment = Segment(self._count, mmap.mmap(descriptor, rounded), rounded)
                self._announce(segment.number, rounded, descriptor)
            except BaseException:
                os.close(descriptor)
                raise
        self._used[segment.number] = segment
        return segment

    def release(self, number: int) -> None:
        """Take back a segment that its reader has let go of."""
        segment = self._used.pop(number, None)
        if segment is None:
            return
        if self._free_bytes + segment.size > _KEPT or self._free_count >= _MOST:
            # Its pages go when both sides have let go of it.
            self._forget(number)
            return
        segment.released = time.monotonic()
        self._free.setdefault(segment.size, []).append(segment)
        self._free_bytes += segment.size
        self._free_count += 1

    def trim(self, idle: float) -> bool:
        """Let go of those that nobody has needed for `idle` seconds, and return whether free ones are left.

        Each holds memory, and on most versions of Python a file descriptor, too.
        """
        oldest = time.monotonic() - idle
        for size, free in list(self._free.items()):
            # The last one is taken first, so that the others grow old.
            kept = [segment for segment in free if segment.released > oldest]
            for segment in free[: len(free) - len(kept)]:
                self._free_bytes -= size
                self._free_count -= 1
                self._forget(segment.number)
            if kept:
                self._free[size] = kept
            else:
                del self._free[size]
        return bool(self._free)

    def close(self) -> None:
        """Let go of all."""
        self._used.clear()
        self._free.clear()
        self._free_bytes = self._free_count = 0


class ReadSegments:
    """The segments that another process writes.

    Args:
        released: called, on any thread, with the number of a segment whose last view has gone.
    """

    def __init__(self, released: Callable[[int], None]) -> None:
        self._released = released
        self._memory: dict[int, mmap.mmap] = {}
        # Kept alive until its region dies: a dead reference calls nobody.
        self._watched: dict[int, weakref.ref[NDArray[np.uint8]]] = {}

    def add(self, number: int, size: int, descriptor: int) -> None:
        """Take a new segment; the descriptor is closed.

        Raises:
            OSError: it cannot be mapped.
        """
        try:
            self._memory[number] = mmap.mmap(descriptor, size, prot=mmap.PROT_READ)
        finally:
            os.close(descriptor)

    def view(self, number: int, size: int) -> memoryview:
        """Return the first bytes of a segment: a read-only view, and all that is made of it count as one."""
        region = np.frombuffer(self._memory[number], np.uint8, size)

        def gone(_: object) -> None:
            self._watched.pop(number, None)
            self._released(number)

        self._watched[number] = weakref.ref(region, gone)
        return region.data

    def forget(self, number: int) -> None:
        """Let go of a segment."""
        self._memory.pop(number, None)

    def close(self) -> None:
        """Let go of all; views that are left keep their memory."""
        self._watched.clear()
        self._memory.clear()

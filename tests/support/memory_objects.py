"""Memory objects of POSIX, as clients on the same machine make them."""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

FOLDER: Final = Path("/dev/shm")  # noqa: S108  # where Linux keeps them
"""The folder in which memory objects are files."""

needs_folder = pytest.mark.skipif(not FOLDER.is_dir(), reason="memory objects are no files on this platform")


@dataclass(frozen=True)
class MemoryObject:
    """An object; `name` is its key, without the slash in front."""

    name: str
    content: memoryview

    @property
    def size(self) -> int:
        """What the operating system says."""
        return (FOLDER / self.name).stat().st_size

    def resize(self, size: int) -> None:
        """Make it shorter or longer; `content` stays what it was."""
        os.truncate(FOLDER / self.name, size)


@contextlib.contextmanager
def memory_object(size: int) -> Generator[MemoryObject]:
    """Make an object of zeros, which is gone afterwards."""
    memory = SharedMemory(f"srv-tests-{secrets.token_hex(8)}", create=True, size=size)
    assert memory.buf is not None
    try:
        yield MemoryObject(memory.name, memory.buf)
    finally:
        memory.close()
        memory.unlink()

"""What a process holds of the system."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108  # it is looked into, no more


def children(pid: int) -> list[int]:
    """Return the processes that a process has started, dead ones that it has not waited for included."""
    found: list[int] = []
    for task in Path("/proc", str(pid), "task").iterdir():
        with contextlib.suppress(OSError):
            found += map(int, (task / "children").read_text("ascii").split())
    return found


def named_memory() -> list[Path]:
    """Return the shared memory of this machine that has a name."""
    return sorted(_SHARED_MEMORY.iterdir())


def open_files() -> int:
    """Return how many file descriptors this process has."""
    return len([*Path("/proc/self/fd").iterdir()])

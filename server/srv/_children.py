"""Processes that this one has started."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    import subprocess
    from collections.abc import Callable


def watch_child(process: subprocess.Popen[bytes], loop: asyncio.AbstractEventLoop, ended: Callable[[], None]) -> None:
    """Have `ended` called, once, on the event loop when a process has ended; its ``returncode`` is there then.

    No SIGCHLD, and no other process's end: children that models have are their own affair.
    """
    try:
        descriptor = os.pidfd_open(process.pid)
    except (OSError, AttributeError):
        # Not on this system: a thread waits instead.
        threading.Thread(
            target=_wait, args=(process, loop, ended), name=f"srv-watch-{process.pid}", daemon=True
        ).start()
        return

    def reap() -> None:
        loop.remove_reader(descriptor)
        os.close(descriptor)
        process.poll()
        ended()

    loop.add_reader(descriptor, reap)


def _wait(process: subprocess.Popen[bytes], loop: asyncio.AbstractEventLoop, ended: Callable[[], None]) -> None:
    process.wait()
    # The loop may be closed by then.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(ended)

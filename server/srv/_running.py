"""Runs a server's coroutine to its end, and ends the process also where code of models does not."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_logger: Final = logging.getLogger("srv")
# Seconds that tasks which were cancelled have to end.
_LAST_STEPS: Final = 1.0


def run_to_end(serving: Coroutine[object, object, tuple[int, bool]]) -> int:
    """Run a coroutine that returns an exit status, and whether all code of the models has ended; return the status.

    If it has not, this does not return: the process ends here.
    """
    runner = asyncio.Runner(loop_factory=_loop_factory())
    status, ended = runner.run(serving)
    if ended:
        runner.close()
        return status
    # Python would wait for the threads and tasks of the models for ever.
    _logger.warning("code of a model still runs; it is abandoned")
    logging.shutdown()
    sys.stdout.flush()
    os._exit(status)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:  # not on every platform
        return asyncio.new_event_loop
    return uvloop.new_event_loop


async def give_up(task: asyncio.Future[None]) -> None:
    """Cancel a task that may not end, and wait a little for it."""
    task.cancel()
    await asyncio.wait({task}, timeout=_LAST_STEPS)


async def end_tasks() -> bool:
    """Cancel what still runs on the event loop, and return whether all of it has ended."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    return not tasks or not (await asyncio.wait(tasks, timeout=_LAST_STEPS))[1]

"""Where a worker process begins."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any, Final, cast

from srv._allocator import keep_freed_memory
from srv._logging import configure_logging
from srv._settings import Settings
from srv.workers._service import Service

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

_PR_SET_PDEATHSIG: Final = 1
_LOST: Final = 1


def main(arguments: Mapping[str, object]) -> None:
    """Serve one model until the server has had enough, or is gone.

    Args:
        arguments: ``fd``, the descriptor of the socket; ``parent``, the server's process; ``settings``, what of the
            server's settings a worker has to know.
    """
    given = cast("Mapping[str, Any]", arguments)
    _die_with(given["parent"])
    # The server decides when a worker ends. Not SIG_IGN, which processes that the model starts would inherit.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _do_nothing)
    settings = Settings(**given["settings"])
    configure_logging(settings)
    keep_freed_memory()
    loop = _new_loop()
    asyncio.set_event_loop(loop)
    sock = socket.socket(fileno=given["fd"])
    # It is not for the processes that the model starts.
    sock.set_inheritable(False)  # its own name for it
    service = Service(loop, sock, nonfinite_as_null=settings.json_nonfinite == "null")
    loop.run_until_complete(service.run())
    if service.is_lost:
        # Code of the model may still run, and nobody waits for it.
        sys.stdout.flush()
        os._exit(_LOST)
    loop.close()


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    pass


def _die_with(parent: int) -> None:
    """Let the system end this process with the server's, however that ends; where it cannot, the socket tells."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        return
    if os.getppid() != parent:
        os._exit(_LOST)


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:  # as in most environments
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()

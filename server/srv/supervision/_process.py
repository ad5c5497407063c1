"""One server process, as the supervisor sees it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from srv._children import watch_child
from srv.supervision._channel import Channel
from srv.supervision._messages import Begin, Begun, Stop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srv._changes import Change
    from srv._listening import Listeners
    from srv.supervision._channel import Handler
    from srv.supervision._samples import Family

_START: Final = (
    "import json, sys; descriptor, sys.path[:] = json.loads(sys.argv.pop()); "
    "from srv.supervision._child import main; sys.exit(main(descriptor))"
)
"""What a process runs: not a module by its name, which may mean another one where its ``sys.path`` is another."""


class ServerProcess:
    """A process, from its start to its death.

    Args:
        listeners: the sockets that it serves.
        handlers: what answers its calls.

    Attributes:
        ended: the exit status, once it has ended; negative for a signal.
        has_begun: whether its models have been loaded.
        serves: whether it accepts connections.
        is_leaving: whether it was told to stop.
        is_ready: what it says of itself.
        families: what it has counted, when it was last asked.
    """

    def __init__(self, listeners: Listeners, handlers: Mapping[str, Handler]) -> None:
        self._loop = asyncio.get_running_loop()
        self._listeners = listeners
        self.ended: asyncio.Future[int] = self._loop.create_future()
        self.has_begun = False
        self.serves = False
        self.is_leaving = False
        self.is_ready = False
        self.families: list[Family] = []
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            try:
                descriptors = (theirs.fileno(), listeners.rest.fileno(), listeners.grpc.fileno())
                self._process = subprocess.Popen(  # noqa: S603  # this interpreter
                    [sys.executable, "-c", _START, json.dumps([theirs.fileno(), sys.path])],
                    stdin=subprocess.DEVNULL,
                    pass_fds=descriptors,
                )
            except BaseException:
                ours.close()
                raise
        self.channel = Channel(ours, handlers)
        self._reading = asyncio.ensure_future(self.channel.run())
        self._dead = asyncio.Event()
        watch_child(self._process, self._loop, self._dead.set)
        self._ending = asyncio.ensure_future(self._end())

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    async def begin(self, root: str, changes: list[Change], *, reload: bool, opens_first: bool) -> Begun:
        """Have it load its models and make changes; return what it has loaded.

        Raises:
            ChannelClosed: it ends before that.
            SettingsError: a setting is wrong.
            SrvError: it cannot begin for another reason.
        """
        given = Begin(root, reload, self._listeners.rest.fileno(), self._listeners.grpc.fileno(), opens_first, changes)
        self.serves = opens_first
        begun = await self.channel.call("begin", given, Begun)
        self.has_begun = True
        return begun

    async def open(self) -> None:
        """Have it accept connections."""
        await self.channel.call("open", None, type(None))
        self.serves = True

    def stop(self, *, replaced: bool = False) -> None:
        """Have it end as a server does; `replaced` by another, which has its ports."""
        self.is_leaving = True
        self.channel.tell("stop", Stop(replaced))

    def kill(self) -> None:
        """End it now."""
        self.is_leaving = True
        if self._process.poll() is None:
            self._process.kill()

    async def wait_ended(self, patience: float) -> None:
        """Return when it has ended; it is killed after `patience` seconds."""
        await asyncio.wait({self.ended}, timeout=patience)
        if not self.ended.done():
            self.kill()
            await asyncio.shield(self.ended)

    def how_it_ended(self) -> str:
        """Return what to say of its end."""
        status = self._process.returncode
        if status is None:
            return "closed its socket"
        if status >= 0:
            return f"ended (exit status {status})"
        with contextlib.suppress(ValueError):
            return f"was killed ({signal.Signals(-status).name})"
        return f"was killed (signal {-status})"

    async def _end(self) -> None:
        await self._dead.wait()
        # What it has said before counts.
        await self._reading
        self.serves = self.is_ready = False
        self.ended.set_result(self._process.returncode)

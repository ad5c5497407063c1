"""One of several server processes: a server as always, on sockets that are given to it."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from srv._allocator import keep_freed_memory
from srv._changes import Change, Load
from srv._cli import check_watchable, nothing_to_serve
from srv._environment import read_environment
from srv._listening import Listeners
from srv._logging import configure_logging
from srv._report import ReportLine
from srv._running import end_tasks, give_up, run_to_end
from srv._server import Server
from srv._settings import load_settings
from srv._state import SHUTTING_DOWN
from srv.controlplane._load_parameters import from_json
from srv.controlplane._source import make_repository
from srv.supervision._channel import Channel
from srv.supervision._messages import Ask, Begin, Begun, Stop
from srv.supervision._peers import SupervisedPeers
from srv.supervision._samples import read_families
from srv_protocol.errors import InvalidInput, LoadError, SrvError

if TYPE_CHECKING:
    from srv.supervision._samples import Family

_logger: Final = logging.getLogger("srv")


def main(descriptor: int) -> int:
    """Serve until the supervisor says otherwise, or is gone; return the exit status.

    `descriptor` is that of the socket to the supervisor.
    """
    keep_freed_memory()
    connection = socket.socket(fileno=descriptor)
    # Processes that the models start have no part in it.
    connection.set_inheritable(False)
    return run_to_end(_Child(connection).run())


class _Child:
    def __init__(self, connection: socket.socket) -> None:
        self._channel = Channel(
            connection,
            {
                "begin": lambda body: self._begin(msgspec.json.decode(body, type=Begin)),
                "open": lambda _: self._open(),
                "apply": lambda body: self._apply(msgspec.json.decode(body, type=Change)),
                "statistics": lambda body: self._statistics(msgspec.json.decode(body, type=Ask)),
                "metrics": lambda _: self._metrics(),
                "ready": lambda body: self._set_peers_ready(msgspec.json.decode(body, type=bool)),
                "stop": lambda body: self._set_stop(msgspec.json.decode(body, type=Stop)),
                "hasten": lambda _: self._hasten(),
            },
        )
        self._server: Server | None = None
        self._replaced = False
        self._peers_ready = False
        self._stop = asyncio.Event()
        self._loaded = asyncio.Event()
        self._applying = 0
        self._applied = asyncio.Event()
        self._applied.set()

    async def run(self) -> tuple[int, bool]:
        """Serve; return 0, and whether all code of the models has ended."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._on_signal)
        # A terminal sends them to all processes; the supervisor says what is to be done.
        for number in (signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, lambda: None)
        reading = asyncio.ensure_future(self._channel.run())
        # Whoever it belongs to is gone: nobody would end it any more.
        reading.add_done_callback(lambda _: self._stop.set())
        await self._stop.wait()
        ended = True
        if self._server is not None:
            following = asyncio.ensure_future(self._tell_draining(self._server))
            ended = await self._server.stop(replaced=self._replaced)
            following.cancel()
            self._channel.tell("counted", await self._metrics())
        await self._channel.flush()
        reading.cancel()
        return 0, await end_tasks() and ended

    def _on_signal(self) -> None:
        if self._stop.is_set():
            self._hasten()
        self._stop.set()

    def _set_stop(self, message: Stop) -> None:
        if not self._stop.is_set():
            self._replaced = message.replaced
            self._stop.set()
        elif self._replaced and not message.replaced:
            # It waits for clients to leave, which no other process takes any more.
            self._hasten()

    def _hasten(self) -> None:
        if self._server is not None:
            self._server.hasten()

    async def _tell_draining(self, server: Server) -> None:
        await server.state.draining.wait()
        if not self._replaced:
            self._channel.tell("draining")

    # ---- The start

    async def _begin(self, given: Begin) -> Begun:
        try:
            return await self._load(given)
        except BaseException:
            self._stop.set()
            raise

    async def _load(self, given: Begin) -> Begun:
        root = Path(given.root)
        environ = read_environment()
        settings = load_settings(root, environ)
        configure_logging(settings)
        if settings.trace_file is not None:
            # Two writers of one file would destroy it.
            settings = dataclasses.replace(settings, trace_file=f"{settings.trace_file}.{os.getpid()}")
        repository = make_repository(settings, environ)
        if given.reload:
            check_watchable(repository)
        listeners = Listeners(_inherited(given.rest), _inherited(given.grpc))
        server = self._server = Server(
            settings,
            repository,
            reload=given.reload,
            listeners=listeners,
            peers=SupervisedPeers(self._channel),
        )
        server.state.set_peers_ready(ready=self._peers_ready)
        if given.opens_first:
            await server.open()
        loading = asyncio.ensure_future(server.load_models())
        stopping = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait({loading, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if self._stop.is_set():
            await give_up(loading)
            raise LoadError(SHUTTING_DOWN)
        loading.result()
        for change in given.changes:
            await self._repeat(server, change)
        self._loaded.set()
        # Before the answer, behind which the supervisor counts it among those that serve.
        self._channel.tell("ready", server.backend.dataplane.is_ready_itself())
        self._background = [asyncio.ensure_future(server.watch()), asyncio.ensure_future(self._report_ready(server))]
        entries = server.registry.entries()
        # What is watched may still be mended.
        fails = settings.load_models_at_startup and not given.reload and not server.backend.dataplane.model_names()
        failure = f"{server.root}: {nothing_to_serve(repository, entries)}" if fails else ""
        return Begun([ReportLine.of(each) for each in entries], failure)

    async def _repeat(self, server: Server, change: Change) -> None:
        """Make a change that the other processes have made before this one began."""
        if isinstance(change, Load) and not change.parameters and _is_loaded(server, change.name):
            return  # as it is in the repository now
        try:
            await server.backend.apply(_from_json(change))
        except SrvError as error:
            _logger.warning("%s cannot be repeated in a new process: %s", type(change).__name__, error.message)

    async def _open(self) -> None:
        """Accept connections, once what was changed meanwhile has been changed here, too."""
        while self._applying:
            await self._applied.wait()
        assert self._server is not None  # noqa: S101  # the supervisor calls this behind "begin"
        await self._server.open()

    async def _report_ready(self, server: Server) -> None:
        said: bool | None = None
        while True:
            changed = server.state.changes.next()
            ready = server.backend.dataplane.is_ready_itself()
            if ready is not said:
                self._channel.tell("ready", ready)
                said = ready
            await changed.wait()

    # ---- What the supervisor asks for

    def _set_peers_ready(self, ready: bool) -> None:  # noqa: FBT001  # the message has nothing else
        self._peers_ready = ready
        if self._server is not None:
            self._server.state.set_peers_ready(ready=ready)

    async def _apply(self, change: Change) -> None:
        self._applying += 1
        self._applied.clear()
        try:
            await self._loaded.wait()
            assert self._server is not None  # noqa: S101  # it has loaded its models
            await self._server.backend.apply(_from_json(change))
        finally:
            self._applying -= 1
            if not self._applying:
                self._applied.set()

    async def _statistics(self, asked: Ask) -> list[bytes]:
        if self._server is None:
            return []
        try:
            return [bytes(each) for each in self._server.backend.dataplane.statistics(asked.name, asked.version)]
        except InvalidInput:
            return []  # not loaded here, or not yet

    async def _metrics(self) -> list[Family]:
        return [] if self._server is None else read_families(self._server.metrics.all_families())


def _inherited(descriptor: int) -> socket.socket:
    listener = socket.socket(fileno=descriptor)
    listener.set_inheritable(False)
    listener.setblocking(False)  # noqa: FBT003  # the socket module's own signature
    return listener


def _is_loaded(server: Server, name: str) -> bool:
    return any(entry.name == name and entry.loaded is not None for entry in server.registry.entries())


def _from_json(change: Change) -> Change:
    return Load(change.name, from_json(change.parameters)) if isinstance(change, Load) else change

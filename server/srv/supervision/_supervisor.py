"""Keeps server processes up on the same ports."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import TYPE_CHECKING, Final

import msgspec
from rich.console import Console
from rich.text import Text

from srv._changes import Change, Load, Unload
from srv._environment import read_environment
from srv._listening import Listeners
from srv._logging import configure_logging
from srv._report import print_report
from srv._settings import load_settings
from srv._status import INTERNAL_MESSAGE
from srv.rest._app import metrics_app
from srv.rest._http import HttpServer
from srv.supervision._channel import ChannelClosed
from srv.supervision._journal import Journal
from srv.supervision._messages import Ask
from srv.supervision._process import ServerProcess
from srv.supervision._samples import Family
from srv.supervision._totals import Totals
from srv_protocol.errors import InferenceError, SettingsError, SrvError

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from srv._settings import Settings
    from srv.supervision._messages import Begun

_logger: Final = logging.getLogger("srv")

_FAILED: Final = 1
# Starts of one process that may fail in a row, while no other serves.
_MOST_FAILURES: Final = 3
# Seconds before the second start, doubled each time, and at most.
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
# Seconds after which a process that dies has not been started in vain.
_LASTING: Final = 60.0
# Seconds beyond the settings' own that a process has to end.
_LAST_STEPS: Final = 10.0
# The settings of the ports and of their number: whoever changes them needs a new supervisor.
_FIXED: Final = (
    "processes",
    "host",
    "http_port",
    "grpc_port",
    "metrics_port",
    "http_uds",
    "grpc_uds",
    "metrics_endpoint",
)


class _StartFailed(Exception):
    """A process does not come up, however often it is started."""


class _Slot:
    """The place of one process, in which others follow it.

    Attributes:
        process: the one that accepts connections now.
        changing: held while another is put in its place.
        failures: how many in a row have died early.
    """

    def __init__(self) -> None:
        self.process: ServerProcess | None = None
        self.changing = asyncio.Lock()
        self.failures = 0

    @property
    def pause(self) -> float:
        """Seconds to wait before the next start."""
        return min(_FIRST_PAUSE * 2 ** (self.failures - 1), _LONGEST_PAUSE) if self.failures else 0.0


class Supervisor:
    """Holds the ports, and keeps ``processes`` servers up on them. Make it inside a running event loop."""

    def __init__(self, root: Path, settings: Settings, *, reload: bool) -> None:
        self._root = root
        self._settings = settings
        self._reload = reload
        self._slots = [_Slot() for _ in range(settings.processes)]
        # All that live, the oldest first.
        self._processes: dict[ServerProcess, None] = {}
        self._journal = Journal()
        self._turns: dict[str, asyncio.Lock] = {}
        self._totals = Totals(self._processes.keys())
        self._tasks: set[asyncio.Task[object]] = set()
        self._stopping = asyncio.Event()
        self._hasten = asyncio.Event()
        self._rolling = asyncio.Lock()
        self._begun = False
        self._ready = False
        self._status = 0
        self._last_end = ""

    async def run(self) -> int:
        """Serve until a signal; return the exit status.

        Raises:
            SettingsError: an address cannot be taken, or a setting is wrong.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        self._listeners = Listeners.open(self._settings)
        metrics: HttpServer | None = None
        if self._settings.metrics_endpoint and self._listeners.metrics is not None:
            app = metrics_app(self._settings.metrics_endpoint, self._totals.render)
            metrics = HttpServer(app, self._listeners.metrics)
            await metrics.start()
        following = asyncio.ensure_future(self._totals.follow())
        beginning = asyncio.ensure_future(self._begin())
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({beginning, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if beginning.done():
                self._status = beginning.result()
            if not self._status:
                await stopping
                _logger.info("stopping")
        except _StartFailed as error:
            _logger.error("%s", error)  # noqa: TRY400  # its text says all
            self._status = _FAILED
        finally:
            self._stopping.set()
            following.cancel()
            await self._stop_all()
            for task in (beginning, *self._tasks):
                task.cancel()
            await asyncio.gather(beginning, following, *self._tasks, return_exceptions=True)
            for process in list(self._processes):
                process.kill()
                await process.ended
            if metrics is not None:
                await metrics.stop(0)
        return self._status

    def _on_signal(self) -> None:
        if self._stopping.is_set():
            self._hasten.set()
            for process in self._processes:
                process.channel.tell("hasten")
        self._stopping.set()

    def _on_hangup(self) -> None:
        if self._begun and not self._stopping.is_set():
            self._spawn(self._roll())

    def _spawn(self, work: Coroutine[object, object, object]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, _StartFailed):
            _logger.error("%s", error)
            self._status = _FAILED
            self._stopping.set()
        elif error is not None:
            _logger.error("the supervisor failed", exc_info=error)

    # ---- Starts

    async def _begin(self) -> int:
        """Start all processes, and say what they serve; return the exit status if it is nothing."""
        begun = await asyncio.gather(*map(self._begin_one, self._slots))
        self._begun = True
        self._tell_ready()
        # Whoever reads that the server has started finds it ready.
        heard = (each.channel.call("ready", self._ready, type(None)) for each in list(self._processes))
        await asyncio.gather(*heard, return_exceptions=True)
        console = Console(stderr=True)
        # A model may have failed in one of them alone.
        lines = {
            (each.name, each.version, each.reason): each for one in reversed(begun) for each in reversed(one.lines)
        }
        print_report(console, sorted(lines.values(), key=lambda line: line[:2]), self._listeners.addresses)
        console.print(Text(f"{len(self._slots)} processes"))
        failures = [each.failure for each in begun if each.failure]
        if len(failures) == len(begun):
            _logger.error("%s", failures[0])
            return _FAILED
        return 0

    async def _begin_one(self, slot: _Slot) -> Begun:
        async with slot.changing:
            return await self._bring_up(slot, first=True)

    async def _bring_up(self, slot: _Slot, *, first: bool = False) -> Begun:
        """Put a process into a place; `first` is one that is seen from the beginning.

        Raises:
            _StartFailed: it has been tried often enough.
            SettingsError: a setting is wrong, at the start.
        """
        while True:
            await asyncio.sleep(slot.pause)
            if self._stopping.is_set():
                raise asyncio.CancelledError
            try:
                return await self._start(slot, first=first)
            except SettingsError as error:
                if first:
                    raise
                reason = error.message
            except (ChannelClosed, SrvError) as error:
                reason = getattr(error, "message", "")
            slot.failures += 1
            if self._stopping.is_set():
                raise asyncio.CancelledError
            _logger.error("a server process %s before it was up", reason or self._last_end)
            if slot.failures >= _MOST_FAILURES and (first or not any(each.process for each in self._slots)):
                raise _StartFailed(f"a server process failed to start {slot.failures} times in a row")

    async def _start(self, slot: _Slot, *, first: bool = False) -> Begun:
        process = ServerProcess(
            self._listeners,
            {
                "change": lambda body: self._change(process, msgspec.json.decode(body, type=Change)),
                "statistics": lambda body: self._statistics(msgspec.json.decode(body, type=Ask)),
                "ready": lambda body: self._note_ready(process, ready=msgspec.json.decode(body, type=bool)),
                "counted": lambda body: self._note_counted(process, msgspec.json.decode(body, type=list[Family])),
                "draining": lambda _: self._close_ports(),
            },
        )
        self._processes[process] = None
        self._spawn(self._watch(slot, process))
        if self._stopping.is_set():
            process.stop()
        try:
            begun = await process.begin(
                str(self._root), self._journal.changes(), reload=self._reload, opens_first=first
            )
            if not first:
                await process.open()
        except BaseException as error:
            if isinstance(error, SrvError):
                process.stop()
            elif not isinstance(error, ChannelClosed):
                process.kill()
                raise
            await process.wait_ended(_LAST_STEPS)
            self._last_end = process.how_it_ended()
            raise
        slot.process = process
        self._tell_ready()
        return begun

    async def _watch(self, slot: _Slot, process: ServerProcess) -> None:
        """Wait for the end of a process, and put another in its place if it should not have ended."""
        started = asyncio.get_running_loop().time()
        await process.ended
        self._totals.keep(process)
        del self._processes[process]
        if slot.process is not process:
            return
        slot.process = None
        self._tell_ready()
        if self._stopping.is_set() or process.is_leaving:
            return
        _logger.error("server process %d %s; another takes its place", process.pid, process.how_it_ended())
        lasted = asyncio.get_running_loop().time() - started >= _LASTING
        slot.failures = 0 if lasted else slot.failures + 1
        async with slot.changing:
            if slot.process is None:
                await self._bring_up(slot)

    # ---- One after the other

    async def _roll(self) -> None:
        """Put a new process in the place of each, one after the other; those that serve go on if one fails."""
        async with self._rolling:
            try:
                settings = load_settings(self._root, read_environment())
                configure_logging(settings)
            except SettingsError as error:
                _logger.error("the server goes on as it was: %s", error.message)  # noqa: TRY400  # its text says all
                return
            settings.log_warnings()
            for name in _FIXED:
                if getattr(settings, name) != getattr(self._settings, name):
                    _logger.warning("%s: its change has no effect before the next start", name)
            _logger.info("replacing the server processes")
            for slot in self._slots:
                if not await self._renew(slot):
                    return
            _logger.info("the server processes are replaced")

    async def _renew(self, slot: _Slot) -> bool:
        """Put a new process in the place of one, which ends when its clients have left it; return whether it is up."""
        async with slot.changing:
            before = slot.process
            try:
                await self._start(slot)
            except (ChannelClosed, SrvError) as error:
                reason = getattr(error, "message", "") or self._last_end
                _logger.error("a server process did not start, and the others go on: %s", reason)  # noqa: TRY400  # as above
                return False
            slot.failures = 0
        if before is not None:
            before.stop(replaced=True)
            await before.wait_ended(2 * self._patience)
        return True

    # ---- The end

    @property
    def _patience(self) -> float:
        settings = self._settings
        return settings.shutdown_delay + 2 * settings.shutdown_timeout + _LAST_STEPS

    async def _stop_all(self) -> None:
        for process in list(self._processes):
            process.stop()
        ending = asyncio.ensure_future(self._wait_all(self._patience))
        hastened = asyncio.ensure_future(self._hasten.wait())
        await asyncio.wait({ending, hastened}, return_when=asyncio.FIRST_COMPLETED)
        if hastened.done():
            await self._wait_all(_LAST_STEPS)
        hastened.cancel()
        await ending
        self._close_ports()

    async def _wait_all(self, patience: float) -> None:
        await asyncio.gather(*(each.wait_ended(patience) for each in list(self._processes)))

    def _close_ports(self) -> None:
        """Free the ports, once the processes that leave accept no more connections."""
        if self._stopping.is_set():
            self._listeners.remove_files()
            self._listeners.rest.close()
            self._listeners.grpc.close()

    # ---- What all of them have to do

    def _note_ready(self, process: ServerProcess, *, ready: bool) -> None:
        process.is_ready = ready
        self._tell_ready()

    def _note_counted(self, process: ServerProcess, families: list[Family]) -> None:
        process.families = families

    def _tell_ready(self) -> None:
        serving = [each.process for each in self._slots if each.process is not None]
        self._ready = self._begun and bool(serving) and all(each.is_ready for each in serving)
        for process in self._processes:
            process.channel.tell("ready", self._ready)

    async def _change(self, origin: ServerProcess, change: Change) -> None:
        """Make a change in the process that a client has asked, then in all others.

        Raises:
            SrvError: it failed in the first, and is made nowhere.
            InferenceError: it failed in others, which are replaced: they would answer differently.
        """
        key = change.name if isinstance(change, (Load, Unload)) else ""  # which is no model's name
        async with self._turns.setdefault(key, asyncio.Lock()):
            await origin.channel.call("apply", change, type(None))
            self._journal.record(change)
            # No process can begin between these two lines: it either has it from the journal, or is told here.
            others = [each for each in self._processes if each is not origin and not each.ended.done()]
            answers = {each: each.channel.call("apply", change, type(None)) for each in others}
            # Nobody waits for one that loads its models: no client can come to it.
            for process in [each for each in others if not each.has_begun]:
                self._spawn(self._heed(process, answers.pop(process)))
            outcomes = await asyncio.gather(*answers.values(), return_exceptions=True)
        failed = {
            each: error
            for each, error in zip(answers, outcomes, strict=True)
            if isinstance(error, Exception) and not isinstance(error, ChannelClosed)
        }
        for process in failed:
            self._spawn(self._replace(process))
        if failed:
            reason = next((each.message for each in failed.values() if isinstance(each, SrvError)), INTERNAL_MESSAGE)
            raise InferenceError(
                f"done in {len(answers) + 1 - len(failed)} of {len(answers) + 1} server processes; the others are "
                f"replaced: {reason}"
            )

    async def _heed(self, process: ServerProcess, answer: Coroutine[object, object, None]) -> None:
        """Replace a process if it cannot make a change that the others have made."""
        try:
            await answer
        except ChannelClosed:
            return
        except Exception as error:  # noqa: BLE001  # whatever it is, the process differs
            _logger.error("server process %d cannot follow the others: %s", process.pid, error)  # noqa: TRY400  # as above
            await self._replace(process)

    async def _replace(self, process: ServerProcess) -> None:
        for slot in self._slots:
            if slot.process is process:
                await self._renew(slot)
                return
        # It serves nobody yet, and whoever starts it tries again.
        process.kill()

    async def _statistics(self, asked: Ask) -> list[list[bytes]]:
        found = await asyncio.gather(
            *(each.channel.call("statistics", asked, list[bytes]) for each in self._processes if each.serves),
            return_exceptions=True,
        )
        return [each for each in found if isinstance(each, list)]

"""One worker process, as the server sees it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
from typing import TYPE_CHECKING, Final

from srv._children import watch_child
from srv.workers._frames import Kind
from srv.workers._link import Link, LinkClosed
from srv.workers._messages import unpack_error
from srv_protocol.errors import WorkerFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from srv_codecs.handover import Bundle

_MOST_CALLS: Final = (1 << 32) - 1
# Seconds between the end of a process's socket and its own.
_LAST_STEPS: Final = 1.0
_ANSWERS: Final = frozenset((Kind.LOADED, Kind.RESPONSE, Kind.RESULT, Kind.END, Kind.ERROR))
"""What ends a call."""


class Reply:
    """What a worker has answered."""

    __slots__ = ("body", "header", "kind")

    def __init__(self, kind: Kind, header: object, body: memoryview) -> None:
        self.kind = kind
        self.header = header
        self.body = body


class Call:
    """A call that a worker has not ended.

    Attributes:
        reply: set by its next answer, or its error.
        ended: called once, when the worker is done with it; with what it has, if it dies.
        asked_more: called when the runtime wants a further request.
        left: when the last one left who waited for it, on the event loop's clock.
    """

    __slots__ = ("asked_more", "ended", "left", "reply")

    def __init__(self, reply: asyncio.Future[Reply], ended: Callable[[], None]) -> None:
        self.reply = reply
        self.ended = ended
        self.left: float | None = None
        self.asked_more: Callable[[], None] | None = None


class WorkerProcess:
    """A process, from its start to its death.

    Args:
        model: its name, for errors.
        command: what runs :func:`srv.workers._main.main`; its arguments, as JSON, come behind.
        arguments: these, without what only this class knows.
        variables: the process's whole environment.
        state_changed: called with what the runtime says of itself anew.
        counted: called with what the model's code has done with metrics.
        died: called once when the process has ended, however that was.

    Attributes:
        calls: the calls that it has not ended, by number.
        ready: whether requests may be sent.
        says_ready: whether its runtime says that it is ready.
        served: how many calls it has answered.
        was_busy: whether it had calls when it died.
    """

    def __init__(
        self,
        model: str,
        command: Sequence[str],
        arguments: Mapping[str, object],
        variables: Mapping[str, str],
        state_changed: Callable[[WorkerProcess, object], None],
        counted: Callable[[object], None],
        died: Callable[[WorkerProcess], None],
    ) -> None:
        self._model = model
        self._loop = asyncio.get_running_loop()
        self._state_changed = state_changed
        self._counted = counted
        self._died = died
        self._count = 0
        self._end_told = False
        self._pinged = 0.0
        self.calls: dict[int, Call] = {}
        self.ready = False
        self.says_ready = False
        self.served = 0
        self.was_busy = False
        self._reason = ""
        self._drained: asyncio.Future[None] | None = None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            try:
                given = {**arguments, "fd": theirs.fileno(), "parent": os.getpid()}
                self._process = subprocess.Popen(  # noqa: S603  # the interpreter of the model's own environment
                    [*command, json.dumps(given)],
                    stdin=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    env=dict(variables),
                )
            except BaseException:
                ours.close()
                raise
        self._ended = self._loop.create_future()
        watch_child(self._process, self._loop, self._take_end)
        self._link = Link(self._loop, ours, self._received, self._link_closed)
        self._link.open()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def is_dead(self) -> bool:
        """Whether the process has ended, or can never answer again."""
        return self._end_told

    # ---- Life and death

    def _take_end(self) -> None:
        # What it has answered before is answered.
        self._link.receive_all()
        self._link.close()
        self._tell_end()
        if not self._ended.done():
            self._ended.set_result(None)

    def _link_closed(self) -> None:
        self.ready = False
        # Who has closed its socket, and does not end, is of no use.
        if not self._ended.done():
            self._loop.call_later(_LAST_STEPS, self.kill)

    def _tell_end(self) -> None:
        if self._end_told:
            return
        self._end_told = True
        self.ready = False
        self.was_busy = bool(self.calls)
        calls, self.calls = list(self.calls.values()), {}
        for call in calls:
            call.ended()
            if not call.reply.done():
                call.reply.set_exception(self._failure())
        self._tell_drained()
        self._died(self)

    def _failure(self) -> WorkerFailed:
        return WorkerFailed(f"model '{self._model}': {self.how_it_ended()} before the request was answered")

    def how_it_ended(self) -> str:
        """Return what to say of the process's end."""
        if self._reason:
            return self._reason
        status = self._process.returncode
        if status is None:
            return "its worker process closed its socket"
        if status >= 0:
            return f"its worker process ended (exit status {status})"
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        return f"its worker process was killed ({name})"

    def kill(self, reason: str = "") -> None:
        """End the process now; `reason` is what is said of it."""
        if self._process.poll() is None:
            self._reason = self._reason or reason
            self._process.kill()

    async def wait_dead(self) -> None:
        """Return when the process has ended."""
        await asyncio.shield(self._ended)

    async def end(self, patience: float) -> None:
        """Return when the process has ended; it is killed after `patience` seconds."""
        try:
            await asyncio.wait_for(self.wait_dead(), patience)
        except TimeoutError:
            self.kill()
            await self.wait_dead()

    # ---- Calls

    async def call(
        self, kind: Kind, header: object, bundle: Bundle | None, ended: Callable[[], None]
    ) -> tuple[int, Call]:
        """Begin a call; `ended` is called in any case.

        Raises:
            WorkerFailed: the process has ended.
            OSError: there is no shared memory left.
        """
        try:
            placed = None if bundle is None else await self._link.place(bundle)
            self._count = self._count % _MOST_CALLS + 1
            number = self._count
            self._link.send(kind, number, header, bundle, placed)
        except LinkClosed:
            ended()
            raise self._failure() from None
        except BaseException:
            ended()
            raise
        call = self.calls[number] = Call(self._loop.create_future(), ended)
        return number, call

    async def drain(self) -> None:
        """Return when all calls have ended."""
        while self.calls and not self.is_dead:
            if self._drained is None or self._drained.done():
                self._drained = self._loop.create_future()
            # Of all that wait.
            await asyncio.shield(self._drained)

    def tell(self, kind: Kind, number: int, header: object = None, bundle: Bundle | None = None) -> None:
        """Say something more of a call; nothing if the process has ended."""
        with contextlib.suppress(LinkClosed):
            self._link.send(kind, number, header, bundle)

    async def request(self, kind: Kind, header: object, bundle: Bundle | None, ended: Callable[[], None]) -> Reply:
        """Make a call and return its answer; one that is cancelled is cancelled there.

        Raises:
            WorkerFailed: the process ends before it answers.
            SrvError: of the project's own kinds, what the model's code has raised.
            WorkerCodeError: what else it has raised.
        """
        number, call = await self.call(kind, header, bundle, ended)
        try:
            return await call.reply
        except asyncio.CancelledError:
            self.leave(number, call)
            raise
        finally:
            # It holds an error, whose traceback holds this frame.
            del call

    def ask_next(self, number: int, call: Call) -> None:
        """Ask for the next response of a stream, which is `call`'s reply."""
        if self.calls.get(number) is call:
            self.tell(Kind.NEXT, number)
        else:
            call.reply.set_exception(self._failure())

    def leave(self, number: int, call: Call) -> None:
        """Say that nobody waits for a call any more, if it has not ended."""
        if self.calls.get(number) is call:
            call.left = self._loop.time()
            call.reply.cancel()
            self.tell(Kind.CANCEL, number)

    def _received(self, kind: Kind, number: int, header: object, body: memoryview) -> None:
        if kind is Kind.PONG:
            self._pinged = 0.0
            return
        if kind is Kind.FACTS:
            self._state_changed(self, header)
            return
        if kind is Kind.METRICS:
            self._counted(header)
            return
        call = self.calls.get(number)
        if call is None:
            return
        if kind is Kind.WANT_MORE:
            if call.asked_more is not None:
                call.asked_more()
            return
        if kind in _ANSWERS:
            del self.calls[number]
            self._tell_drained()
            self.served += kind is not Kind.LOADED
            call.ended()
        if call.reply.done():
            return
        if kind is Kind.ERROR and not header:
            # The model's code has cancelled its own task.
            call.reply.cancel()
        elif kind is Kind.ERROR:
            call.reply.set_exception(unpack_error(header))
        else:
            call.reply.set_result(Reply(kind, header, body))

    def _tell_drained(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    # ---- The watchdog

    def check(self, timeout: float) -> None:
        """Ask whether the process still answers, and kill it if it has not for `timeout` seconds.

        Or if it is as long with a call that nobody waits for: a plain function that hangs has the model's thread.
        """
        now = self._loop.time()
        if any(call.left is not None and now - call.left > timeout for call in self.calls.values()):
            self.kill(f"its worker process ran for {timeout:g} s what nobody waited for any more, and was killed")
        elif not self._pinged:
            self._pinged = now
            self.tell(Kind.PING, 0)
        elif now - self._pinged > timeout:
            self.kill(f"its worker process did not respond for {timeout:g} s and was killed")

"""One worker process, and what becomes of its calls when it ends."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from processes import children, open_files

from srv.workers._frames import Kind
from srv.workers._process import WorkerProcess
from srv_codecs.handover import Bundle
from srv_protocol.errors import WorkerFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

# Echoes each request, and does what its header says.
CODE = """
import asyncio, json, os, signal, socket, sys, time
import numpy as np
given = json.loads(sys.argv[1])
sys.path[:] = given["path"]
from srv.workers._frames import Kind
from srv.workers._link import Link
from srv_codecs.handover import Bundle

async def main():
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    def received(kind, call, header, body):
        if kind is Kind.PING:
            link.send(Kind.PONG)
        elif header == "exit":
            os._exit(5)
        elif header == "answer and exit":
            for number in range(1, call + 1):
                link.send(Kind.RESPONSE, number, "last")
            os._exit(0)
        elif header == "close":
            link.close()
        elif header == "hang":
            time.sleep(3600)
        elif header == "wait":
            pass
        elif kind is Kind.CANCEL:
            link.send(Kind.ERROR, call, {})
        else:
            bundle = Bundle()
            if len(body):
                bundle.add_array(np.frombuffer(body, np.uint8))
            link.send(Kind.RESPONSE, call, header, bundle)
    link = Link(loop, socket.socket(fileno=given["fd"]), received, over.set)
    link.open()
    await over.wait()
    if given["lingers"]:
        time.sleep(3600)

asyncio.run(main())
"""


def _ignore(_worker: WorkerProcess, _state: object) -> None:
    pass


class Watched:
    """A process, and what was told of it."""

    def __init__(self, *, lingers: bool = False) -> None:
        self.deaths = 0
        command = [sys.executable, "-c", CODE]
        arguments = {"path": sys.path, "lingers": lingers}
        self.process = WorkerProcess("model", command, arguments, os.environ, _ignore, lambda _: None, self._died)
        self.ended: list[object] = []

    def _died(self, _: WorkerProcess) -> None:
        self.deaths += 1

    async def ask(self, header: object, data: Any = None) -> Any:
        bundle = Bundle()
        if data is not None:
            bundle.add_array(data)
        return await self.process.request(Kind.PREDICT, header, bundle, lambda: self.ended.append(header))


def run(test: Callable[[Watched], Awaitable[None]], *, lingers: bool = False) -> None:
    async def main() -> None:
        watched = Watched(lingers=lingers)
        try:
            async with asyncio.timeout(60):
                await test(watched)
        finally:
            watched.process.kill()
            await watched.process.wait_dead()
        await asyncio.sleep(0)
        assert watched.deaths == 1

    before = open_files(), children(os.getpid())
    asyncio.run(main())
    assert (open_files(), children(os.getpid())) == before


def test_calls_overlap_and_each_has_its_own_answer() -> None:
    async def test(watched: Watched) -> None:
        sizes = [0, 1, 1 << 10, 1 << 17, 1 << 23] * 3
        data = [np.random.default_rng(size).integers(0, 256, size, np.uint8) for size in sizes]
        replies = await asyncio.gather(*(watched.ask(str(index), each) for index, each in enumerate(data)))
        for index, (reply, each) in enumerate(zip(replies, data, strict=True)):
            assert reply.header == str(index)
            assert bytes(reply.body) == each.tobytes()
        assert watched.process.calls == {}
        assert len(watched.ended) == len(sizes)

    run(test)


def test_the_end_of_a_process_is_an_error_of_its_calls() -> None:
    async def test(watched: Watched) -> None:
        waiting = [asyncio.ensure_future(watched.ask("wait")) for _ in range(3)]
        await watched.ask("here")
        with pytest.raises(
            WorkerFailed, match=r"^model 'model': its worker process ended \(exit status 5\) before the"
        ):
            await watched.ask("exit")
        for each in waiting:
            with pytest.raises(WorkerFailed, match="exit status 5"):
                await each
        with pytest.raises(WorkerFailed, match="exit status 5"):
            await watched.ask("late")
        assert sorted(map(str, watched.ended)) == ["exit", "here", "late", "wait", "wait", "wait"]

    run(test)


def test_what_was_answered_before_the_end_is_answered() -> None:
    """Whichever of the two the server sees first."""

    async def test(watched: Watched) -> None:
        calls = [asyncio.ensure_future(watched.ask("wait")) for _ in range(20)]
        await asyncio.sleep(0)
        last = asyncio.ensure_future(watched.ask("answer and exit"))
        await asyncio.sleep(0)
        # The end is seen first.
        asyncio.get_running_loop().remove_reader(watched.process._link._socket.fileno())
        assert [(await each).header for each in (*calls, last)] == ["last"] * 21

    run(test)


def test_who_closes_its_socket_and_does_not_end_is_killed() -> None:
    async def test(watched: Watched) -> None:
        with pytest.raises(WorkerFailed, match="before the request was answered"):
            await watched.ask("close")

    run(test, lingers=True)


def test_a_process_that_does_not_respond_is_killed() -> None:
    async def test(watched: Watched) -> None:
        await watched.ask("here")
        for _ in range(3):
            watched.process.check(1000)
            await watched.ask("between")
        asking = asyncio.ensure_future(watched.ask("hang"))
        while not asking.done():
            watched.process.check(0.05)
            await asyncio.sleep(0.01)
        with pytest.raises(WorkerFailed, match=r"did not respond for 0\.05 s and was killed before the request"):
            await asking

    run(test)


def test_who_leaves_cancels_the_call_and_its_end_is_awaited() -> None:
    async def test(watched: Watched) -> None:
        asking = asyncio.ensure_future(watched.ask("wait"))
        await watched.ask("here")
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.gather(watched.process.drain(), watched.process.drain())
        assert watched.process.calls == {}
        assert watched.ended == ["here", "wait"]

    run(test)


def test_a_command_that_cannot_be_run_leaves_nothing_behind() -> None:
    async def main() -> None:
        with pytest.raises(FileNotFoundError):
            WorkerProcess("model", ["/nowhere/python"], {}, {}, _ignore, lambda _: None, lambda _: None)

    before = open_files()
    asyncio.run(main())
    assert open_files() == before

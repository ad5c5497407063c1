"""A connection is closed once its client has sent nothing for a while, counted from its last answer."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, Self

from serving import PATIENCE

from srv.rest._http import KEEP_ALIVE, HttpServer

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose time a test may let pass."""

    passed = 0.0

    def time(self) -> float:
        return super().time() + self.passed

    async def let_pass(self, seconds: float) -> None:
        """Return when all timers that are due then have run."""
        self.passed += seconds
        due = self.create_future()
        self.call_at(self.time(), due.set_result, None)
        await due


class Client:
    """One connection to a server of whose answers each waits for `answering`."""

    def __init__(self) -> None:
        self.answering = asyncio.Event()
        self.answering.set()
        self.asked = asyncio.Event()

    async def __aenter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", 0))

        # A function, as uvicorn takes a method for what ASGI 2 had.
        async def app(scope: Any, receive: Any, send: Any) -> None:
            del scope, receive
            self.asked.set()
            await self.answering.wait()
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"ok"})

        self._server = HttpServer(app, listener)
        await self._server.start()
        opened = await asyncio.open_connection(*listener.getsockname())
        self._reader: StreamReader = opened[0]
        self._writer: StreamWriter = opened[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        await self._server.stop(PATIENCE)

    def send(self, data: bytes = REQUEST) -> None:
        self._writer.write(data)

    async def take_answer(self) -> None:
        assert await self._reader.readexactly(len(ANSWER)) == ANSWER

    async def ask(self) -> None:
        self.send()
        await self.take_answer()

    async def is_closed(self) -> bool:
        return await asyncio.wait_for(self._reader.read(), PATIENCE) == b""


def run(test: Any) -> None:
    """Run a test that is given the loop and a client."""

    async def run_test() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Loop)
        async with Client() as client:
            await test(loop, client)

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(run_test())


def test_a_connection_that_is_used_stays_open() -> None:
    async def test(loop: Loop, client: Client) -> None:
        for _ in range(5):
            await client.ask()
            await loop.let_pass(KEEP_ALIVE - 5)
        await client.ask()

    run(test)


def test_a_connection_is_closed_when_its_client_has_been_idle_since_its_last_answer() -> None:
    async def test(loop: Loop, client: Client) -> None:
        await client.ask()
        await loop.let_pass(KEEP_ALIVE - 5)
        await client.ask()
        # The first answer's time is over here, and not the second's.
        await loop.let_pass(KEEP_ALIVE - 5)
        await client.ask()
        await loop.let_pass(KEEP_ALIVE + 1)
        assert await client.is_closed()

    run(test)


def test_a_request_that_takes_longer_is_answered() -> None:
    async def test(loop: Loop, client: Client) -> None:
        await client.ask()
        client.asked.clear()
        client.answering.clear()
        client.send()
        await client.asked.wait()
        await loop.let_pass(3 * KEEP_ALIVE)
        client.answering.set()
        await client.take_answer()
        await loop.let_pass(KEEP_ALIVE - 5)
        await client.ask()
        await loop.let_pass(KEEP_ALIVE + 1)
        assert await client.is_closed()

    run(test)

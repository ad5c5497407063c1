"""HTTP/1.1 on asyncio: connections of one call at a time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from srv._buffers import join_small
from srv.client._async_pool import ClientProtocol, LoopBound, connect, wait_for
from srv.client._errors import ConnectionLost
from srv.client._http1 import EventReader, Heads, ReplyReader
from srv_protocol.errors import SrvError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from srv.client._call import Call, Reply
    from srv.client._deadline import Deadline
    from srv.client._options import Options

_OK: Final = 200
# Parts that are shorter are joined with their neighbours: a copy costs less than another write.
_SMALL: Final = 1 << 16
# Of a stream: bytes that wait for who reads it.
_TOO_MUCH: Final = 1 << 20


class _Connection(ClientProtocol):
    """A connection of one call at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._reader = ReplyReader()
        self._reader.complete = True
        self._waiter: asyncio.Future[None] | None = None
        self._fault: SrvError | None = None
        self._paused = False
        self.usable = True

    # What the transport says.

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next bytes go."""
        del sizehint
        return self._reader.room()

    def buffer_updated(self, nbytes: int) -> None:
        """Take what has come."""
        if self._reader.complete:
            # Nobody has asked for it.
            self.usable = False
            self.transport.abort()
            return
        done = False
        try:
            done = self._reader.take(nbytes)
        except SrvError as error:
            self._fault = error
        if self._reader.waiting > _TOO_MUCH and not self._paused:
            self._paused = True
            self.transport.pause_reading()
        if done or self._reader.streams or self._fault is not None:
            self._wake()

    def eof_received(self) -> None:
        """Let the transport close."""
        self._end("")

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits."""
        self._end(f": {exc}" if exc else "")
        super().connection_lost(exc)

    def _end(self, why: str) -> None:
        self.usable = False
        if not self._reader.complete and self._fault is None:
            try:
                self._reader.end()
            except ConnectionLost as error:
                sent = not self.transport.get_write_buffer_size()
                self._fault = ConnectionLost(f"{error}{why}", begun=sent)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # What the caller does.

    def begin(self, parts: Sequence[bytes | memoryview]) -> None:
        """Send a request."""
        self.usable = False
        self._reader.begin()
        for piece in join_small(parts, _SMALL):
            self.transport.write(piece)

    async def _wait(self, deadline: Deadline) -> None:
        """Return when there is something new.

        Raises:
            DeadlineExceeded: it takes too long.
            And what is wrong with the connection.
        """
        if self._fault is None:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await wait_for(self._waiter, deadline)
            finally:
                self._waiter = None
        if self._fault is not None and not self._reader.complete:
            raise self._fault

    def _finish(self) -> None:
        # A server may answer before it has all of a request; then the rest of it would be the next one's.
        unsent = self.transport.get_write_buffer_size()
        self.usable = self._reader.reusable and not unsent and not self.transport.is_closing()

    async def reply(self, deadline: Deadline) -> Reply:
        """Return the whole reply."""
        while not self._reader.complete:
            await self._wait(deadline)
        self._finish()
        return self._reader.reply

    async def events(self, deadline: Deadline) -> AsyncGenerator[Reply]:
        """Yield the events of a reply, or the reply if it is no stream of them."""
        reader, events = self._reader, EventReader()
        while not (reader.complete or reader.streams):
            await self._wait(deadline)
        if (not reader.streams and not reader.waiting) or reader.reply.status != _OK:
            yield await self.reply(deadline)
            return
        while True:
            # Asked before: while somebody has an event, the others come.
            complete = reader.complete
            for event in events.feed(reader.pieces()):
                yield reader.reply._replace(body=memoryview(event))
            if complete:
                self._finish()
                return
            if self._paused:
                self._paused = False
                self.transport.resume_reading()
            if not (reader.waiting or reader.complete):
                await self._wait(deadline)


class Http1Transport(LoopBound):
    """Carries calls on a pool of connections."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        self._options = options
        self._heads = Heads(options.endpoint.authority, options.headers)
        self._idle: list[_Connection] = []
        self._all: set[_Connection] = set()
        self._free = asyncio.Semaphore(options.connections)

    @asynccontextmanager
    async def _connection(self, deadline: Deadline) -> AsyncGenerator[_Connection]:
        made = await self._take(deadline)
        try:
            yield made
        finally:
            self._give(made)

    async def _take(self, deadline: Deadline) -> _Connection:
        self.enter()
        if self._free.locked():
            try:
                async with asyncio.timeout(deadline.left()):
                    await self._free.acquire()
            except TimeoutError:
                raise deadline.exceeded() from None
        else:
            await self._free.acquire()
        try:
            while self._idle:
                found = self._idle.pop()
                if found.usable and not found.has_unread():
                    return found
                found.transport.abort()
            made = await connect(_Connection, self._options, deadline)
        except BaseException:
            self._free.release()
            raise
        self._all.add(made)
        made.closed.add_done_callback(lambda _: self._all.discard(made))
        return made

    def _give(self, connection: _Connection) -> None:
        if connection.usable and not self._closed:
            self._idle.append(connection)
        else:
            connection.transport.abort()
        self._free.release()

    async def run(self, call: Call[Any], deadline: Deadline) -> Reply:
        """Return the reply to a call."""
        made = await self._take(deadline)
        try:
            made.begin((self._heads.render(call), *call.body))
            return await made.reply(deadline)
        finally:
            self._give(made)

    async def stream(self, call: Call[Any], deadline: Deadline) -> AsyncGenerator[Reply]:
        """Yield the replies to a call."""
        async with self._connection(deadline) as made:
            made.begin((self._heads.render(call), *call.body))
            async for reply in made.events(deadline):
                yield reply

    async def aclose(self) -> None:
        """End all connections and calls."""
        self._closed = True
        self._idle.clear()
        for each in list(self._all):
            await each.aclose()

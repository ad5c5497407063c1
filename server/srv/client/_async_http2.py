"""gRPC on asyncio: one connection for all calls."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from srv._buffers import join_small
from srv.client._async_pool import ClientProtocol, LoopBound, connect, wait_for
from srv.client._errors import ConnectionLost
from srv.client._http2 import GrpcStream, RequestHeads
from srv.http2._client import ClientConnection
from srv.http2._errors import ErrorCode
from srv.http2._events import (
    ConnectionFailed,
    DataReceived,
    GoingAway,
    ResponseReceived,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from srv.client._call import Call, HeaderItems, Reply
    from srv.client._deadline import Deadline
    from srv.client._options import Options
    from srv.http2._events import Event

_ROOM: Final = 1 << 18
_SMALL: Final = 1 << 14


class _Stream(GrpcStream):
    """A call, and who waits for it."""

    __slots__ = ("sent", "waiter")

    def __init__(self, stream_id: int) -> None:
        super().__init__(stream_id)
        self.waiter: asyncio.Future[None] | None = None
        self.sent = False

    def wake(self) -> None:
        """Let who waits look again."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)


class _Connection(ClientProtocol):
    """A connection of many calls."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._http2 = ClientConnection()
        self._view = memoryview(bytearray(_ROOM))
        self._streams: dict[int, _Stream] = {}
        self._flushing = False
        # Those that wait until the server takes another call.
        self._queue: list[asyncio.Future[None]] = []
        self.usable = True

    # What the transport says.

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next bytes go: what is left of a large message, to its place."""
        del sizehint
        under_way, missing = self._http2.data_under_way
        stream = self._streams.get(under_way) if under_way else None
        self._where = (stream.room(missing) if stream is not None else None) or self._view
        return self._where

    def buffer_updated(self, nbytes: int) -> None:
        """Take what has come."""
        for event in self._http2.receive_data(self._where[:nbytes]):
            self._take(event)
        self._flush_soon()

    def _take(self, event: Event) -> None:
        if isinstance(event, (DataReceived, TrailersReceived, ResponseReceived, StreamReset)):
            stream = self._streams.get(event.stream_id)
            if stream is not None:
                stream.take(event)
                stream.refill(self._http2)
                if stream.messages or stream.ended:
                    stream.wake()
            return
        match event:
            case WindowUpdated():
                for stream in self._streams.values():
                    if not stream.sent:
                        stream.wake()
            case GoingAway():
                self._go_away(event.last_stream_id)
            case ConnectionFailed():
                self._fail(f"the server breaks the rules of HTTP/2: {event.reason}")
                self._flush()
                self.transport.close()
            case _:
                pass

    def _go_away(self, last_stream_id: int) -> None:
        self.usable = False
        self._wake_queue()
        for stream in self._streams.values():
            if stream.id > last_stream_id:
                stream.fail(ConnectionLost("the server is going away and has not begun the call", begun=False))
                stream.wake()
        self._close_if_idle()

    def _close_if_idle(self) -> None:
        if not self.usable and not self._streams:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell all calls."""
        self._fail(f"the connection ended without an answer{f': {exc}' if exc else ''}")
        super().connection_lost(exc)

    def _fail(self, text: str) -> None:
        self.usable = False
        self._wake_queue()
        for stream in self._streams.values():
            stream.fail(ConnectionLost(text, begun=stream.sent))
            stream.wake()

    def _wake_queue(self) -> None:
        queue, self._queue = self._queue, []
        for each in queue:
            if not each.done():
                each.set_result(None)

    def _flush_soon(self) -> None:
        """Write what there is to be written in the next turn of the event loop: that of several calls at once."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        out = self._http2.data_to_send()
        if out and not self.transport.is_closing():
            for piece in join_small(out, _SMALL):
                self.transport.write(piece)

    # What callers do.

    def is_idle(self) -> bool:
        """Whether there is no call."""
        return not self._streams

    async def open(self, headers: HeaderItems, deadline: Deadline) -> _Stream | None:
        """Begin a call, as soon as the server takes another one; ``None`` when it takes none any more."""
        while self.usable and self._http2.open_streams >= self._http2.max_streams:
            waiter = self._loop.create_future()
            self._queue.append(waiter)
            await wait_for(waiter, deadline)
        if self._http2.exhausted:
            self.usable = False
        if not self.usable:
            return None
        stream = _Stream(self._http2.open_stream(headers))
        self._streams[stream.id] = stream
        return stream

    async def send(self, stream: _Stream, body: Sequence[bytes | memoryview], deadline: Deadline) -> None:
        """Send a request, or as much of it as the server wants before it answers."""
        last = len(body) - 1
        for index, part in enumerate(body):
            left = part
            while not stream.ended:
                sent = self._http2.send_data(stream.id, left, end_stream=index == last)
                if sent == len(left):
                    break
                left = memoryview(left)[sent:]
                await self.wait(stream, deadline)
        stream.sent = not stream.ended
        self._flush_soon()

    async def wait(self, stream: _Stream, deadline: Deadline) -> None:
        """Return when something of a call is new."""
        self._flush_soon()
        stream.waiter = self._loop.create_future()
        try:
            await wait_for(stream.waiter, deadline)
        finally:
            stream.waiter = None

    def refill(self, stream: _Stream) -> None:
        """Let the server send more, once messages are taken."""
        stream.refill(self._http2)

    def release(self, stream: _Stream) -> None:
        """Forget a call, and tell the server if it has not ended."""
        del self._streams[stream.id]
        if not self.transport.is_closing():
            self._http2.reset_stream(stream.id, ErrorCode.CANCEL)
            self._flush_soon()
            self._close_if_idle()
        self._wake_queue()


class Http2Transport(LoopBound):
    """Carries calls on one connection, which is made anew when the server ends it."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        self._options = options
        self._heads = RequestHeads(options.endpoint.authority, options.headers, tls=options.endpoint.tls)
        self._current: _Connection | None = None
        self._all: set[_Connection] = set()
        self._making = asyncio.Lock()

    async def _connection(self, deadline: Deadline) -> _Connection:
        current = self._current
        if current is not None and current.is_idle() and current.has_unread():
            # Perhaps its end, which the event loop has had no time to see.
            await asyncio.sleep(0)
        if current is not None and current.usable:
            return current
        async with self._making:
            current = self._current
            if current is not None and current.usable:
                return current
            made = await connect(_Connection, self._options, deadline)
            self._all.add(made)
            made.closed.add_done_callback(lambda _: self._all.discard(made))
            self._current = made
            return made

    async def _begin(self, call: Call[Any], deadline: Deadline) -> tuple[_Connection, _Stream]:
        self.enter()
        headers = self._heads.make(call, deadline)
        while True:
            connection = await self._connection(deadline)
            stream = await connection.open(headers, deadline)
            if stream is not None:
                return connection, stream

    async def run(self, call: Call[Any], deadline: Deadline) -> Reply:
        """Return the reply to a call."""
        connection, stream = await self._begin(call, deadline)
        try:
            await connection.send(stream, call.body, deadline)
            while not stream.ended:
                await connection.wait(stream, deadline)
        finally:
            connection.release(stream)
        return stream.reply()

    async def stream(self, call: Call[Any], deadline: Deadline) -> AsyncGenerator[Reply]:
        """Yield the replies to a call."""
        connection, stream = await self._begin(call, deadline)
        try:
            await connection.send(stream, call.body, deadline)
            while True:
                while stream.messages:
                    yield stream.next_reply()
                if stream.ended:
                    break
                connection.refill(stream)
                await connection.wait(stream, deadline)
        finally:
            connection.release(stream)
        if stream.error is not None:
            raise stream.error

    async def aclose(self) -> None:
        """End all connections and calls."""
        self._closed = True
        for each in list(self._all):
            await each.aclose()

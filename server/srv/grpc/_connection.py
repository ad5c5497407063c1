"""grpclib's transport, mended where a client could make it fail, and with messages that are received where they stay.

The transport of our own is :mod:`srv.grpc.native`; this one is the other choice of the setting ``grpc_transport``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, cast

import grpclib.protocol
from grpclib.protocol import EventsProcessor, H2Protocol
from h2.events import DataReceived, Event

from srv._buffers import new_buffer
from srv.grpc._head import read_metadata
from srv.grpc._messages import PREFIX, Packed, too_large, truncated
from srv_codecs.compression import IDENTITY

if TYPE_CHECKING:
    from asyncio import BaseTransport
    from collections.abc import Callable, Mapping, Sequence

    from grpclib.utils import Wrapper

    from srv.grpc._handler import ConnectionHandler
    from srv_protocol.inference import Headers


class Buffer:
    """What a call has received; it is acknowledged when it is read, so that a client sends no more than is wanted."""

    def __init__(self, acknowledge: Callable[[int], None], limit: int) -> None:
        self._acknowledge = acknowledge
        self._limit = limit
        self._frames: deque[tuple[bytes, int]] = deque()
        # What the last reader has left of a frame, which is acknowledged when nothing is left of it.
        self._rest = memoryview(b"")
        self._owed = 0
        # What a reader waits for: the part of its buffer that is still empty.
        self._empty: memoryview | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._ended = self._stopped = False

    def add(self, data: bytes, acknowledged_size: int) -> None:
        """Take the data of a frame."""
        if not self._empty:
            self._frames.append((data, acknowledged_size))
            return
        self._rest, self._owed = memoryview(data), acknowledged_size
        self._fill()

    def eof(self) -> None:
        """Take note that there is no more."""
        self._ended = True
        self._wake()

    def stop(self) -> None:
        """Take no message that is not complete: there is none behind those that are."""
        self._stopped = True
        self._wake()

    def unacked_size(self) -> int:
        """Return how much has not been read, and drop it."""
        size = self._owed + sum(size for _, size in self._frames)
        self._owed = 0
        self._frames.clear()
        return size

    def take(self, size: int) -> memoryview | None:
        """Return the next bytes as a view, if they are here and in one piece."""
        while not self._rest and self._frames:
            self._begin_frame()
            self._end_frame()  # one of padding alone
        if len(self._rest) < size:
            return None
        taken, self._rest = self._rest[:size], self._rest[size:]
        self._end_frame()
        return taken

    async def next_message(self) -> Packed | None:
        """Return the next message, as :class:`srv.grpc._messages.Messages` has it.

        A large one is received into one buffer, which its frames are copied to as they come.
        """
        prefix = self.take(PREFIX.size) or await self.read(PREFIX.size)
        if not prefix:
            return None
        if len(prefix) < PREFIX.size:
            self._check_cut()
            return None
        compressed, size = PREFIX.unpack(prefix)
        if size > self._limit:
            raise too_large(size, self._limit)
        data = self.take(size)
        if data is None:
            buffer = new_buffer(size)
            if await self.read_into(buffer) < size:
                self._check_cut()
                return None
            data = buffer.toreadonly()
        elif size < len(cast("bytes", data.obj)) // 2:
            # Whoever keeps a small message must not keep the large piece that it came in.
            data = memoryview(bytes(data))
        return Packed(compressed, data)

    def _check_cut(self) -> None:
        if self._ended:
            # END_STREAM came before the bytes that the prefix claims.
            raise truncated()

    async def is_at_end(self) -> bool:
        """Whether nothing else comes; returns when that is known."""
        return (self._ended and not self._rest and not self._frames) or not await self.read(1)

    async def read_into(self, buffer: memoryview) -> int:
        """Fill a buffer, and return how many bytes are in it: fewer than asked for at the end alone."""
        self._empty = buffer
        try:
            self._fill()
            while self._empty and self._frames:
                self._begin_frame()
                self._fill()
            if self._empty and not (self._ended or self._stopped):
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter
            return len(buffer) - len(self._empty)
        finally:
            self._empty = self._waiter = None

    async def read(self, size: int) -> bytes:
        """Return the next bytes, fewer at the end alone."""
        taken = self.take(size)
        if taken is not None:
            return bytes(taken)
        buffer = bytearray(size)
        return bytes(buffer[: await self.read_into(memoryview(buffer))])

    def _begin_frame(self) -> None:
        data, self._owed = self._frames.popleft()
        self._rest = memoryview(data)

    def _end_frame(self) -> None:
        if self._owed and not self._rest:
            self._acknowledge(self._owed)
            self._owed = 0

    def _fill(self) -> None:
        empty, rest = cast("memoryview", self._empty), self._rest
        size = min(len(empty), len(rest))
        empty[:size] = rest[:size]
        self._empty, self._rest = empty[size:], rest[size:]
        self._end_frame()
        if size == len(empty):
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Stream(grpclib.protocol.Stream):
    """One call."""

    connection: Connection
    encoding = IDENTITY
    received_headers: Sequence[tuple[str, str]] = ()

    def read_headers(self) -> Headers:
        """Return the call's metadata."""
        return read_metadata(self.received_headers)

    @property
    def left(self) -> bool:
        """Whether the client has reset the call, or its deadline is over: grpclib then says why it cancels."""
        return self.wrapper is not None and bool(self.wrapper.cancelled)

    def init_stream(self, stream_id: int, connection: grpclib.protocol.Connection) -> None:
        """Begin, with a buffer of our own."""
        self.id = stream_id
        limit = cast("Connection", connection).max_message_size
        self.buffer: Buffer = Buffer(partial(connection.ack, stream_id), limit)  # type: ignore[assignment]
        connection.streams_started += 1
        self.created = connection.last_stream_created = monotonic()


class Connection(grpclib.protocol.Connection):
    """What the calls of one client share."""

    max_message_size = 0

    def create_stream(self, *, stream_id: int | None = None, wrapper: Wrapper | None = None) -> Stream:
        """Return a new call."""
        return Stream(self, self._connection, self._transport, stream_id=stream_id, wrapper=wrapper)

    def close(self) -> None:
        """Write what is left, the reason for which it closes too, and close."""
        if not self.is_closing():
            self.flush()
        super().close()


class ConnectionProtocol(H2Protocol):
    """A connection that ignores what it does not know (RFC 9113, section 5.5), and DATA frames without data.

    grpclib's would end at the first, and take the second for the end of the request.
    """

    handler: ConnectionHandler

    def connection_made(self, transport: BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        made = self.connection
        self.connection = Connection(made._connection, made._transport, config=self.config)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # grpclib makes its own
        self.connection.max_message_size = self.handler.codec.max_size
        self.processor = EventsProcessor(self.handler, self.connection)
        known = cast("Mapping[type[Event], Callable[[Event], None]]", self.processor.processors)
        take_data = known[DataReceived]

        def take(event: Event) -> None:
            if not isinstance(event, DataReceived) or event.flow_controlled_length:
                take_data(event)

        vars(self.processor)["processors"] = _Ignoring({**known, DataReceived: take})


class _Ignoring(dict[type[Event], "Callable[[Event], None]"]):
    def __missing__(self, _: type[Event]) -> Callable[[Event], None]:
        return _ignore


def _ignore(_: Event) -> None:
    pass

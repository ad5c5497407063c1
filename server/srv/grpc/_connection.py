"""grpclib's connection, with fewer steps for each byte and for each call.

What belongs together is written together, and bytes are received where they are wanted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Final, cast

import grpclib.protocol
from grpclib.protocol import EventsProcessor, H2Protocol
from h2.connection import ConnectionState
from h2.events import DataReceived, Event
from h2.exceptions import StreamClosedError
from h2.settings import SettingCodes

from srv.grpc._frames import ServerConnection

if TYPE_CHECKING:
    from asyncio import BaseTransport, Transport
    from collections.abc import Callable, Mapping, Sequence

    from grpclib.config import Configuration
    from grpclib.utils import Wrapper

# Bytes of the largest frame that we ask for: clients that heed it spend less on each byte, and so do we.
_LARGEST_FRAME: Final = 1 << 18
# Bytes that are written at once: what others have to say waits meanwhile, and a socket that is full is noticed behind.
_BURST: Final = 1 << 20
# Bytes that wait for their companions at most: a handler that sends and sends is held up by the socket alone.
_GATHERED: Final = 1 << 16


class Buffer:
    """What a call has received; it is acknowledged when it is read, so that a client sends no more than is wanted."""

    def __init__(self, acknowledge: Callable[[int], None]) -> None:
        self._acknowledge = acknowledge
        self._frames: deque[tuple[bytes, int]] = deque()
        # What the last reader has left of a frame, which is acknowledged when nothing is left of it.
        self._rest = memoryview(b"")
        self._owed = 0
        # What a reader waits for: the part of its buffer that is still empty.
        self._empty: memoryview | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False

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

    def at_end(self) -> bool:
        """Whether the client has sent all, and all of it has been read."""
        return self._ended and not self._rest and not self._frames

    async def read_into(self, buffer: memoryview) -> int:
        """Fill a buffer, and return how many bytes are in it: fewer than asked for at the end alone."""
        self._empty = buffer
        try:
            self._fill()
            while self._empty and self._frames:
                self._begin_frame()
                self._fill()
            if self._empty and not self._ended:
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
    _h2_connection: ServerConnection

    def init_stream(self, stream_id: int, connection: grpclib.protocol.Connection) -> None:
        """Begin, with a buffer of our own."""
        self.id = stream_id
        self.buffer: Buffer = Buffer(partial(connection.ack, stream_id))  # type: ignore[assignment]
        connection.streams_started += 1
        self.created = connection.last_stream_created = monotonic()

    async def send_headers(self, headers: list[tuple[str, str]], end_stream: bool = False) -> None:  # noqa: FBT001, FBT002  # grpclib's signature
        """Send headers, together with what follows at once.

        Raises:
            StreamClosedError: the client does not wait for them any more.
        """
        connection = self.connection
        if not connection.write_ready.is_set():
            await connection.write_ready.wait()
        stream_id = cast("int", self.id)
        # h2 would take it for a new stream, and complain of its number.
        if stream_id not in self._h2_connection.streams:
            raise StreamClosedError(stream_id)
        self._h2_connection.send_headers(stream_id, headers, end_stream=end_stream)
        connection.flush_soon()
        connection.headers_send_process()

    async def send_data(self, data: bytes, end_stream: bool = False) -> None:  # noqa: FBT001, FBT002  # as above
        """Send a message, as fast as the client takes it.

        Raises:
            StreamClosedError: the client does not wait for it any more.
        """
        connection, http2 = self.connection, self._h2_connection
        stream_id = cast("int", self.id)
        rest = memoryview(data)
        while True:
            if not connection.write_ready.is_set():
                await connection.write_ready.wait()
            window = http2.local_flow_control_window(stream_id)
            if window <= 0 and rest:  # a change of the settings can make it negative
                self.window_updated.clear()
                await self.window_updated.wait()
                continue  # other calls may have used it up
            piece, rest = rest[: min(window, _BURST)], rest[min(window, _BURST) :]
            if len(piece) <= http2.max_outbound_frame_size:
                http2.send_data(stream_id, piece)
                connection.flush_soon(len(piece))
            else:
                connection.write(http2.frame(stream_id, piece))
            self.data_sent += len(piece)
            connection.data_sent += len(piece)
            connection.data_send_process()
            if not rest:
                break
        if end_stream:
            http2.end_stream(stream_id)
            connection.flush_soon()


class Connection(grpclib.protocol.Connection):
    """What the calls of one client share."""

    _connection: ServerConnection

    def __init__(self, connection: ServerConnection, transport: Transport, *, config: Configuration) -> None:
        super().__init__(connection, transport, config=config)
        self._loop = asyncio.get_running_loop()
        self._flush: asyncio.Handle | None = None
        self._gathered = 0
        # Stream -> bytes that it has read.
        self._read: dict[int, int] = {}

    def create_stream(self, *, stream_id: int | None = None, wrapper: Wrapper | None = None) -> Stream:
        """Return a new call."""
        return Stream(self, self._connection, self._transport, stream_id=stream_id, wrapper=wrapper)

    def ack(self, stream_id: int, size: int) -> None:
        """Give the client room for more, with the next flush."""
        if size:
            self._read[stream_id] = self._read.get(stream_id, 0) + size
            self.flush_soon()

    def flush_soon(self, size: int = 0) -> None:
        """Write what there is to be written in the next turn of the event loop, or now if that is much."""
        self._gathered += size
        if self._gathered > _GATHERED:
            self.flush()
        elif self._flush is None:
            self._flush = self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what there is to be written."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        self._gathered = 0
        if self.is_closing():
            return
        if self._read:
            self._acknowledge()
        super().flush()

    def write(self, frames: Sequence[bytes | memoryview]) -> None:
        """Write frames, behind what there is to be written."""
        # Not writelines(): asyncio's never pauses the protocol in 3.12.1 and 3.13.0, and uvloop joins these too.
        for each in (self._connection.data_to_send(), *frames):
            self._transport.write(each)

    def close(self) -> None:
        """Write what is left, the reason for which it closes too, and close."""
        self.flush()
        super().close()

    def _acknowledge(self) -> None:
        read, self._read = self._read, {}
        if self._connection.state_machine.state is not ConnectionState.CLOSED:
            for stream_id, size in read.items():
                self._connection.acknowledge_received_data(size, stream_id)


class ConnectionProtocol(H2Protocol):
    """A connection that ignores what it does not know (RFC 9113, section 5.5), and DATA frames without data.

    grpclib's would end at the first, and take the second for the end of the request.
    """

    def connection_made(self, transport: BaseTransport) -> None:
        """Begin."""
        http2 = ServerConnection(self.h2_config)
        http2.initiate_connection()
        http2.increment_flow_control_window(
            self.config.http2_connection_window_size - http2.local_settings.initial_window_size
        )
        http2.update_settings(
            {
                SettingCodes.INITIAL_WINDOW_SIZE: self.config.http2_stream_window_size,
                SettingCodes.MAX_FRAME_SIZE: _LARGEST_FRAME,
            }
        )
        self.connection = Connection(http2, cast("Transport", transport), config=self.config)
        self.connection.flush()
        self.connection.initialize()
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

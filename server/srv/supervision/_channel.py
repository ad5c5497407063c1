"""Calls between the supervisor and a server process: JSON on a Unix socket, both ways."""

from __future__ import annotations

import asyncio
import logging
import struct
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from srv.workers._messages import pack_error, unpack_error
from srv_protocol.errors import SrvError

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Coroutine, Mapping
    from typing import TypeAlias

    Handler: TypeAlias = Callable[[msgspec.Raw], Awaitable[object] | None]

_T = TypeVar("_T")
_logger: Final = logging.getLogger("srv")
_LENGTH: Final = struct.Struct("<Q")
_ANSWER: Final = "answer"
_ERROR: Final = "error"


class ChannelClosed(Exception):
    """The other process has ended."""


class _Frame(msgspec.Struct, array_like=True):
    """What is on the wire behind its length: the call's number, 0 for what is only told; what it is about; JSON."""

    number: int
    kind: str
    body: msgspec.Raw


_decoder: Final = msgspec.json.Decoder(_Frame)


class Channel:
    """One end of the socket. Make it inside a running event loop.

    Args:
        connection: the socket, which is the channel's from now on.
        handlers: what answers the calls of the other side, by their kind; each begins in the order of the calls.
    """

    def __init__(self, connection: socket.socket, handlers: Mapping[str, Handler]) -> None:
        connection.setblocking(False)  # noqa: FBT003  # the socket module's own signature
        self._connection = connection
        self._handlers = handlers
        self._count = 0
        self._calls: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._unsent: list[bytes] = []
        self._writer: asyncio.StreamWriter | None = None
        self._closed = False

    async def run(self) -> None:
        """Take what comes, and return when the other side has gone."""
        reader, self._writer = await asyncio.open_unix_connection(sock=self._connection)
        self._writer.writelines(self._unsent)
        try:
            while True:
                (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
                self._take(_decoder.decode(await reader.readexactly(length)))
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self.close()

    def close(self) -> None:
        """End what waits for the other side."""
        self._closed = True
        if self._writer is not None:
            self._writer.close()
        calls, self._calls = self._calls, {}
        for waiting in calls.values():
            if not waiting.done():
                waiting.set_exception(ChannelClosed())

    async def flush(self) -> None:
        """Return when all has been handed to the system, or the other side has gone."""
        if self._writer is not None and not self._closed:
            try:
                # At the default mark, some of it may still be here.
                self._writer.transport.set_write_buffer_limits(0)
                await self._writer.drain()
            except OSError:
                return

    def tell(self, kind: str, body: object = None) -> None:
        """Say something that has no answer; nothing if the other side has gone."""
        if not self._closed:
            self._send(0, kind, body)

    def call(self, kind: str, body: object, answer: type[_T]) -> Coroutine[object, object, _T]:
        """Call the other side now, and return what waits for its answer.

        Raises:
            ChannelClosed: the other side ends before it answers.
            SrvError: what the call has raised there.
        """
        self._count += 1
        waiting: asyncio.Future[msgspec.Raw] = asyncio.get_running_loop().create_future()
        if self._closed:
            waiting.set_exception(ChannelClosed())
        else:
            self._calls[self._count] = waiting
            self._send(self._count, kind, body)
        # Nobody may wait for it.
        waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
        return _decoded(waiting, answer)

    def _send(self, number: int, kind: str, body: object) -> None:
        frame = msgspec.json.encode(_Frame(number, kind, msgspec.Raw(msgspec.json.encode(body))))
        for part in (_LENGTH.pack(len(frame)), frame):
            if self._writer is None:
                self._unsent.append(part)
            else:
                self._writer.write(part)

    def _take(self, frame: _Frame) -> None:
        if frame.kind in {_ANSWER, _ERROR}:
            waiting = self._calls.pop(frame.number, None)
            if waiting is None or waiting.done():
                return
            if frame.kind == _ANSWER:
                waiting.set_result(frame.body)
            else:
                waiting.set_exception(unpack_error(msgspec.json.decode(frame.body)))
            return
        task = asyncio.ensure_future(self._handle(frame))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _handle(self, frame: _Frame) -> None:
        try:
            answering = self._handlers[frame.kind](frame.body)
            answer = None if answering is None else await answering
        except Exception as error:
            if not isinstance(error, (SrvError, ChannelClosed)):
                _logger.exception("%s failed", frame.kind)
            if frame.number and not self._closed:
                self._send(frame.number, _ERROR, pack_error(error))
            return
        if frame.number and not self._closed:
            self._send(frame.number, _ANSWER, answer)


async def _decoded(waiting: asyncio.Future[msgspec.Raw], answer: type[_T]) -> _T:
    return msgspec.json.decode(await waiting, type=answer)

"""The messages that a call receives, each in a buffer of its size (gRPC over HTTP/2, "Length-Prefixed-Message").

A client may send a window's worth of bytes on each stream. Where a message turns out to be larger, the window is grown
to its end, as far as the connection's budget goes. Nothing is taken apart before its handler wants it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from srv._buffers import new_buffer
from srv.grpc._messages import PREFIX, Packed, too_large, truncated

if TYPE_CHECKING:
    from collections.abc import Callable

    from srv.grpc.native._budget import Budget
    from srv_protocol.errors import SrvError

_PREFIX_SIZE: Final = PREFIX.size
# Bytes that have been taken out of those that wait, and are not worth moving the others for.
_WORTH_MOVING: Final = 1 << 16


class Inbox:
    """What one call has received and its handler has not taken yet.

    `grow` lets the client send so many bytes more.

    Attributes:
        received: bytes of the body so far.
    """

    __slots__ = (
        "_budget",
        "_ended",
        "_fault",
        "_filled",
        "_granted",
        "_grow_window",
        "_limit",
        "_message",
        "_packed",
        "_pieces",
        "_pos",
        "_ready",
        "_rest",
        "_size",
        "_stopped",
        "_waiter",
        "_window",
        "_window_size",
        "received",
    )

    def __init__(self, grow: Callable[[int], None], window: int, limit: int, budget: Budget) -> None:
        self._grow_window = grow
        self._limit = limit
        self._budget = budget
        # What the client may send: now, and at most while nothing is granted.
        self._window = self._window_size = window
        # The message that is complete, the one under way (its size is -1 while its prefix is not there), and the rest.
        self._ready: Packed | None = None
        self._size = -1
        self._packed = False
        self._filled = 0
        self._granted = 0
        self._message: memoryview | None = None
        # The prefix, or a large message that waits for its grant.
        self._pieces = bytearray()
        self._rest = bytearray()
        self._pos = 0
        self._ended = self._stopped = False
        self._fault: SrvError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.received = 0

    def add(self, data: memoryview, size: int, *, ended: bool) -> None:
        """Take a piece of the body, which took `size` bytes of the window; it is copied."""
        self._window -= size
        self.received += size
        if self._fault is None:
            taken = 0 if self._ready is not None or self._rest else self._take(data)
            if taken < len(data) and self._fault is None:
                self._rest += data[taken:]
        if ended:
            self._ended = True
        else:
            self._refill()
        self._wake()

    def end(self) -> None:
        """Take note that nothing else comes."""
        self._ended = True
        self._wake()

    def stop(self) -> None:
        """Take no message that is not complete: there is none behind those that are."""
        self._stopped = True
        self._wake()

    def fail(self, fault: SrvError) -> None:
        """Let the handler have an error behind the messages that are complete; what else comes is dropped."""
        self.close()
        self._fault = fault
        self._wake()

    def close(self) -> None:
        """Forget what is not complete."""
        self._budget.withdraw(self)
        self._give_back()
        self._message = None
        self._size = -1
        self._pieces = bytearray()
        self._rest = bytearray()
        self._pos = 0

    @property
    def waits_for_client(self) -> bool:
        """Whether a message, or the first one, is incomplete although its client may send the rest."""
        incomplete = self._size >= 0 or bool(self._pieces) or not self.received
        return incomplete and self._window > 0 and not self._ended and self._fault is None

    async def next_message(self) -> Packed | None:
        """Return the next message, ``None`` when there is no more.

        Raises:
            RequestTooLarge: it is larger than the server accepts; not all of it has been read.
            InvalidInput: the client has ended the call inside it.
        """
        await self._wait()
        if self._ready is None:
            if self._fault is not None:
                raise self._fault
            if self._ended and (self._size >= 0 or self._pieces):
                raise truncated()
            return None
        found, self._ready = self._ready, None
        self._give_back()
        if self._rest:
            with memoryview(self._rest) as rest, rest[self._pos :] as view:
                self._pos += self._take(view)
            if self._pos == len(self._rest):
                self._rest = bytearray()
                self._pos = 0
            elif self._pos > _WORTH_MOVING:
                del self._rest[: self._pos]
                self._pos = 0
        if not self._ended:
            self._refill()
        return found

    async def is_at_end(self) -> bool:
        """Whether nothing else comes; returns when that is known."""
        if not self._ended:
            await self._wait()
        return self._ready is None and self._size < 0 and not self._pieces and self._fault is None

    async def _wait(self) -> None:
        """Return when a message is complete, or none will be."""
        while self._ready is None and self._fault is None and not (self._ended or self._stopped):
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def begin_large(self) -> None:
        """Take note that the message under way has been granted its size: all of it may come now."""
        self._granted = self._size
        self._message = new_buffer(self._size)
        self._message[: self._filled] = self._pieces
        self._pieces = bytearray()
        self._refill()

    def _give_back(self) -> None:
        if self._granted:
            granted, self._granted = self._granted, 0
            self._budget.give_back(granted)

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        if self._ready is not None or self._fault is not None or self._ended or self._stopped:
            waiter.set_result(None)

    def _refill(self) -> None:
        """Grow the window where the client has too little of it to go on."""
        missing = self._size - self._filled if self._size >= 0 else _PREFIX_SIZE
        if self._granted and self._size >= 0:
            if self._window < missing:
                self._grow(missing - self._window)
            return
        if self._window >= missing and self._window >= self._window_size // 2:
            return
        held = len(self._rest) - self._pos
        if self._ready is not None:
            held += _PREFIX_SIZE + len(self._ready.data)
        if self._size >= 0:
            held += _PREFIX_SIZE + self._filled
        room = self._window_size - held - self._window
        if room > 0:
            self._grow(room)

    def _grow(self, size: int) -> None:
        self._window += size
        self._grow_window(size)

    def _take(self, data: memoryview) -> int:
        """Take bytes until a message is complete, and return how many."""
        pos, end = 0, len(data)
        while pos < end and self._ready is None:
            if self._size < 0:
                pos = self._take_prefix(data, pos)
                if self._fault is not None:
                    return end
                if 0 <= self._size <= end - pos:
                    whole = bytes(data[pos : pos + self._size])
                    self._complete(memoryview(whole))
                    pos += len(whole)
                elif self._size >= 0:
                    self._begin()
                continue
            piece = data[pos : pos + self._size - self._filled]
            if self._message is None:
                self._pieces += piece
            else:
                self._message[self._filled : self._filled + len(piece)] = piece
            self._filled += len(piece)
            pos += len(piece)
            if self._filled == self._size:
                self._complete(self._message.toreadonly() if self._message else memoryview(bytes(self._pieces)))
        return pos

    def _take_prefix(self, data: memoryview, pos: int) -> int:
        piece = data[pos : pos + _PREFIX_SIZE - len(self._pieces)]
        self._pieces += piece
        if len(self._pieces) == _PREFIX_SIZE:
            self._packed, size = PREFIX.unpack(self._pieces)
            self._pieces = bytearray()
            if size > self._limit:
                self.fail(too_large(size, self._limit))
            else:
                self._size = size
        return pos + len(piece)

    def _begin(self) -> None:
        if self._size + _PREFIX_SIZE <= self._window_size:
            self._message = new_buffer(self._size)
        elif self._budget.ask(self, self._size):
            self.begin_large()

    def _complete(self, data: memoryview) -> None:
        self._ready = Packed(self._packed, data)
        self._message = None
        self._pieces = bytearray()
        self._size, self._filled = -1, 0
        self._budget.withdraw(self)

"""Who gets a model's thread next."""

from __future__ import annotations

import asyncio
import heapq
from typing import TYPE_CHECKING, Final

from srv_protocol.errors import QueueFull

if TYPE_CHECKING:
    from asyncio import Future

LOWEST: Final = 1 << 64
"""The priority of who does not ask for one: after all that do."""


class Turns:
    """Hands out one turn after the other: the lowest number first, of equal ones who came first."""

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._taken = False
        self._count = 0
        self._queue: list[tuple[int, int, Future[None]]] = []
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return self._waiting

    async def take(self, priority: int = LOWEST, *, bounded: bool = False) -> None:
        """Return when it is the caller's turn, who calls :meth:`give_back` in the end.

        One who is not `bounded` may wait whatever the limit says.

        Raises:
            QueueFull: as many as the limit says are waiting already.
        """
        if not self._taken:
            self._taken = True
            return
        if bounded and self._limit is not None and self._waiting >= self._limit:
            raise QueueFull(f"Exceeds maximum queue size: {self._limit} requests are waiting")
        turn: Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._queue, (priority, self._count, turn))
        self._waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # The turn came in the moment in which nobody wanted it any more.
                self.give_back()
            else:
                self._forget(turn)
            raise

    def _forget(self, turn: Future[None]) -> None:
        """Leave the queue; entries of those who left are cleared away once they are most of it."""
        turn.cancel()
        self._waiting -= 1
        if len(self._queue) > 2 * self._waiting:
            self._queue = [each for each in self._queue if not each[2].cancelled()]
            heapq.heapify(self._queue)

    def give_back(self) -> None:
        """End a turn; the next one begins."""
        while self._queue:
            _, _, turn = heapq.heappop(self._queue)
            if not turn.done():
                self._waiting -= 1
                turn.set_result(None)
                return
        self._taken = False

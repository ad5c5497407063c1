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
    """Hands out one turn after the other: the lowest number first, of equal ones who came first.

    Raises:
        QueueFull: by :meth:`take`, when `limit` are waiting already.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self._taken = False
        self._count = 0
        self._waiting: list[tuple[int, int, Future[None]]] = []
        self._left = 0

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._waiting) - self._left

    async def take(self, priority: int = LOWEST, *, bounded: bool = False) -> None:
        """Return when it is the caller's turn, who calls :meth:`give_back` in the end.

        One who is not `bounded` may wait whatever the limit says.
        """
        if not self._taken:
            self._taken = True
            return
        if bounded and self.limit is not None and self.waiting >= self.limit:
            raise QueueFull(f"Exceeds maximum queue size: {self.limit} requests are waiting")
        turn: Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._waiting, (priority, self._count, turn))
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
        self._left += 1
        if self._left > len(self._waiting) // 2:
            self._waiting = [each for each in self._waiting if not each[2].cancelled()]
            heapq.heapify(self._waiting)
            self._left = 0

    def give_back(self) -> None:
        """End a turn; the next one begins."""
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
            self._left -= 1
        self._taken = False

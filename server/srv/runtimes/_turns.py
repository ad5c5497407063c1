"""Who gets a model's thread next."""

from __future__ import annotations

import asyncio
import heapq
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from srv_protocol.errors import QueueFull

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Iterable

_T = TypeVar("_T")

LOWEST: Final = 1 << 64
"""The priority of who does not ask for one: after all that do."""


class Turns(Generic[_T]):
    """Hands out places, each to one caller at a time: the lowest number first, of equal ones who came first.

    Args:
        places: a thread, or several workers.
        limit: how many may wait, ``None`` for any number.
    """

    def __init__(self, places: Iterable[_T], limit: int | None = None) -> None:
        self._limit = limit
        self._free = list(places)
        self._count = 0
        self._queue: list[tuple[int, int, Future[_T]]] = []
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return self._waiting

    async def take(self, priority: int = LOWEST, *, bounded: bool = False) -> _T:
        """Return a place when it is the caller's turn, who calls :meth:`give_back` with it in the end.

        One who is not `bounded` may wait whatever the limit says.

        Raises:
            QueueFull: as many as the limit says are waiting already.
        """
        if self._free:
            return self._free.pop()
        if bounded and self._limit is not None and self._waiting >= self._limit:
            raise QueueFull(f"Exceeds maximum queue size: {self._limit} requests are waiting")
        turn: Future[_T] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._queue, (priority, self._count, turn))
        self._waiting += 1
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.done() or turn.cancelled():
                self._forget(turn)
            elif turn.exception() is None:
                # The turn came in the moment in which nobody wanted it any more.
                self.give_back(turn.result())
            raise

    def _forget(self, turn: Future[_T]) -> None:
        """Leave the queue; entries of those who left are cleared away once they are most of it."""
        turn.cancel()
        self._waiting -= 1
        if len(self._queue) > 2 * self._waiting:
            self._queue = [each for each in self._queue if not each[2].cancelled()]
            heapq.heapify(self._queue)

    def give_back(self, place: _T) -> None:
        """End a turn, or add a place; the next turn begins."""
        while self._queue:
            _, _, turn = heapq.heappop(self._queue)
            if not turn.done():
                self._waiting -= 1
                turn.set_result(place)
                return
        self._free.append(place)

    def remove(self, place: _T) -> None:
        """Take a place away that nobody has now; one that is in use is just not given back."""
        if place in self._free:
            self._free.remove(place)

    def fail(self, error: Exception) -> None:
        """Let all that wait fail."""
        queue, self._queue, self._waiting = self._queue, [], 0
        for _, _, turn in queue:
            if not turn.done():
                turn.set_exception(error)

"""Requests that belong together: the sequences of a model that keeps state between them.

Source: Triton's "Sequence Extension". A sequence begins with a request that has ``sequence_start``, and ends with one
that has ``sequence_end``; its requests reach the model in the order in which they came, one after the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Final

from srv_protocol.errors import InvalidInput, QueueFull

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from srv.dataplane._options import RequestOptions

IDLE: Final = 60.0
"""Seconds after which a sequence that nobody goes on with is forgotten."""


class _Sequence:
    """What is known of one sequence.

    Attributes:
        requests: how many are running or waiting.
        open: whether it has begun, and not ended.
    """

    __slots__ = ("last_used", "open", "requests", "turn")

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.requests = 0
        self.last_used = 0.0
        self.open = False


class Sequences:
    """The sequences of one model."""

    def __init__(self, model: str, limit: int | None = None) -> None:
        self._model = model
        self._limit = limit
        # By when they were last used, the longest ago first; those that are in use stand anywhere.
        self._known: dict[int | str, _Sequence] = {}
        self._waiting = 0

    def __len__(self) -> int:
        return len(self._known)

    @contextlib.asynccontextmanager
    async def turn(self, options: RequestOptions) -> AsyncGenerator[None]:
        """Wait for the earlier requests of the sequence that `options` name, and keep the later ones waiting.

        A sequence whose first request fails has not begun: the model may not have seen it.

        Raises:
            InvalidInput: there is no sequence id, or the sequence has not begun.
            QueueFull: too many wait already.
        """
        key = options.sequence
        if key is None:
            raise InvalidInput(
                f"inference request to model '{self._model}' must specify a non-zero or non-empty correlation ID"
            )
        self._forget_idle()
        sequence = self._known.pop(key, None) or _Sequence()
        self._known[key] = sequence
        sequence.requests += 1
        try:
            async with self._in_order(sequence):
                if not (options.sequence_start or sequence.open):
                    raise InvalidInput(
                        f"inference request for sequence {key} to model '{self._model}' must specify the START flag "
                        "on the first request of the sequence"
                    )
                sequence.open = sequence.open and not options.sequence_start
                yield
                sequence.open = not options.sequence_end
        finally:
            sequence.requests -= 1
            sequence.last_used = time.monotonic()
            # To the end, as it was used just now.
            del self._known[key]
            if sequence.open or sequence.requests:
                self._known[key] = sequence

    @contextlib.asynccontextmanager
    async def _in_order(self, sequence: _Sequence) -> AsyncGenerator[None]:
        if sequence.turn.locked() and self._limit is not None and self._waiting >= self._limit:
            raise QueueFull(f"Exceeds maximum queue size: {self._waiting} requests are waiting")
        self._waiting += 1
        try:
            await sequence.turn.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            sequence.turn.release()

    def _forget_idle(self) -> None:
        oldest = time.monotonic() - IDLE
        idle: list[int | str] = []
        for key, sequence in self._known.items():
            if sequence.requests:
                continue
            if sequence.last_used > oldest:
                break
            idle.append(key)
        for key in idle:
            del self._known[key]

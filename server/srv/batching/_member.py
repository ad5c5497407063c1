"""A request that may be answered together with others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srv.dataplane._timeline import now

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from srv.batching._line import Group
    from srv.runtimes._calls import Ticket
    from srv_protocol.inference import ModelInferRequest


class Member:
    """A request, from its arrival until the model begins with it.

    Attributes:
        rows: how many it has.
        outcome: its response, or ``None`` when it is its turn to be answered alone; also done once its client has
            left.
        number: later ones have higher numbers.
        waiting: whether it is in the line.
        group: those who wait with the same key; ``None`` for a request that is answered alone.
        chosen: whether it is about to be answered alone.
        batch: with whom it is answered.
    """

    __slots__ = ("batch", "chosen", "group", "number", "outcome", "request", "rows", "ticket", "waiting")

    def __init__(
        self, request: ModelInferRequest, ticket: Ticket, rows: int, outcome: asyncio.Future[object | None]
    ) -> None:
        self.request = request
        self.ticket = ticket
        self.rows = rows
        self.outcome = outcome
        self.number = 0
        self.waiting = False
        self.group: Group | None = None
        self.chosen = False
        self.batch: Batch | None = None


class Batch:
    """Requests that are answered together.

    Attributes:
        task: has them answered.
        started: when the model began, in nanoseconds of the monotonic clock.
    """

    __slots__ = ("_count", "members", "started", "task")

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = members
        self.started = now()
        self.task: asyncio.Task[None] | None = None
        self._count = len(members)
        for member in members:
            member.batch = self

    def begin(self) -> None:
        """Say that the model begins."""
        self.started = now()
        for member in self.members:
            member.ticket.begin()

    def leave(self) -> None:
        """Go on without one of the requests, whose client has left; nobody needs an answer that all have left."""
        self._count -= 1
        if not self._count and self.task is not None:
            self.task.cancel()

    def present(self) -> list[Member]:
        """Return the requests whose clients have not left."""
        return [member for member in self.members if not member.outcome.done()]

    def close(self) -> None:
        """Let go of the requests, which hold the batch: else they would stay until the collector comes."""
        self.members = ()

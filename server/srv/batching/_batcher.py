"""Answers requests together that wait for a model at the same time."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from srv._offload import off_loop
from srv.batching._line import Line
from srv.batching._member import Batch, Member
from srv.batching._merging import batch_key, bytes_of, join_requests, split_response
from srv.dataplane._timeline import now
from srv.runtimes._calls import Ticket
from srv_protocol.errors import QueueFull

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from contextlib import AbstractContextManager

    from srv.batching._line import Group
    from srv.batching._merging import Key
    from srv.dataplane._statistics import BatchStatistics
    from srv_protocol.inference import ModelInferRequest

# Than the compression that `off_loop` has its measure from.
_COPIES_FASTER: Final = 32

_logger: Final = logging.getLogger("srv")


@dataclass(frozen=True)
class BatchRules:
    """How requests are answered together.

    Attributes:
        model: its name, for the log.
        max_rows: of a batch; a request that has as many, or more, is answered alone.
        max_wait: seconds after which a batch begins although another one runs, where they may overlap.
        max_waiting: requests that may wait; ``None`` for no bound.
        overlap: whether the model answers any number of requests at the same time, as an ``async def`` does.
        places: for how many batches the model has room at the same time; with `overlap`, until when it is idle.
        reads_headers: whether the runtime can see the headers of a request.
    """

    model: str
    max_rows: int
    max_wait: float
    max_waiting: int | None = None
    overlap: bool = False
    places: int = 1
    reads_headers: bool = True


class Batcher:
    """Has requests answered that wait for a model: alone, or as one with others.

    A request that finds the model idle begins at once. Those that come while it works wait, and go together when
    there is a place for them. What goes wrong in a batch goes wrong for none of its requests: each is answered alone
    then, and has the answer or the error that it gets alone.

    Args:
        rules: see there.
        serve: has one request answered by the model.
        use: keeps the model loaded, in whose context its code runs.
        statistics: of the model.
    """

    def __init__(
        self,
        rules: BatchRules,
        serve: Callable[[ModelInferRequest, Ticket], Coroutine[object, object, object]],
        use: Callable[[], AbstractContextManager[None]],
        statistics: BatchStatistics,
    ) -> None:
        self._rules = rules
        self._serve = serve
        self._use = use
        self._statistics = statistics
        self._line = Line(rules.max_rows)
        self._free = rules.places
        self._begins_soon = False
        # Groups of those who came when there was a place.
        self._untimed: list[Group] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._has_warned = False

    async def answer(self, request: ModelInferRequest, ticket: Ticket) -> object:
        """Return what the model makes of a request.

        Raises:
            QueueFull: too many wait already.
            Exception: whatever the runtime raises for this request alone.
        """
        shape = request.inputs[0].shape if request.inputs else ()
        rows = shape[0] if shape else 1
        key = batch_key(request) if rows < self._rules.max_rows else None
        if key is None and self._rules.overlap:
            self._free -= 1
            return await self._answer_alone(request, ticket, rows)
        member = Member(request, ticket, rows, asyncio.get_running_loop().create_future())
        self._enter(member, key)
        try:
            response = await member.outcome
        except asyncio.CancelledError:
            self._leave(member)
            raise
        return await self._answer_alone(request, ticket, rows) if response is None else response

    def _enter(self, member: Member, key: Key | None) -> None:
        """Let a request wait."""
        rules, line = self._rules, self._line
        if rules.max_waiting is not None and len(line) >= rules.max_waiting:
            # Those for whom there is a place do not wait.
            self._begin()
            if self._free <= 0 and len(line) >= rules.max_waiting:
                raise QueueFull(f"Exceeds maximum queue size: {rules.max_waiting} requests are waiting")
        line.push(member, key)
        group = member.group
        if rules.overlap and group is not None:
            if group.rows >= rules.max_rows:
                self._start(line.take_of(group))
                return
            if self._free > 0:
                # Most begin before they need a timer.
                self._untimed.append(group)
            else:
                self._set_timer(group)
        if self._free > 0 and not self._begins_soon:
            # Not at once: those who come at the same moment go together.
            self._begins_soon = True
            asyncio.get_running_loop().call_soon(self._begin)

    def _leave(self, member: Member) -> None:
        """Go on without a request, whose client has left before its outcome was there."""
        if member.waiting:
            self._line.remove(member)
        elif member.chosen:
            self._end()
        elif member.batch is not None:
            member.batch.leave()

    def _begin(self) -> None:
        """Let those begin for whom there is a place."""
        self._begins_soon = False
        while self._free > 0 and len(self._line):
            self._start(self._line.take())
        if self._untimed:
            for group in self._untimed:
                if group.count:
                    self._set_timer(group)
            self._untimed.clear()

    def _set_timer(self, group: Group) -> None:
        if group.timer is None:
            loop = asyncio.get_running_loop()
            group.timer = loop.call_later(self._rules.max_wait, self._end_wait, group)

    def _end_wait(self, group: Group) -> None:
        """Let those begin who have waited for long enough."""
        group.timer = None
        self._start(self._line.take_of(group))
        if group.count:
            self._set_timer(group)

    def _start(self, taken: Sequence[Member]) -> None:
        members = [member for member in taken if not member.outcome.done()]
        if not members:
            return
        self._free -= 1
        if len(members) == 1:
            members[0].chosen = True
            members[0].outcome.set_result(None)
            return
        batch = Batch(members)
        batch.task = asyncio.get_running_loop().create_task(self._run(batch))
        self._tasks.add(batch.task)
        batch.task.add_done_callback(self._tasks.discard)

    def _end(self) -> None:
        """Give a place back."""
        self._free += 1
        if not self._begins_soon:
            self._begin()

    async def _answer_alone(self, request: ModelInferRequest, ticket: Ticket, rows: int) -> object:
        """Have one request answered, which has a place."""
        began = now()
        try:
            # It has waited already, and is not to be refused for that.
            response = await self._serve(request, Ticket(ticket.priority, begin=ticket.begin))
        finally:
            self._end()
        self._statistics.add_execution(rows, 0, now() - began, 0)
        return response

    async def _run(self, batch: Batch) -> None:
        """Have a batch answered, which has a place."""
        members = batch.members
        requests, counts = [each.request for each in members], [each.rows for each in members]
        rows = sum(counts)
        try:
            with self._use():
                asked = now()
                with_headers = self._rules.reads_headers
                size = bytes_of(requests) // _COPIES_FASTER
                joined = await off_loop(size, join_requests, requests, rows, with_headers=with_headers)
                joining = now() - asked
                # As urgent as the most urgent of them; all have waited already.
                ticket = Ticket(min(each.ticket.priority for each in members), begin=batch.begin)
                response = await self._serve(joined, ticket)
                computed = now()
                responses = split_response(response, counts)
            self._statistics.add_execution(rows, joining, computed - batch.started, now() - computed)
            for member, each in zip(members, responses, strict=True):
                if not member.outcome.done():
                    member.outcome.set_result(each)
        except Exception as error:  # noqa: BLE001  # each request has an answer or an error of its own
            self._retry(batch, error)
        except BaseException:
            # All have left; or the loop ends, and nobody is to wait for ever.
            for member in batch.present():
                member.outcome.cancel()
            raise
        finally:
            batch.close()
            self._end()

    def _retry(self, batch: Batch, error: Exception) -> None:
        """Have the requests of a batch answered alone, each in its old place in the line."""
        _logger.log(
            logging.DEBUG if self._has_warned else logging.WARNING,
            "model '%s': a batch of %d requests has failed, and they are answered one by one: %s",
            self._rules.model,
            len(batch.members),
            # Its text: whoever keeps the record keeps no request.
            f"{type(error).__name__}: {error}",
        )
        self._has_warned = True
        for member in batch.present():
            if self._rules.overlap:
                self._start([member])
            else:
                self._line.push(member, None)

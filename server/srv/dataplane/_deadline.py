"""How long a request may take."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from srv._error_text import error_text
from srv.dataplane._timeline import now
from srv_protocol.errors import DeadlineExceeded, InferenceError, QueueTimeout, WireError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from srv.dataplane._timeline import Timeline

_R = TypeVar("_R")


def unfit_value(error: WireError) -> InferenceError:
    """Return the error of a model's code that made a value that no message can carry: not the client's fault."""
    return InferenceError(error_text(error))


class Deadline:
    """The end of a request's time: what the client allows, in seconds, or what the server does, whichever is less."""

    __slots__ = ("_by_client", "_times", "_when")

    def __init__(self, by_client: float | None, by_server: float | None, times: Timeline) -> None:
        self._by_client = by_client is not None and (by_server is None or by_client <= by_server)
        self._times = times
        limit = by_client if self._by_client else by_server
        self._when: float | None = None
        if limit is not None:
            # The request's time began when its bytes were there.
            spent = (now() - times.received) / 1e9
            self._when = asyncio.get_running_loop().time() + limit - spent

    async def hold(self, work: Awaitable[_R]) -> _R:
        """Await a part of what the model's code does for the request, and cancel it when the time is over.

        Raises:
            QueueTimeout: the client's time was over before the model began.
            DeadlineExceeded: it was over later, or it was the server's.
            InferenceError: the model's code made a value that no message can carry, which is not the client's fault.
        """
        try:
            return await (work if self._when is None else self._until(self._when, work))
        except WireError as error:
            raise unfit_value(error) from error

    async def _until(self, when: float, work: Awaitable[_R]) -> _R:
        scope = asyncio.timeout_at(when)
        try:
            async with scope:
                return await work
        except TimeoutError:
            # The model may have raised one of its own.
            if not scope.expired():
                raise
        if not self._by_client:
            raise DeadlineExceeded("Request timeout expired: the request took longer than the server allows")
        if self._times.started:
            raise DeadlineExceeded("Request timeout expired: the request took longer than its timeout parameter says")
        raise QueueTimeout("Request timeout expired")

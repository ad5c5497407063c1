"""How long a request may take."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from srv.dataplane._timeline import now
from srv_protocol.errors import DeadlineExceeded, QueueTimeout

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from srv.dataplane._timeline import Timeline

_R = TypeVar("_R")


class Deadline:
    """The end of a request's time: what the client allows, in seconds, or what the server does, whichever is less."""

    __slots__ = ("_by_client", "_when")

    def __init__(self, by_client: float | None, by_server: float | None, times: Timeline) -> None:
        self._by_client = by_client is not None and (by_server is None or by_client <= by_server)
        limit = by_client if self._by_client else by_server
        self._when: float | None = None
        if limit is not None:
            # The request's time began when its bytes were there.
            spent = (now() - times.received) / 1e9
            self._when = asyncio.get_running_loop().time() + limit - spent

    async def hold(self, work: Awaitable[_R], times: Timeline) -> _R:
        """Await a part of the request's work, and cancel it when the time is over.

        Raises:
            QueueTimeout: the client's time was over before the model began.
            DeadlineExceeded: it was over later, or it was the server's.
        """
        if self._when is None:
            return await work
        scope = asyncio.timeout_at(self._when)
        try:
            async with scope:
                return await work
        except TimeoutError:
            # The model may have raised one of its own.
            if not scope.expired():
                raise
        if not self._by_client:
            raise DeadlineExceeded("Request timeout expired: the request took longer than the server allows")
        if times.started:
            raise DeadlineExceeded("Request timeout expired: the request took longer than its timeout parameter says")
        raise QueueTimeout("Request timeout expired")

"""Connections that several threads share, each used by one call at a time."""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from srv_protocol.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from srv.client._deadline import Deadline


class Pooled(Protocol):
    """A connection of a pool."""

    @property
    def usable(self) -> bool:
        """Whether the last call has ended well."""
        ...

    def is_fresh(self) -> bool:
        """Whether the next call can have it: the server has not closed it meanwhile."""
        ...

    def close(self) -> None:
        """Close it."""


_C = TypeVar("_C", bound=Pooled)


class Pool(Generic[_C]):
    """At most `size` connections; who comes when all are in use waits.

    A process that was forked makes its own: two that talk on one connection would read each other's answers.
    """

    def __init__(self, make: Callable[[Deadline], _C], size: int) -> None:
        self._make = make
        self._size = size
        self._closed = False
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._idle: deque[_C] = deque()
        self._free = threading.Semaphore(self._size)

    @contextmanager
    def connection(self, deadline: Deadline) -> Generator[_C]:
        """Lend a connection.

        Raises:
            DeadlineExceeded: there is none before the call's time is over.
            ConnectError: there is no connection to be had.
            InvalidInput: the pool is closed.
        """
        made = self.take(deadline)
        try:
            yield made
        finally:
            self.give(made)

    def take(self, deadline: Deadline) -> _C:
        """Return a connection, to be given back; otherwise as :meth:`connection`, which takes 2 us more."""
        if self._closed:
            raise InvalidInput("the client is closed")
        if self._pid != os.getpid():
            # The parent's sockets are closed here without a word to the server, which still speaks to the parent.
            for each in self._idle:
                each.close()
            self._reset()
        free = self._free
        if not free.acquire(timeout=deadline.left()):
            raise deadline.exceeded()
        try:
            while self._idle:
                try:
                    found = self._idle.pop()
                except IndexError:  # another thread was faster
                    break
                if found.is_fresh():
                    return found
                found.close()
            return self._make(deadline)
        except BaseException:
            free.release()
            raise

    def give(self, connection: _C) -> None:
        """Take a connection back."""
        if connection.usable and not self._closed:
            self._idle.append(connection)
        else:
            connection.close()
        self._free.release()

    def close(self) -> None:
        """Close what is idle now, and everything else when it is given back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

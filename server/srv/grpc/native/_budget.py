"""The memory that large messages of one connection may take until their handlers have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from srv.grpc.native._inbox import Inbox


class Budget:
    """Bytes that are granted to the messages of one connection, first come, first served.

    A message that is larger than all of it comes alone.
    """

    __slots__ = ("_size", "_used", "_waiting")

    def __init__(self, size: int) -> None:
        self._size = size
        self._used = 0
        self._waiting: dict[Inbox, int] = {}

    def ask(self, inbox: Inbox, size: int) -> bool:
        """Return whether `size` bytes are granted now; if not, :meth:`Inbox.begin_large` is called when they are."""
        if self._waiting or not self._fits(size):
            self._waiting[inbox] = size
            return False
        self._used += size
        return True

    def _fits(self, size: int) -> bool:
        return not self._used or self._used + size <= self._size

    def withdraw(self, inbox: Inbox) -> None:
        """Forget one that waits."""
        if self._waiting.pop(inbox, None) is not None:
            self.give_back(0)

    def give_back(self, size: int) -> None:
        """Take bytes back, and grant them to those that wait."""
        self._used -= size
        while self._waiting:
            inbox, wanted = next(iter(self._waiting.items()))
            if not self._fits(wanted):
                return
            del self._waiting[inbox]
            self._used += wanted
            inbox.begin_large()

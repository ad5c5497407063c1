"""Until when an answer must be there."""

from __future__ import annotations

import enum
import time
from typing import TYPE_CHECKING, Final, TypeAlias

from srv_protocol.errors import DeadlineExceeded, InvalidInput

if TYPE_CHECKING:
    import socket


class Default(enum.Enum):
    """Stands for what the client was made with."""

    DEFAULT = "the client's"


DEFAULT: Final = Default.DEFAULT
Timeout: TypeAlias = float | Default | None
"""Seconds, ``None`` for as long as it takes."""


def check_timeout(name: str, value: float | None) -> float | None:
    """Return seconds as they are.

    Raises:
        InvalidInput: they are not above 0.
    """
    if value is not None and not value > 0:
        raise InvalidInput(f"{name}: expected more than 0 seconds, or None, got {value!r}")
    return value


class Deadline:
    """The end of a call, its retries included."""

    __slots__ = ("_end", "timeout")

    def __init__(self, timeout: float | None) -> None:
        self.timeout = timeout
        self._end = None if timeout is None else time.monotonic() + timeout

    def left(self, most: float | None = None) -> float | None:
        """Return the seconds that are left, at most `most`; ``None`` for no end.

        Raises:
            DeadlineExceeded: there are none.
        """
        if self._end is None:
            return most
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.exceeded()
        return left if most is None or left < most else most

    def arm(self, connection: socket.socket) -> None:
        """Let the next operation of a socket take no longer than what is left."""
        connection.settimeout(self.left())

    def exceeded(self) -> DeadlineExceeded:
        """Return the error of a call that has taken too long."""
        return DeadlineExceeded(f"there was no answer within {self.timeout:g} s (timeout)")

"""When a call is sent again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from srv.client._errors import ConnectionLost
from srv_protocol.errors import InvalidInput, SrvError, Unavailable

if TYPE_CHECKING:
    from srv.client._deadline import Deadline


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often a call is sent again that the server has not begun to work on.

    That is one without a connection, one that the server refuses as UNAVAILABLE or with 503, and one whose connection
    ended before the request was complete. Where the connection ends behind that, only those calls are repeated that
    may come twice: all but inference, load and unload. The delay before the n-th retry is a random part of
    ``delay * 2^(n-1)``, at most `max_delay`; a call never takes longer than its timeout.

    Attributes:
        attempts: how often a call is sent at most; 1 for no retry.
        delay: seconds.
        max_delay: seconds.
        repeat_inference: inference may come twice, so it is repeated too when its connection ends without an answer.

    Raises:
        InvalidInput: a value is out of its range.
    """

    attempts: int = 3
    delay: float = 0.1
    max_delay: float = 2.0
    repeat_inference: bool = False

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise InvalidInput(f"attempts: expected 1 or more, got {self.attempts}")
        if not 0 <= self.delay <= self.max_delay:
            raise InvalidInput(f"delay: expected 0 to max_delay ({self.max_delay:g}), got {self.delay}")

    def delay_before(self, retry: int, error: Unavailable, *, repeatable: bool, deadline: Deadline) -> float | None:
        """Return how many seconds to wait before the `retry`-th retry of a call; ``None`` for no retry."""
        if retry >= self.attempts:
            return None
        if isinstance(error, ConnectionLost) and error.begun and not repeatable:
            return None
        delay = random.uniform(0, min(self.max_delay, self.delay * 2.0 ** (retry - 1)))  # noqa: S311  # no secret
        try:
            left = deadline.left()
        except SrvError:
            return None
        return delay if left is None or delay < left else None

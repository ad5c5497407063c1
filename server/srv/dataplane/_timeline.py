"""The moments of one request, from its first byte to its answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

now = time.monotonic_ns

HTTP: Final = ("HTTP_RECV", "HTTP_SEND")
GRPC: Final = ("GRPC_WAITREAD", "GRPC_SEND")


def _nothing() -> None:
    pass


class Timeline:
    """When a request reached each station on its way, in nanoseconds of the monotonic clock; 0 for one not reached.

    Attributes:
        front: what Triton's traces call the reading and the writing of the request's front.
        arrived: the front began to read the request.
        received: all of its bytes are there.
        queued: its tensors have their data; from here on it may have to wait for its model.
        started: the model begins.
        computed: the model has answered.
        ended: the answer has its form on the wire.
        sending: the front begins to write it.
        finish: to be called when it has been written; what is kept of the request is complete then.
    """

    __slots__ = ("arrived", "computed", "ended", "finish", "front", "queued", "received", "sending", "started")

    def __init__(self, front: tuple[str, str] = ("", "")) -> None:
        self.front = front
        self.arrived = now()
        self.received = self.queued = self.started = self.computed = self.ended = self.sending = 0
        self.finish: Callable[[], None] = _nothing

    def mark_received(self) -> None:
        """Say that all bytes are there."""
        self.received = now()

    def mark_queued(self) -> None:
        """Say that the request may go to its model."""
        self.queued = now()
        # A request that no front has read was there at once.
        self.received = self.received or self.arrived

    def mark_started(self) -> None:
        """Say that the model begins; said again for each part of a stream, the first time counts."""
        self.started = self.started or now()

    def mark_computed(self) -> None:
        """Say that the model has answered; of the parts of a stream, the last time counts."""
        self.computed = now()

    def mark_sending(self) -> None:
        """Say that the answer is about to be written."""
        self.sending = now()

    def mark_ended(self) -> None:
        """Say that the answer is complete, or has become an error."""
        self.ended = now()

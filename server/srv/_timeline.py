"""The moments of one request, from its first byte to its answer."""

from __future__ import annotations

import time

now = time.monotonic_ns


class Timeline:
    """When a request reached each station on its way, in nanoseconds of the monotonic clock; 0 for one not reached.

    Attributes:
        arrived: the front began to read the request.
        received: all of its bytes are there.
        queued: its tensors have their data; from here on it may have to wait for its model.
        started: the model begins.
        computed: the model has answered.
        ended: the answer has its form on the wire.
    """

    __slots__ = ("arrived", "computed", "ended", "queued", "received", "started")

    def __init__(self) -> None:
        self.arrived = now()
        self.received = self.queued = self.started = self.computed = self.ended = 0

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

    def mark_ended(self) -> None:
        """Say that the answer is complete, or has become an error."""
        self.ended = now()

"""What the parts of a server tell each other about its life."""

from __future__ import annotations

import asyncio
from typing import Final

SHUTTING_DOWN: Final = "the server is shutting down"
"""What clients are told of a request that a stopping server does not answer."""


class Changes:
    """Wakes whoever waits for a change of the server's or a model's state."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def notify(self) -> None:
        """Wake all that wait now."""
        self._changed.set()
        self._changed = asyncio.Event()

    def next(self) -> asyncio.Event:
        """Return the event of the next change; take it before looking at the state, or a change may be missed."""
        return self._changed


class ServerState:
    """Whether a server has started, and whether it is about to stop."""

    def __init__(self) -> None:
        self.changes = Changes()
        self._started = False
        self._stopping = False
        self._peers_ready = True
        self.draining = asyncio.Event()
        """Set once the server takes no new requests: calls that wait for their client's next message end."""

    @property
    def started(self) -> bool:
        """Whether the models of the start have been loaded, or have failed to."""
        return self._started

    @property
    def stopping(self) -> bool:
        """Whether the server has been told to stop."""
        return self._stopping

    @property
    def peers_ready(self) -> bool:
        """Whether all other processes that serve the same ports are ready."""
        return self._peers_ready

    def set_peers_ready(self, *, ready: bool) -> None:
        """Say whether the other processes are ready."""
        self._peers_ready = ready
        self.changes.notify()

    def set_started(self) -> None:
        """Say that the start is over."""
        self._started = True
        self.changes.notify()

    def set_stopping(self) -> None:
        """Say that the server stops: it is not ready from now on."""
        self._stopping = True
        self.changes.notify()

    def set_draining(self) -> None:
        """Say that no new requests are taken."""
        self.draining.set()
        self.changes.notify()

"""What the connections of one server have in common."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Final

from srv.grpc.native._head import Heads
from srv.grpc.native._protocol import NativeProtocol
from srv.http2._limits import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grpclib.const import Handler
    from grpclib.events import _DispatchServerEvents  # pyright: ignore[reportPrivateUsage]  # grpclib has no public name

    from srv._settings import Settings
    from srv.grpc._codec import MessageCodec

# Bytes that are received at once.
_RECEIVED: Final = 1 << 18
# Seconds between looks at the clock: a connection is found too slow that much later.
_TICK: Final = 1.0


class Endpoint:
    """Makes the connections of one server, and watches over them.

    Attributes:
        received: where each connection receives to.
        connections: those that are open.
        now: the time, as it was at the last tick.
    """

    def __init__(
        self,
        settings: Settings,
        mapping: Mapping[str, Handler],
        codec: MessageCodec,
        dispatch: _DispatchServerEvents,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.codec = codec
        self.dispatch = dispatch
        self.heads = Heads(mapping)
        self.limits = Limits(
            max_concurrent_streams=settings.grpc_max_concurrent_streams,
            max_header_list_size=settings.grpc_max_header_list_size,
        )
        self.message_memory = settings.grpc_message_memory
        self.keepalive_time = settings.grpc_keepalive_time
        self.keepalive_timeout = settings.grpc_keepalive_timeout
        self.progress_timeout = settings.grpc_progress_timeout
        self.received = memoryview(bytearray(_RECEIVED))
        self.connections: set[NativeProtocol] = set()
        self.now = monotonic()
        self._timer: asyncio.TimerHandle | None = None

    def listened(self) -> frozenset[str]:
        """Return the names of the events that somebody listens to (``grpclib.events``)."""
        # The method of an event that nobody listens to lies in the object itself.
        return frozenset(self.dispatch.__dispatch_methods__.values()) - frozenset(vars(self.dispatch))

    def connect(self) -> NativeProtocol:
        """Return the protocol of a new connection."""
        if self._timer is None:
            self.now = monotonic()
            self._timer = self.loop.call_later(_TICK, self._tick)
        return NativeProtocol(self)

    def _tick(self) -> None:
        self.now = now = monotonic()
        for each in list(self.connections):
            each.check(now)
        self._timer = self.loop.call_later(_TICK, self._tick) if self.connections else None

    def hand_over(self) -> None:
        """Ask clients to take other connections for their next calls; those that they make meanwhile are answered."""
        for each in list(self.connections):
            each.hand_over()

    def drain(self) -> None:
        """Take no other calls; connections are closed behind those that are running."""
        for each in list(self.connections):
            each.drain()

    def cancel_calls(self) -> None:
        """Stop all calls, which are answered with that."""
        for each in self.connections:
            each.cancel_calls()

    def close(self) -> None:
        """Watch no more, and close all connections."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for each in list(self.connections):
            each.close()

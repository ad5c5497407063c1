"""The rest of a large body, from the socket straight into its buffer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from srv.rest._inference_cycle import InferenceCycle
    from srv.rest._protocol import Http1Protocol


_NOTHING: Final = memoryview(b"")


class BodyReceiver(asyncio.BufferedProtocol):
    """Stands in for the HTTP protocol of a connection until a body is complete.

    Neither the parser nor a `bytes` object sees what comes: a body of 4 MiB costs a tenth of what it does in pieces.
    What follows the body stays in the socket, as the buffer ends where the body does.
    """

    def __init__(self, protocol: Http1Protocol, cycle: InferenceCycle) -> None:
        self._protocol = protocol
        self._cycle = cycle
        self._missing = cycle.missing

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next bytes go."""
        del sizehint
        return self._missing

    def buffer_updated(self, nbytes: int) -> None:
        """Take note of what has come, and give way once it is all."""
        self._cycle.skip(nbytes)
        self._missing = self._missing[nbytes:]
        if not self._missing:
            # uvloop keeps this object for as long as the connection, and a view that is empty keeps its buffer.
            self._missing = _NOTHING
            self._protocol.resume_parsing()

    def eof_received(self) -> None:
        """Let the transport close: half a body has no answer."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on."""
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass it on."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._protocol.resume_writing()

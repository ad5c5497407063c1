"""What the connections of asyncio have in common."""

from __future__ import annotations

import asyncio
import select
from typing import TYPE_CHECKING, TypeVar, cast

from srv.client._connecting import refused, too_slow
from srv_protocol.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from srv.client._deadline import Deadline
    from srv.client._options import Options

P = TypeVar("P", bound="ClientProtocol")


class ClientProtocol(asyncio.BufferedProtocol):
    """A connection: bytes are received to where :meth:`get_buffer` says.

    Attributes:
        closed: done when the connection is.
    """

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._poll = select.poll()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self.transport = cast("asyncio.Transport", transport)
        self._poll.register(transport.get_extra_info("socket"), select.POLLIN)

    def has_unread(self) -> bool:
        """Whether something has come that the event loop has not seen yet: perhaps the end."""
        return not self.transport.is_closing() and bool(self._poll.poll(0))

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note of the end."""
        del exc
        if not self.closed.done():
            self.closed.set_result(None)

    async def aclose(self) -> None:
        """Close the connection, and return when it is."""
        self.transport.abort()
        await self.closed


async def connect(make: Callable[[], P], options: Options, deadline: Deadline) -> P:
    """Return a new connection.

    Raises:
        ConnectError: there is none, or not within ``connect_timeout``.
        DeadlineExceeded: the call's time is over before that.
    """
    loop, endpoint = asyncio.get_running_loop(), options.endpoint
    try:
        async with asyncio.timeout(deadline.left(options.connect_timeout)):
            if endpoint.path:
                _, protocol = await loop.create_unix_connection(make, endpoint.path)
            else:
                name = endpoint.host if options.tls is not None else None
                _, protocol = await loop.create_connection(
                    make, endpoint.host, endpoint.port, ssl=options.tls, server_hostname=name
                )
    except TimeoutError:
        deadline.left()  # which raises, if it is the call's time that is over
        raise too_slow(endpoint, options.connect_timeout or 0.0) from None
    except OSError as error:
        raise refused(endpoint, error) from None
    return protocol


async def wait_for(waiter: asyncio.Future[None], deadline: Deadline) -> None:
    """Return when a future is done.

    Raises:
        DeadlineExceeded: it takes too long.
    """
    left = deadline.left()
    if left is None:
        await waiter
        return
    timer = asyncio.get_running_loop().call_later(left, _expire, waiter, deadline)
    try:
        await waiter
    finally:
        timer.cancel()


def _expire(waiter: asyncio.Future[None], deadline: Deadline) -> None:
    if not waiter.done():
        waiter.set_exception(deadline.exceeded())


class LoopBound:
    """Belongs to the event loop that uses it first."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def enter(self) -> asyncio.AbstractEventLoop:
        """Return the running loop.

        Raises:
            InvalidInput: it is another one than before, or the client is closed.
        """
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        if self._loop is not loop:
            raise InvalidInput("the client belongs to another event loop, the one that has used it first")
        if self._closed:
            raise InvalidInput("the client is closed")
        return loop

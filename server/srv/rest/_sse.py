"""A stream of responses as server-sent events."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, NamedTuple

from srv._status import describe_error
from srv.rest._errors import STOPPING, bare_error_response, error_body

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from litestar.types import Receive, Scope, Send


class Event(NamedTuple):
    """What one event carries, and the headers of a response that begins with it."""

    data: bytes
    headers: list[tuple[str, str]]


class EventStream:
    """An ASGI response that writes each event as ``data: {json}`` (WHATWG HTML, "Server-sent events").

    An error before the first event has its own status; a later one is the last event, and so is the end of a server
    that waits no longer. The headers are those of the first event. The generator is closed when the request is
    cancelled, as it is when the client leaves.
    """

    def __init__(self, events: AsyncGenerator[Event], doing: str) -> None:
        self._events = events
        self._doing = doing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._events):
            try:
                first = await anext(self._events, None)
            except Exception as error:  # noqa: BLE001  # the table of errors knows them all
                await bare_error_response(describe_error(error, self._doing))(scope, receive, send)
                return
            sent = {"cache-control": "no-cache"} | dict(() if first is None else first.headers)
            headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
            headers += [(name.encode(), value.encode()) for name, value in sent.items()]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            if first is not None:
                await _send_event(send, first.data)
                await self._send_rest(send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_rest(self, send: Send) -> None:
        try:
            async for event in self._events:
                await _send_event(send, event.data)
        except (asyncio.CancelledError, Exception) as error:  # noqa: BLE001  # the status is out; the table of errors gives the text
            # Of those who cancel a request, only the server's stop leaves somebody to read it.
            told = error if isinstance(error, Exception) else STOPPING
            await _send_event(send, error_body(describe_error(told, self._doing).message))


async def _send_event(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": b"data: " + data + b"\n\n", "more_body": True})

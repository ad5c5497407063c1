"""A stream of responses as server-sent events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from srv._status import describe_error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from litestar.types import Receive, Scope, Send


class EventStream:
    """An ASGI response that writes each item as ``data: {json}`` (WHATWG HTML, "Server-sent events").

    `first` has been produced already, so that an error before it could have a status of its own; a later error is
    the last event.
    """

    def __init__(
        self, first: bytes | None, rest: AsyncGenerator[bytes], headers: Iterable[tuple[str, str]], doing: str
    ) -> None:
        self._first = first
        self._rest = rest
        self._headers = headers
        self._doing = doing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        headers += [(name.encode(), value.encode()) for name, value in self._headers]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        try:
            if self._first is not None:
                await _send_event(send, self._first)
                try:
                    async for item in self._rest:
                        await _send_event(send, item)
                except Exception as error:  # noqa: BLE001  # the status is out; the table of errors gives the text
                    message = describe_error(error, self._doing).message
                    await _send_event(send, msgspec.json.encode({"error": message}))
        finally:
            await self._rest.aclose()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _send_event(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": b"data: " + data + b"\n\n", "more_body": True})

"""A stream of responses as server-sent events."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from srv._status import describe_error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable

    from litestar.types import Receive, Scope, Send

    from srv_protocol.inference import ModelInferResponse


class EventStream:
    """An ASGI response that writes each item as ``data: {json}`` (WHATWG HTML, "Server-sent events").

    `first` has been produced already, so that an error before it could have a status of its own; a later error is
    the last event. The generator of the items is closed when the client leaves.
    """

    def __init__(
        self,
        first: bytes | None,
        rest: AsyncGenerator[ModelInferResponse],
        encode: Callable[[ModelInferResponse], bytes],
        headers: Iterable[tuple[str, str]],
        doing: str,
    ) -> None:
        self._first = first
        self._rest = rest
        self._encode = encode
        self._headers = headers
        self._doing = doing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        # The generator must go on in the task, and with the context variables, that it began with.
        task = asyncio.current_task()
        left = False

        async def watch() -> None:
            nonlocal left
            while (await receive())["type"] != "http.disconnect":
                pass
            left = True
            if task is not None:
                task.cancel()

        watching = asyncio.ensure_future(watch())
        try:
            await self._send(send)
        except asyncio.CancelledError:
            # Sending into a closed connection is no error to uvicorn, so this is the only way out.
            if not left:
                raise
            if task is not None:
                task.uncancel()
        finally:
            watching.cancel()
            await self._rest.aclose()

    async def _send(self, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        headers += [(name.encode(), value.encode()) for name, value in self._headers]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if self._first is not None:
            await _send_event(send, self._first)
            try:
                async for item in self._rest:
                    await _send_event(send, self._encode(item))
            except Exception as error:  # noqa: BLE001  # the status is out; the table of errors gives the text
                message = describe_error(error, self._doing).message
                await _send_event(send, msgspec.json.encode({"error": message}))
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _send_event(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": b"data: " + data + b"\n\n", "more_body": True})

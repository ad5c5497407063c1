"""A stream of responses as server-sent events."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from litestar import MediaType
from litestar.response.base import ASGIResponse

from srv._headers import response_headers
from srv._status import describe_error
from srv.rest._errors import error_body

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from litestar.types import Receive, Scope, Send

    from srv_protocol.inference import ModelInferResponse


class EventStream:
    """An ASGI response that writes each item as ``data: {json}`` (WHATWG HTML, "Server-sent events").

    An error before the first item has its own status; a later one is the last event. The headers are those of the
    first item. The generator of the items is closed when the client leaves.
    """

    def __init__(
        self,
        items: AsyncGenerator[ModelInferResponse],
        encode: Callable[[ModelInferResponse], bytes],
        doing: str,
    ) -> None:
        self._items = items
        self._encode = encode
        self._doing = doing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
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
            await self._run(scope, receive, send)
        except asyncio.CancelledError:
            # Sending into a closed connection is no error to uvicorn, so this is the only way out.
            if not left:
                raise
            if task is not None:
                task.uncancel()
        finally:
            watching.cancel()
            await self._items.aclose()

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            first = await anext(self._items, None)
            data = None if first is None else self._encode(first)
            extra = [] if first is None else response_headers(first.parameters.headers, first.model_name)
        except Exception as error:  # noqa: BLE001  # the table of errors knows them all
            described = describe_error(error, self._doing)
            body = error_body(described.message)
            response = ASGIResponse(body=body, status_code=described.http, media_type=MediaType.JSON)
            await response(scope, receive, send)
            return
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        headers += [(name.encode(), value.encode()) for name, value in extra]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if data is not None:
            await _send_event(send, data)
            await self._send_rest(send)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_rest(self, send: Send) -> None:
        try:
            async for item in self._items:
                await _send_event(send, self._encode(item))
        except Exception as error:  # noqa: BLE001  # the status is out; the table of errors gives the text
            await _send_event(send, error_body(describe_error(error, self._doing).message))


async def _send_event(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": b"data: " + data + b"\n\n", "more_body": True})

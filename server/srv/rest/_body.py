"""Request bodies into one buffer, response bodies out of several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from litestar.response.base import ASGIResponse

from srv._buffers import new_buffer
from srv_protocol.errors import InvalidInput, RequestTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from litestar import Request
    from litestar.datastructures import State
    from litestar.types import HTTPResponseBodyEvent, Receive, Scope, Send

    from srv.dataplane._timeline import Timeline

_EMPTY: Final = memoryview(b"")


class ClientDisconnectedError(Exception):
    """The client went away before its request was complete; there is nobody to answer."""


async def read_body(request: Request[object, object, State], limit: int, declared: str | None) -> memoryview:
    """Return the whole body in one buffer, which is received into and not copied again.

    `declared` is the value of the ``content-length`` header, ``None`` for a chunked body.

    Raises:
        RequestTooLarge: it has, or claims to have, more than `limit` bytes.
        InvalidInput: it ends before the size that it claims.
        ClientDisconnectedError: the client went away.
    """
    if declared is None:
        return await _read_chunks(request, limit)
    # The HTTP parser takes digits only, but any number of zeros before the others.
    size = int(declared.lstrip("0") or "0")
    if size > limit:
        raise too_large(size, limit)
    if not size:
        return _EMPTY
    chunk, more = await _next_chunk(request)
    if len(chunk) == size and not more:
        # A small body comes in one piece, which is a buffer already.
        return memoryview(chunk)
    buffer = new_buffer(size)
    pos = 0
    while True:
        end = pos + len(chunk)
        if end > size:
            raise InvalidInput(f"the request body has more than the {size} bytes of its content-length")
        buffer[pos:end] = chunk
        pos = end
        if not more:
            break
        chunk, more = await _next_chunk(request)
    if pos != size:
        raise InvalidInput(f"the request body has {pos} of the {size} bytes of its content-length")
    return buffer.toreadonly()


async def _next_chunk(request: Request[object, object, State]) -> tuple[bytes, bool]:
    """Return the next piece of the body, and whether there are more."""
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnectedError
        if message["type"] == "http.request":
            return message["body"], message["more_body"]


async def _read_chunks(request: Request[object, object, State], limit: int) -> memoryview:
    buffer = bytearray()
    more = True
    while more:
        chunk, more = await _next_chunk(request)
        if len(buffer) + len(chunk) > limit:
            raise too_large(len(buffer) + len(chunk), limit)
        buffer += chunk
    return memoryview(buffer).toreadonly()


def too_large(size: int, limit: int) -> RequestTooLarge:
    """Return the error for a request that is too large."""
    return RequestTooLarge(f"the request has {size} bytes or more, the server accepts {limit} (max_request_size)")


class BuffersResponse(ASGIResponse):
    """A response whose body is written as a list of buffers, without joining them; `times` learn of its sending."""

    def __init__(
        self,
        parts: Iterable[bytes | memoryview],
        *,
        size: int,
        media_type: str,
        headers: Iterable[tuple[str, str]],
        times: Timeline,
    ) -> None:
        super().__init__(status_code=200, media_type=media_type, headers=headers, content_length=size)
        self._parts = tuple(part for part in parts if len(part))
        self._times = times

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._times.mark_sending()
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._times.finish()

    async def send_body(self, send: Send, receive: Receive) -> None:
        """Send the buffers one by one; the server writes each as it is."""
        del receive
        for part in self._parts:
            # ASGI says bytes; uvicorn hands any buffer on to the transport.
            await send(_body_event(cast("bytes", part), more=True))
        await send(_body_event(b"", more=False))


def _body_event(body: bytes, *, more: bool) -> HTTPResponseBodyEvent:
    return {"type": "http.response.body", "body": body, "more_body": more}

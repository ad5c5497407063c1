"""The short way of a request for inference: from the HTTP parser to the model and back, past ASGI and routing.

uvicorn's parser, flow control and life cycle stay, and the route stays with Litestar, which answers whatever does not
fit here; a test holds both ways to the same answers.
"""

from __future__ import annotations

import asyncio
import functools
import re
from typing import TYPE_CHECKING, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from srv._buffers import new_buffer
from srv._headers import find_header
from srv._status import describe_error
from srv.dataplane._timeline import HTTP, Timeline, now
from srv.rest._errors import CLIENT_CLOSED, describe_cut, error_body, error_headers
from srv.rest._inference import Answer, Inference
from srv.rest._requests import OK, decode_headers
from srv_protocol.errors import InvalidInput

if TYPE_CHECKING:
    from srv._backend import Backend
    from srv.rest._protocol import Http1Protocol
    from srv_protocol.inference import Headers

# Escapes, queries and names that begin with a dot go the general way.
_URL: Final = re.compile(rb"/v2/models/([\w~-][\w.~-]*)(?:/versions/([\w~-][\w.~-]*))?/infer")
# As Litestar has them in the scope.
_ROUTES: Final = ("/v2/models/{name}/infer", "/v2/models/{name}/versions/{version}/infer")
# Longer URLs are not kept in mind: clients choose them.
_LONG_URL: Final = 256
# More digits than those of any 64-bit size are zeros.
_LONGEST_SIZE: Final = 19
# A larger body than this never comes in one piece.
_ONE_PIECE: Final = 1 << 18
# Smaller bodies than this are written in one piece with the head: a copy costs less than another buffer.
_SMALL: Final = 1 << 14


@functools.lru_cache(maxsize=256)
def _match_url(url: bytes) -> tuple[str, str] | None:
    """Return the name and the version, ``""`` for none, of the model that a URL asks; ``None`` for any other URL."""
    matched = _URL.fullmatch(url)
    if matched is None:
        return None
    name, version = matched.groups(b"")
    return name.decode(), version.decode()


class InferenceEndpoint:
    """What the requests on the short way have in common."""

    __slots__ = ("_cors", "_limit", "inference", "metrics", "state")

    def __init__(self, backend: Backend) -> None:
        self.inference = Inference(backend)
        self.metrics = backend.metrics
        self.state = backend.state
        self._cors = backend.settings.cors_settings is not None
        self._limit = backend.settings.max_request_size

    def begin(self, protocol: Http1Protocol) -> InferenceCycle | None:
        """Return the cycle of the request whose head `protocol` has read, ``None`` if it is not one for this way."""
        url = protocol.url
        model = _match_url(url) if len(url) <= _LONG_URL else _match_url.__wrapped__(url)
        parser = protocol.parser
        if (
            model is None
            or protocol.expect_100_continue
            or parser.get_method() != b"POST"
            or parser.get_http_version() != "1.1"
            # The parser takes its body for what comes behind an upgrade.
            or parser.should_upgrade()
        ):
            return None
        try:
            headers = decode_headers(protocol.headers)
        except InvalidInput:
            return None
        length = find_header(headers, "content-length", "")
        # The parser takes digits only, but as many zeros before the others as somebody likes.
        if not length.isdigit() or len(length) > _LONGEST_SIZE or "transfer-encoding" in headers:
            return None
        size = int(length)
        if not 0 < size <= self._limit:
            return None
        if (self._cors and "origin" in headers) or (protocol.access_log and "x-forwarded-for" in headers):
            return None
        try:
            body = new_buffer(size) if size > _ONE_PIECE else None
        except MemoryError:
            return None
        return InferenceCycle(self, protocol, *model, headers, size, body)


# Nobody waits for it, and uvicorn sets it all the same.
_NO_EVENT: Final = asyncio.Event()


class InferenceCycle(RequestResponseCycle):
    """One request and its answer, as uvicorn's protocol sees them."""

    message_event: asyncio.Event = _NO_EVENT
    disconnected = False
    response_started = False
    response_complete = False
    task: asyncio.Task[None] | None = None
    _pos = 0

    def __init__(
        self,
        endpoint: InferenceEndpoint,
        protocol: Http1Protocol,
        name: str,
        version: str,
        headers: Headers,
        size: int,
        body: memoryview | None,
    ) -> None:
        self._endpoint = endpoint
        self._protocol = protocol
        # Of the protocol it is the next request's, once that has begun.
        self._url = protocol.url
        self._name = name
        self._version = version
        self._headers = headers
        self._size = size
        self._body = body
        self._times = Timeline(HTTP)
        self._started = endpoint.metrics.http_started()
        self.keep_alive = protocol.parser.should_keep_alive()

    @property
    def missing(self) -> memoryview:
        """The part of the body's buffer that is still to be received."""
        if self._body is None:
            self._body = new_buffer(self._size)
        return self._body[self._pos :]

    def add(self, data: bytes) -> None:
        """Take a piece of the body, which the parser has cut to its length; one that is all of it is not copied."""
        if self._body is None and len(data) == self._size:
            self._body = memoryview(data)
        else:
            self.missing[: len(data)] = data
        self._pos += len(data)

    def skip(self, size: int) -> None:
        """Take note of bytes that have been received into :attr:`missing`."""
        self._pos += size

    def wait_for_body(self) -> None:
        """Let the task, which begins now, wait for the rest of the body; so that it can be cancelled meanwhile."""
        self.message_event = asyncio.Event()

    async def run(self) -> None:
        """Answer the request."""
        task, self.task = self.task, None
        assert task is not None  # noqa: S101  # the protocol makes one
        endpoint, protocol, times = self._endpoint, self._protocol, self._times
        running = protocol.running
        running.add(task)
        status = 0
        try:
            if self._pos < self._size:
                await self.message_event.wait()
            if self.disconnected:
                return
            times.received = now()
            assert self._body is not None  # noqa: S101  # as it has come
            body, self._body = self._body.toreadonly(), None
            answer = await endpoint.inference.answer(self._name, self._version, self._headers, body, times)
            del body
            times.sending = now()
            try:
                status = OK
                await self._write(status, answer)
            finally:
                times.finish()
        except (asyncio.CancelledError, Exception) as error:  # noqa: BLE001  # the table of errors knows them all
            if running.lost:
                return
            if self.response_started:
                # A stop that nobody waits out: what has been written cannot be taken back.
                protocol.transport.close()
                return
            status = await self._fail(error)
        finally:
            running.remove(task)
            protocol.tasks.discard(task)
            # The protocol keeps its last cycle: they would hold each other, and all this, until the collector comes.
            self._body = None
            del self._protocol, self._times
            status = status if self.response_complete else CLIENT_CLOSED
            endpoint.metrics.http_finished("POST", _ROUTES[bool(self._version)], status, self._started)

    async def _fail(self, error: BaseException) -> int:
        path = self._protocol.root_path + self._url.decode()
        if isinstance(error, asyncio.CancelledError):
            described = describe_cut(error, self._endpoint.state, path)
        else:
            assert isinstance(error, Exception)  # noqa: S101  # run() catches no others
            described = describe_error(error, f"POST {path}")
        headers = error_headers(error) if isinstance(error, Exception) else []
        await self._write(described.http, Answer((error_body(described.message),), "application/json", headers))
        return described.http

    async def _write(self, status: int, answer: Answer) -> None:
        protocol = self._protocol
        if protocol.flow.write_paused:
            await protocol.flow.drain()
        self.response_started = True
        if self.disconnected:
            return
        if protocol.access_log:
            protocol.log_access(self._url, status)
        size = sum(map(len, answer.parts))
        others = "".join([f"{name.lower()}: {value}\r\n" for name, value in answer.headers]) if answer.headers else ""
        end = "\r\n" if self.keep_alive else "connection: close\r\n\r\n"
        text = f"{others}content-type: {answer.media_type}\r\ncontent-length: {size}\r\n{end}"
        head = STATUS_LINE[status] + text.encode("latin-1")
        if size < _SMALL:
            protocol.transport.write(b"".join((head, *answer.parts)))
        else:
            # Not writelines(): asyncio's never pauses the protocol in 3.12.1 and 3.13.0, and uvloop joins these too.
            for part in (head, *answer.parts):
                protocol.transport.write(part)
        if protocol.flow.write_paused:
            # A client that leaves before it has read the answer has not had it.
            await protocol.flow.drain()
        if self.disconnected:
            return
        self.response_complete = True
        if not self.keep_alive:
            protocol.transport.close()
        protocol.on_response_complete()

"""uvicorn's HTTP/1.1 protocol, with a bound on the head of a request and no upgrades."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Final, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from srv.rest._body_receiver import BodyReceiver
from srv.rest._errors import error_body

if TYPE_CHECKING:
    import asyncio
    from asyncio import Transport
    from collections.abc import Mapping

    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from srv.rest._inference_cycle import InferenceCycle, InferenceEndpoint

MAX_HEAD: Final = 1 << 16
"""Bytes of request line and headers, as much as gRPC's header list may have."""
# Less of a body than this is quicker through the parser than past it.
_LARGE_REST: Final = 1 << 15
# Seconds that a client which asks for nothing has to say goodbye in TLS; those that pool connections do not read them.
_GOODBYE: Final = 1.0
_UPGRADE: Final = re.compile(rb"\r\nupgrade:[^\r\n]*", re.IGNORECASE)


_RUNNING: Final = "srv.running"


class Running:
    """The tasks that answer the requests of one connection; they end with it."""

    __slots__ = ("_tasks", "lost")

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()
        self.lost = False

    def add(self, task: asyncio.Task[object]) -> None:
        """Take note of a task that begins; if the client has left meanwhile, it is cancelled at once."""
        self._tasks.add(task)
        if self.lost:
            task.cancel()

    def remove(self, task: asyncio.Task[object]) -> None:
        """Take note of a task that has ended."""
        self._tasks.discard(task)

    def lose(self) -> None:
        """Cancel what runs: nobody waits for it."""
        self.lost = True
        for task in self._tasks:
            task.cancel()


def running_requests(scope: Mapping[str, object]) -> Running:
    """Return the requests that run on the connection of a scope; without one of ours, a new collection."""
    found = scope.get(_RUNNING)
    return found if isinstance(found, Running) else Running()


class Http1Protocol(HttpToolsProtocol):
    """One connection.

    An ``Upgrade`` header is left out of the request: a server may ignore it (RFC 9110, section 7.8), and clients such
    as Java's send one with each first request, while the parser would drop the request's body and read it as the next
    request.

    A request for inference takes the short way of `endpoint`, if there is one, unless something speaks against it.
    """

    endpoint: InferenceEndpoint | None = None
    """That of the server; a subclass sets it, since uvicorn makes the protocols."""
    handing_over: bool = False
    """Whether clients are told to take another connection, behind their next answer; set as the one above."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin with the head of a request."""
        super().connection_made(transport)
        # uvicorn goes by the logger alone.
        self.access_log = self.config.access_log
        self._in_head = True
        self._head_size = 0
        self._refusal = b""
        self.running = Running()
        # The request on the short way whose body is coming, and whether its task waits for it.
        self._receiving: InferenceCycle | None = None
        self._waiting = False
        # The requests that have no whole answer yet, the oldest first; uvicorn knows the last of them.
        self._unanswered: deque[RequestResponseCycle] = deque()
        # When the client had its last answer, while it sends nothing.
        self._idle_since: float | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """End with all that runs: sending into a closed connection is no error to uvicorn, so nothing else would."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        for cycle in self._unanswered:
            cycle.disconnected = True
        self.running.lose()

    def shutdown(self) -> None:
        """Close the connection, or let it end with the answer that it owes."""
        super().shutdown()
        if self.scheme == "https" and self.transport.is_closing():
            # The loop would wait half a minute for the client's close_notify, and a stop for the loop.
            self.loop.call_later(_GOODBYE, self.transport.abort)

    def on_message_begin(self) -> None:
        """Begin a request; its scope is made only for the general way."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def data_received(self, data: bytes) -> None:
        """Take what the client sends; nothing behind what is refused."""
        if self._refusal:
            return
        if self._in_head:
            end = data.find(b"\r\n\r\n")
            if _UPGRADE.search(data, 0, end if end >= 0 else len(data)):
                data = _without_upgrade(data)
            self._head_size += len(data)
        self._idle_since = None
        try:
            self.parser.feed_data(data)
        except HttpParserError:
            message = "Invalid HTTP request received."
            self.logger.warning(message)
            self.send_400_response(message)
            return
        except HttpParserUpgrade:
            self._unsupported_upgrade_warning()
        if self._in_head and self._head_size > MAX_HEAD:
            self._refuse("431 Request Header Fields Too Large", f"the request's head has more than {MAX_HEAD} bytes")
        elif self._receiving is not None:
            self._await_body(self._receiving)

    def _await_body(self, cycle: InferenceCycle) -> None:
        """Let a request's task wait for the rest of its body, and receive a large rest past the parser."""
        if not self._waiting:
            self._waiting = True
            cycle.wait_for_body()
            self._start(cycle)
        if len(cycle.missing) >= _LARGE_REST and not self.transport.is_closing():
            self.transport.set_protocol(BodyReceiver(self, cycle))

    def _start(self, cycle: InferenceCycle) -> None:
        # The cycle takes the task out again itself: a callback would cost another turn of the loop.
        task = cycle.task = self.loop.create_task(cycle.run())
        self.tasks.add(task)

    def resume_parsing(self) -> None:
        """Go on behind a body that the parser has not seen."""
        self.transport.set_protocol(self)
        self.parser = HttpRequestParser(self)
        # As uvicorn has it.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.on_message_complete()

    def on_headers_complete(self) -> None:
        """Go on with the body."""
        self._in_head = False
        cycle = None
        # What a client sends before it has its answer goes the general way, which keeps the order.
        if self.endpoint is not None and not self._unanswered:
            cycle = self.endpoint.begin(self)
        if cycle is None:
            self._begin_scope()
            super().on_headers_complete()
        else:
            self.cycle = self._receiving = cycle
        if self.handing_over:
            self.cycle.keep_alive = False
        self._unanswered.append(self.cycle)

    def _begin_scope(self) -> None:
        url, headers, expect = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expect
        self.headers += headers  # the scope has this list
        cast("dict[str, object]", self.scope)[_RUNNING] = self.running

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        if self._receiving is None:
            super().on_body(body)
        else:
            self._receiving.add(body)

    def on_message_complete(self) -> None:
        """Go on with the next request."""
        self._in_head = True
        self._head_size = 0
        cycle, self._receiving = self._receiving, None
        if cycle is None:
            super().on_message_complete()
        elif self._waiting:
            self._waiting = False
            cycle.message_event.set()
        else:
            self._start(cycle)

    def log_access(self, url: bytes, status: int) -> None:
        """Write the access log's line for a request on the short way, as uvicorn does."""
        client = "" if self.client is None else ":".join(map(str, self.client))
        self.access_logger.info('%s - "%s %s HTTP/%s" %d', client, "POST", url.decode(), "1.1", status)

    def on_response_complete(self) -> None:
        """Go on with the request behind this one, or with its refusal."""
        self._unanswered.popleft()
        # A request that is refused within its body is the last of those that wait.
        waiting = len(self.pipeline) - (not self._in_head)
        if self._refusal and waiting <= 0:
            self._send_refusal()
        elif self.pipeline:
            super().on_response_complete()
        else:
            self.server_state.total_requests += 1
            if self.transport.is_closing():
                return
            if self.flow.read_paused:
                self.flow.resume_reading()
            now = self._idle_since = self.loop.time()
            # The one timer is not made anew for each answer, as uvicorn's is: when due, it waits for what remains.
            if self.timeout_keep_alive_task is None:
                self._look_at(now + self.timeout_keep_alive)

    def _look_at(self, when: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_at(when, self._close_if_idle)

    def _close_if_idle(self) -> None:
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return
        end = self._idle_since + self.timeout_keep_alive
        if self.loop.time() < end:
            self._look_at(end)
        else:
            self.timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP in the form of every other error, and close the connection."""
        self._refuse("400 Bad Request", msg)

    def _unsupported_upgrade_warning(self) -> None:
        # One that came in pieces: what follows cannot be told apart any more.
        self._refuse("400 Bad Request", "the Upgrade header is not supported")

    def _refuse(self, status: str, message: str) -> None:
        body = error_body(message)
        head = (
            f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close"
        )
        self._refusal = head.encode() + b"\r\n\r\n" + body
        if not self._owes_answer():
            self._send_refusal()

    def _owes_answer(self) -> bool:
        """Whether an earlier request still waits for its answer, which comes first (RFC 9112, section 9.3.2)."""
        if self.pipeline:
            return True
        # uvicorn's type leaves out that there is none at first.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is not None and not cycle.response_complete and (self._in_head or cycle.response_started)

    def _send_refusal(self) -> None:
        self.transport.write(self._refusal)
        self.transport.close()


def _without_upgrade(data: bytes) -> bytes:
    head, end, rest = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"", head) + end + rest

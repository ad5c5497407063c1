"""A connection of the event loop: bytes to the HTTP/2 connection, and its events to calls."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from srv._buffers import join_small
from srv.grpc.native._budget import Budget
from srv.grpc.native._call import Call
from srv.grpc.native._inbox import Inbox
from srv.http2._connection import Connection
from srv.http2._errors import ErrorCode
from srv.http2._events import (
    ConnectionFailed,
    DataReceived,
    GoingAway,
    PingAcknowledged,
    RequestReceived,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from srv_protocol.errors import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from grpclib.events import _DispatchServerEvents  # pyright: ignore[reportPrivateUsage]  # grpclib has no public name

    from srv.grpc._codec import MessageCodec
    from srv.grpc.native._endpoint import Endpoint

# Bytes that wait for their companions at most: a handler that sends and sends is held up by the socket alone.
_GATHERED: Final = 1 << 16
# Parts that are shorter are joined: a copy costs less than another buffer for the kernel.
_SMALL: Final = 1 << 15
# Bytes that wait in the transport before handlers wait, and before the client is not heard any more.
_MUCH: Final = 1 << 18
_TOO_MUCH: Final = 1 << 20


class NativeProtocol(asyncio.BufferedProtocol):
    """One client's connection.

    Attributes:
        paused: the client does not read what is sent.
        closing: it is closed, or about to be.
        window_waiters: calls that may not send more.
    """

    transport: asyncio.Transport

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.loop = endpoint.loop
        self.codec: MessageCodec = endpoint.codec
        self.dispatch: _DispatchServerEvents = endpoint.dispatch
        self.listened = endpoint.listened()
        self.http2 = Connection(endpoint.limits)
        self.paused = False
        self.closing = False
        self._writable = asyncio.Event()
        self._calls: dict[int, Call] = {}
        self.window_waiters: set[Call] = set()
        self._budget = Budget(endpoint.message_memory)
        self._flushing: asyncio.Handle | None = None
        self._gathered = 0
        self._draining = self._refusing = self._goodbye = False
        self._deaf = False
        # For what the clock has a say in.
        self._heard = self._made = self._stuck = endpoint.now
        self._pinged = 0.0
        self._unwritten = 0

    # The event loop's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=_MUCH)
        self._endpoint.connections.add(self)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """End all calls."""
        del exc
        self.closing = True
        self._endpoint.connections.discard(self)
        if self._flushing is not None:
            self._flushing.cancel()
        self._writable.set()
        for call in list(self._calls.values()):
            call.leave()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where to receive to: a buffer that all connections share, since nothing stays in it."""
        del sizehint
        return self._endpoint.received

    def buffer_updated(self, nbytes: int) -> None:
        """Take what has been received."""
        self._heard = self._endpoint.now
        for event in self.http2.receive_data(self._endpoint.received[:nbytes]):
            self._TAKES[type(event)](self, event)
        self._flush()

    def pause_writing(self) -> None:
        """Let handlers wait."""
        self.paused = True
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let handlers go on, and the client be heard."""
        self.paused = False
        self._writable.set()
        if self._deaf and not self.transport.is_closing():
            self._deaf = False
            self.transport.resume_reading()

    async def wait_writable(self) -> None:
        """Return when the client reads what is sent."""
        while self.paused and not self.closing:
            await self._writable.wait()

    # What the client does.

    def _take_request(self, event: RequestReceived) -> None:
        stream_id = event.stream_id
        endpoint = self._endpoint
        # Those that the client has given up may still be running.
        if self._refusing or len(self._calls) >= 2 * endpoint.limits.max_concurrent_streams:
            self.http2.reset_stream(stream_id, ErrorCode.REFUSED_STREAM)
            return
        head = endpoint.heads.read(event.headers)
        grow = partial(self._grow_window, stream_id)
        inbox = Inbox(grow, endpoint.limits.stream_window, self.codec.max_size, self._budget)
        if event.ended:
            inbox.end()
        call = self._calls[stream_id] = Call(self, stream_id, head, inbox)
        call.start()

    def _take_data(self, event: DataReceived) -> None:
        call = self._calls.get(event.stream_id)
        if call is not None:
            call.buffer.add(event.data, event.size, ended=event.ended)

    def _take_trailers(self, event: TrailersReceived) -> None:
        call = self._calls.get(event.stream_id)
        if call is not None:
            call.buffer.end()

    def _take_reset(self, event: StreamReset) -> None:
        call = self._calls.get(event.stream_id)
        if call is not None:
            call.leave()

    def _take_window(self, event: WindowUpdated) -> None:
        if event.stream_id:
            call = self._calls.get(event.stream_id)
            if call is not None:
                call.open_window()
            return
        # Not all calls: a client may have many, and say this often.
        waiting, self.window_waiters = self.window_waiters, set()
        for each in waiting:
            each.open_window()

    def _take_pong(self, _: PingAcknowledged) -> None:
        """Take it for what everything else that is received is, too: a sign of life."""

    def _take_goaway(self, _: GoingAway) -> None:
        self._draining = True
        self._close_if_idle()

    def _take_failure(self, _: ConnectionFailed) -> None:
        self._close()

    # What calls and the server do.

    def _grow_window(self, stream_id: int, size: int) -> None:
        self.http2.grow_window(stream_id, size)
        self.flush_soon()

    def release(self, call: Call) -> None:
        """Forget a call that has ended."""
        self._calls.pop(call.id, None)
        call.buffer.close()
        if not self.closing:
            if self.http2.is_open(call.id):
                self.http2.reset_stream(call.id, ErrorCode.CANCEL)
                self.flush_soon()
            self._close_if_idle()

    def _close_if_idle(self) -> None:
        if self._draining and not self._calls:
            self.close()

    def hand_over(self) -> None:
        """Ask the client to take another connection; it closes this one behind its last call."""
        if not self.closing:
            self.http2.announce_end()
            self._flush()

    def drain(self) -> None:
        """Take no other call, and close the connection behind those that are running."""
        if not self.closing:
            self._draining = self._refusing = True
            if not any(call.fears_goaway for call in self._calls.values()):
                self._say_goodbye()
                self._flush()
            self._close_if_idle()

    def _say_goodbye(self) -> None:
        if not self._goodbye:
            self._goodbye = True
            self.http2.go_away()

    def cancel_calls(self) -> None:
        """Stop all calls, which are answered with that."""
        for call in list(self._calls.values()):
            call.stop()

    def close(self) -> None:
        """Say goodbye and close the connection, whatever is running."""
        if not self.closing:
            self._say_goodbye()
            self._close()

    def _close(self) -> None:
        self._flush()
        self.closing = True
        self.transport.close()

    def check(self, now: float) -> None:
        """Close the connection if its client is too slow in some way; ask one that is silent whether it is there."""
        endpoint = self._endpoint
        patience = endpoint.progress_timeout
        written = self.transport.get_write_buffer_size() if self.paused or self.closing else 0
        # More than before is no progress: it is what a client that does not read makes us say.
        if not written or written < self._unwritten:
            self._stuck = now
        self._unwritten = written
        if now - self._stuck > patience or (not self.http2.settled and now - self._made > patience):
            self._abort()
            return
        for call in list(self._calls.values()):
            received, since = call.progress
            if received != call.buffer.received or not call.waits_for_client:
                call.progress = call.buffer.received, now
            elif now - since > patience:
                call.buffer.fail(
                    DeadlineExceeded(
                        f"nothing of an incomplete message has come for {patience:g} s (grpc_progress_timeout)"
                    )
                )
        if self.closing:
            return
        if self._heard >= self._pinged:
            if now - self._heard > endpoint.keepalive_time:
                self._pinged = now
                self.http2.ping(bytes(8))
                self._flush()
        elif now - self._pinged > endpoint.keepalive_timeout:
            self._abort()

    def _abort(self) -> None:
        self.closing = True
        self.transport.abort()

    def flush_soon(self, size: int = 0) -> None:
        """Write what there is to be written in the next turn of the event loop, or now if that is much."""
        self._gathered += size
        if self._gathered > _GATHERED:
            self._flush()
        elif self._flushing is None:
            self._flushing = self.loop.call_soon(self._flush)

    def _flush(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        self._gathered = 0
        out = self.http2.data_to_send()
        if not out or self.transport.is_closing():
            return
        for piece in join_small(out, _SMALL):
            self.transport.write(piece)
        if self.paused and not self._deaf and self.transport.get_write_buffer_size() > _TOO_MUCH:
            # It asks for answers that it does not read.
            self._deaf = True
            self.transport.pause_reading()

    # Each takes the event of its class.
    _TAKES: ClassVar[Mapping[type, Callable[[NativeProtocol, Any], None]]] = {  # pyright: ignore[reportAssignmentType]  # Self is the class
        RequestReceived: _take_request,
        DataReceived: _take_data,
        TrailersReceived: _take_trailers,
        StreamReset: _take_reset,
        WindowUpdated: _take_window,
        PingAcknowledged: _take_pong,
        GoingAway: _take_goaway,
        ConnectionFailed: _take_failure,
    }

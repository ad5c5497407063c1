"""One call: grpclib's stream, as handlers know it, on a connection of our own."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import grpclib.server
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError
from grpclib.metadata import Deadline, decode_metadata
from grpclib.protocol import Peer

from srv._buffers import join_small
from srv.grpc._head import read_metadata, split_binary
from srv.grpc._messages import PREFIX, receive
from srv.http2._errors import ErrorCode, StreamClosed
from srv_protocol.inference import Headers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grpclib.metadata import _Metadata, _MetadataLike  # pyright: ignore[reportPrivateUsage]  # of its interface

    from srv.grpc.native._head import Head
    from srv.grpc.native._inbox import Inbox
    from srv.grpc.native._protocol import NativeProtocol
    from srv.http2._connection import Buffer
    from srv_protocol.message import Message

_logger: Final = logging.getLogger("srv")

# Parts that are shorter are joined with their neighbours: a copy costs less than another frame.
_SMALL: Final = 1 << 14
# Bytes that are written at once: what others have to say waits meanwhile, and a socket that is full is noticed behind.
_BURST: Final = 1 << 20
_BEGIN: Final = ((":status", "200"), ("content-type", "application/grpc+proto"))
_OK: Final = (("grpc-status", "0"),)
_FEARS_GOAWAY: Final = "grpc-python-grpclib/"
_FAULT: Final = "Internal Server Error"


class Call(grpclib.server.Stream["Message", "Message"]):
    """A call, from its headers to its trailers. What is sent goes out with the event loop's next turn, in one piece.

    Attributes:
        id: of the stream.
        buffer: what the client has sent.
        progress: how much has been received, and the time at which it was found to be so much.
    """

    deadline: Deadline | None = None
    progress: tuple[int, float] = (0, 0.0)
    _streams = False
    _begun = False
    _gone = False
    _expired = False
    _task: asyncio.Task[None] | None = None
    _timer: asyncio.TimerHandle | None = None
    _window_waiter: asyncio.Future[None] | None = None
    _status_details_codec = None

    def __init__(self, protocol: NativeProtocol, stream_id: int, head: Head, inbox: Inbox) -> None:
        # Not that of the base class, which makes what few handlers look at.
        self.id = stream_id
        self.buffer = inbox
        self._protocol = protocol
        self._http2 = protocol.http2
        self._head = head
        self._codec = protocol.codec
        self._dispatch = protocol.dispatch
        self._listened = protocol.listened
        self.encoding = head.encoding
        self.user_agent = head.user_agent
        self._method_name = head.path
        self._cardinality = Cardinality.UNARY_UNARY
        method = head.method
        if method is not None:
            self._cardinality = method.cardinality
            self._recv_type, self._send_type = method.request_type, method.reply_type
            self._streams = method.server_streams
        if head.timeout is not None:
            self.deadline = Deadline.from_timeout(head.timeout)
            self._timer = protocol.loop.call_later(head.timeout, self._expire)

    @property
    def _stream(self) -> Call:  # type: ignore[override]  # the base class keeps its transport's stream there
        return self

    @property
    def peer(self) -> Peer:  # type: ignore[override]  # made when somebody asks
        """The other end of the connection."""
        return Peer(self._protocol.transport)

    @property
    def metadata(self) -> _Metadata:  # type: ignore[override]  # as above
        """What the client has sent with the call; a copy of it."""
        return decode_metadata(list(split_binary(self._head.headers)))

    def read_headers(self) -> Headers:
        """Return the call's metadata, as :func:`srv.grpc._head.read_metadata`."""
        known = self._head.metadata
        return read_metadata(self._head.headers) if known is None else Headers.of_lower(known)

    @property
    def left(self) -> bool:
        """Whether nobody waits for the answer any more: the client has gone, or the deadline has passed."""
        return self._gone or self._expired

    @property
    def closable(self) -> bool:
        """Whether the client may still send."""
        return not self._gone and self._http2.is_open(self.id)

    @property
    def fears_goaway(self) -> bool:
        """Whether the client takes a GOAWAY for the end of its running calls, too, as grpclib's does."""
        return self.user_agent is not None and self.user_agent.startswith(_FEARS_GOAWAY)

    @property
    def waits_for_client(self) -> bool:
        """Whether a message is under way that its client does not complete; between those of a stream it need not."""
        method = self._head.method
        begun = bool(self.buffer.received) or (method is not None and not method.client_streams)
        return begun and self.buffer.waits_for_client

    def start(self) -> None:
        """Begin to answer."""
        self._task = self._protocol.loop.create_task(self.run())

    def leave(self) -> None:
        """Take note that nothing can be sent any more, and stop."""
        self._gone = True
        self.buffer.close()
        self.stop()

    def stop(self) -> None:
        """Cancel the handler."""
        # A task that is cancelled before its first step does not even clean up; that step is about to come.
        if self._task is not None and self._begun:
            self._task.cancel()

    def _expire(self) -> None:
        self._expired = True
        self.stop()

    async def run(self) -> None:
        """Answer, whatever the handler does."""
        self._begun = True
        try:
            if not self._gone:
                await self._run()
        except StreamTerminatedError:
            pass  # the client has gone
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._protocol.release(self)

    async def _run(self) -> None:
        refusal = self._head.refusal
        if refusal is not None:
            await self.send_headers(refusal, end_stream=True)
            return
        status, message, details = Status.OK, None, None
        try:
            if not self._expired:
                await self._handle()
            if not (self._send_message_done or self._expired or self._streams):
                _logger.error("%s: the handler has sent no message", self._method_name)
                status, message = Status.UNKNOWN, _FAULT
        except GRPCError as error:
            status, message, details = error.status, error.message, error.details
        except asyncio.CancelledError:
            if not self._expired:
                raise
        except StreamTerminatedError:
            raise
        except Exception:
            _logger.exception("%s: unexpected error", self._method_name)
            status, message = Status.UNKNOWN, _FAULT
        if self._expired:
            status, message, details = Status.DEADLINE_EXCEEDED, None, None
        if not self._send_trailing_metadata_done and not self._cancel_done:
            await self.send_trailing_metadata(status=status, status_message=message, status_details=details)

    async def _handle(self) -> None:
        head = self._head
        assert head.method is not None  # noqa: S101  # there is no refusal
        function = head.method.function
        if "recv_request" in self._listened:
            _, function = await self._dispatch.recv_request(
                self.metadata,
                function,
                method_name=self._method_name,
                deadline=self.deadline,
                content_type=head.content_type,
                user_agent=self.user_agent,
                peer=self.peer,
            )
        await function(self)

    # grpclib's interface for handlers.

    async def recv_message(self) -> Message | None:
        """Return the next message, ``None`` when there is no more.

        Raises:
            What :func:`srv.grpc._messages.receive` raises.
        """
        return await receive(self)

    async def send_initial_metadata(self, *, metadata: _MetadataLike | None = None) -> None:
        """Send the headers of the answer.

        Raises:
            ProtocolError: they have been sent.
        """
        if metadata or "send_initial_metadata" in self._listened:
            await super().send_initial_metadata(metadata=metadata)
            return
        if self._send_initial_metadata_done:
            raise ProtocolError("Initial metadata was already sent")
        await self.send_headers(_BEGIN)
        self._send_initial_metadata_done = True

    async def send_message(self, message: Message) -> None:
        """Send a message, as fast as the client takes it.

        Raises:
            ProtocolError: an answer of one message has been sent.
            WireError: a value does not fit its field.
            StreamTerminatedError: nobody waits for it any more.
        """
        if self._send_message_done and not self._streams:
            raise ProtocolError("Message was already sent")
        if "send_message" in self._listened:
            (message,) = await self._dispatch.send_message(message)
        if not isinstance(message, self._send_type):
            error = f"expected {self._send_type.__name__}, got {type(message).__name__}"
            raise TypeError(error)
        # Before the headers, as it may fail.
        pieces = _gather(message.wire_parts())
        if not self._send_initial_metadata_done:
            await self.send_initial_metadata()
        for data in pieces:
            await self.send_data(data)
        self._send_message_done = True

    async def send_trailing_metadata(
        self,
        *,
        status: Status = Status.OK,
        status_message: str | None = None,
        status_details: object = None,
        metadata: _MetadataLike | None = None,
    ) -> None:
        """End the answer.

        Raises:
            ProtocolError: it has ended, or the message is missing.
        """
        plain = status is Status.OK and not metadata and status_message is None and self._send_initial_metadata_done
        if plain and self._send_message_done and "send_trailing_metadata" not in self._listened:
            if self._send_trailing_metadata_done:
                raise ProtocolError("Trailing metadata was already sent")
            await self.send_headers(_OK, end_stream=True)
            self._send_trailing_metadata_done = True
        else:
            await super().send_trailing_metadata(
                status=status, status_message=status_message, status_details=status_details, metadata=metadata
            )

    # What grpclib's interface stands on.

    async def send_headers(self, headers: Sequence[tuple[str, str]], *, end_stream: bool = False) -> None:
        """Send headers; the last ones end the call on the client's side too, if it has not ended it.

        Raises:
            StreamTerminatedError: nobody waits for them any more.
        """
        protocol = self._protocol
        if protocol.paused:
            await protocol.wait_writable()
        try:
            self._http2.send_headers(self.id, headers, end_stream=end_stream)
        except StreamClosed as error:
            raise StreamTerminatedError(str(error)) from None
        if end_stream:
            # It may still send (RFC 9113, section 8.1), and one that meets the connection's end right behind takes the
            # call for lost.
            self._http2.reset_stream(self.id)
        protocol.flush_soon()

    async def send_data(self, data: Buffer) -> None:
        """Send a part of a message, as fast as the client takes it.

        Raises:
            StreamTerminatedError: nobody waits for it any more.
        """
        protocol, http2 = self._protocol, self._http2
        try:
            while True:
                if protocol.paused:
                    await protocol.wait_writable()
                burst = data if len(data) <= _BURST else memoryview(data)[:_BURST]
                sent = http2.send_data(self.id, burst)
                protocol.flush_soon(sent)
                if sent == len(data):
                    return
                data = memoryview(data)[sent:]
                if sent < len(burst):
                    await self._wait_for_window()
        except StreamClosed as error:
            raise StreamTerminatedError(str(error)) from None

    async def _wait_for_window(self) -> None:
        while self._http2.window(self.id) <= 0:
            self._window_waiter = self._protocol.loop.create_future()
            self._protocol.window_waiters.add(self)
            try:
                await self._window_waiter
            finally:
                self._window_waiter = None
                self._protocol.window_waiters.discard(self)

    def open_window(self) -> None:
        """Take note that more may be sent."""
        waiter = self._window_waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def reset(self, error_code: ErrorCode = ErrorCode.CANCEL) -> None:
        """End the call without an answer."""
        self.reset_nowait(error_code)

    def reset_nowait(self, error_code: ErrorCode = ErrorCode.NO_ERROR) -> None:
        """End the call on both sides."""
        self._http2.reset_stream(self.id, error_code)
        self._protocol.flush_soon()


def _gather(parts: Sequence[Buffer]) -> list[Buffer]:
    """Return a message, prefix included, in few pieces; large ones are not copied."""
    size = sum(map(len, parts))
    return join_small((PREFIX.pack(False, size), *parts), _SMALL)  # noqa: FBT003  # the flag of the prefix

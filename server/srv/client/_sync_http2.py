"""gRPC on blocking sockets: HTTP/2 connections of one call at a time."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Final

from srv.client._connecting import connect, send_all
from srv.client._errors import ConnectionLost
from srv.client._http2 import GrpcStream, RequestHeads
from srv.client._pool import Pool
from srv.http2._client import ClientConnection
from srv.http2._errors import ErrorCode
from srv.http2._events import (
    ConnectionFailed,
    DataReceived,
    GoingAway,
    ResponseReceived,
    StreamReset,
    TrailersReceived,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Generator, Sequence

    from srv.client._call import Call, HeaderItems, Reply
    from srv.client._deadline import Deadline
    from srv.client._options import Options
    from srv.http2._events import Event

_OF_STREAMS: Final = (DataReceived, TrailersReceived, ResponseReceived, StreamReset)
_ROOM: Final = 1 << 16
# Seconds for what is said behind a call.
_MOMENT: Final = 1.0


class _Connection:
    """A connection of one call at a time."""

    def __init__(self, made: socket.socket) -> None:
        self._socket = made
        self._http2 = ClientConnection()
        self._view = memoryview(bytearray(_ROOM))
        self._stream: GrpcStream | None = None
        self.usable = True
        # The server takes no other call on it.
        self._going = False
        self._poll = select.poll()
        self._poll.register(made, select.POLLIN)

    def is_fresh(self) -> bool:
        """Whether another call can be made: read what the server has said since the last one, and answer it."""
        if self._poll.poll(0):
            try:
                self._socket.settimeout(_MOMENT)
                self._take(self._view, self._socket.recv_into(self._view))
                while not self._going and self._poll.poll(0):
                    self._take(self._view, self._socket.recv_into(self._view))
                self._socket.sendall(b"".join(self._http2.data_to_send()))
            except (OSError, ConnectionLost):
                self.usable = False
        return self.usable

    def close(self) -> None:
        """Close it."""
        self.usable = False
        self._socket.close()

    def begin(self, headers: HeaderItems, body: Sequence[bytes | memoryview], deadline: Deadline) -> GrpcStream:
        """Send a request, or as much of it as the server wants before it answers."""
        self.usable = False
        stream = self._stream = GrpcStream(self._http2.open_stream(headers))
        try:
            self._send(stream, body, deadline)
        except ConnectionLost as error:
            error.begun = False
            raise
        if stream.ended:
            self._http2.reset_stream(stream.id, ErrorCode.NO_ERROR)
        return stream

    def _send(self, stream: GrpcStream, body: Sequence[bytes | memoryview], deadline: Deadline) -> None:
        last = len(body) - 1
        for index, part in enumerate(body):
            left = part
            while not stream.ended:
                sent = self._http2.send_data(stream.id, left, end_stream=index == last)
                if sent == len(left):
                    break
                left = memoryview(left)[sent:]
                self._flush(deadline)
                self.receive(deadline)
        self._flush(deadline)

    def _flush(self, deadline: Deadline) -> None:
        out = self._http2.data_to_send()
        if not out:
            return
        try:
            send_all(self._socket, out, deadline)
        except TimeoutError:
            raise deadline.exceeded() from None
        except OSError as error:
            raise ConnectionLost(f"the connection broke while the request was sent: {error}") from None

    def receive(self, deadline: Deadline) -> None:
        """Wait for something of the server, and take it."""
        stream = self._stream
        where = None
        under_way, missing = self._http2.data_under_way
        if stream is not None and stream.id == under_way:
            # What is left of a large message goes to its place.
            where = stream.room(missing)
        where = where or self._view
        try:
            deadline.arm(self._socket)
            size = self._socket.recv_into(where)
        except TimeoutError:
            raise deadline.exceeded() from None
        except OSError as error:
            raise ConnectionLost(f"the connection broke before the answer was complete: {error}") from None
        self._take(where, size)
        if stream is not None:
            stream.refill(self._http2)
        self._flush(deadline)

    def _take(self, where: memoryview, size: int) -> None:
        if not size:
            self.usable = False
            raise ConnectionLost("the server has closed the connection without an answer")
        for event in self._http2.receive_data(where[:size]):
            self._take_event(event)

    def _take_event(self, event: Event) -> None:
        stream = self._stream
        if stream is not None and isinstance(event, _OF_STREAMS):
            if event.stream_id == stream.id:
                stream.take(event)
        elif isinstance(event, GoingAway):
            self.usable = False
            self._going = True
            if stream is not None and stream.id > event.last_stream_id:
                stream.fail(ConnectionLost("the server is going away and has not begun the call", begun=False))
        elif isinstance(event, ConnectionFailed):
            self.usable = False
            raise ConnectionLost(f"the server breaks the rules of HTTP/2: {event.reason}")

    def finish(self, stream: GrpcStream) -> None:
        """Make the connection ready for the next call, if this one has ended, or end it."""
        self._stream = None
        if not stream.ended:
            self._http2.reset_stream(stream.id, ErrorCode.CANCEL)
        out = self._http2.data_to_send()
        if out:
            try:
                self._socket.settimeout(_MOMENT)
                self._socket.sendall(b"".join(out))
            except OSError:
                return
        self.usable = not (self._going or self._http2.exhausted)


class Http2Transport:
    """Carries calls on a pool of connections."""

    def __init__(self, options: Options) -> None:
        endpoint = options.endpoint
        self._pool = Pool(lambda deadline: _Connection(connect(options, deadline)), options.connections)
        self._heads = RequestHeads(endpoint.authority, options.headers, tls=endpoint.tls)

    def run(self, call: Call[object], deadline: Deadline) -> Reply:
        """Return the reply to a call."""
        made = self._pool.take(deadline)
        try:
            stream = made.begin(self._heads.make(call, deadline), call.body, deadline)
            while not stream.ended:
                made.receive(deadline)
            made.finish(stream)
        finally:
            self._pool.give(made)
        return stream.reply()

    def stream(self, call: Call[object], deadline: Deadline) -> Generator[Reply]:
        """Yield the replies to a call."""
        with self._pool.connection(deadline) as made:
            stream = made.begin(self._heads.make(call, deadline), call.body, deadline)
            try:
                while True:
                    while stream.messages:
                        yield stream.next_reply()
                    if stream.ended:
                        break
                    made.receive(deadline)
            except GeneratorExit:
                made.finish(stream)
                raise
            made.finish(stream)
            if stream.error is not None:
                raise stream.error

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

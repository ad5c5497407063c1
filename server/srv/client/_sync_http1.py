"""HTTP/1.1 on blocking sockets."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Final

from srv.client._connecting import connect, send_all
from srv.client._errors import ConnectionLost
from srv.client._http1 import EventReader, Heads, ReplyReader
from srv.client._pool import Pool

if TYPE_CHECKING:
    import socket
    from collections.abc import Generator, Sequence

    from srv.client._call import Call, Reply
    from srv.client._deadline import Deadline
    from srv.client._options import Options

_OK: Final = 200


class _Connection:
    """A connection of one call at a time."""

    def __init__(self, made: socket.socket) -> None:
        self._socket = made
        self._reader = ReplyReader()
        self.usable = True
        self._poll = select.poll()
        self._poll.register(made, select.POLLIN)

    def is_fresh(self) -> bool:
        """Whether nothing has come since the last call: it could only be the end."""
        return not self._poll.poll(0)

    def close(self) -> None:
        """Close it."""
        self.usable = False
        self._socket.close()

    def run(self, parts: Sequence[bytes | memoryview], deadline: Deadline) -> Reply:
        """Send a request, and return the whole reply."""
        self.begin(parts, deadline)
        while not self._reader.complete:
            self._receive(deadline)
        self.usable = self._reader.reusable
        return self._reader.reply

    def begin(self, parts: Sequence[bytes | memoryview], deadline: Deadline) -> None:
        """Send a request."""
        self.usable = False
        self._reader.begin()
        try:
            send_all(self._socket, parts, deadline)
        except TimeoutError:
            raise deadline.exceeded() from None
        except OSError as error:
            self._answer_before_the_end(error, deadline)

    def _answer_before_the_end(self, error: OSError, deadline: Deadline) -> None:
        # A server that refuses a request may answer and close before it has all of it.
        try:
            while not self._reader.complete:
                self._receive(deadline)
        except ConnectionLost:
            raise ConnectionLost(f"the connection broke while the request was sent: {error}", begun=False) from None
        self._reader.reusable = False

    def _receive(self, deadline: Deadline) -> None:
        try:
            deadline.arm(self._socket)
            size = self._socket.recv_into(self._reader.room())
        except TimeoutError:
            raise deadline.exceeded() from None
        except OSError as error:
            raise ConnectionLost(f"the connection broke before the answer was complete: {error}") from None
        if not size:
            self._reader.end()
        else:
            self._reader.take(size)

    def events(self, deadline: Deadline) -> Generator[Reply]:
        """Yield the events of a reply, or the reply if it is no stream of them."""
        reader, events = self._reader, EventReader()
        while not (reader.complete or reader.streams):
            self._receive(deadline)
        if not reader.streams or reader.reply.status != _OK:
            while not reader.complete:
                self._receive(deadline)
            self.usable = reader.reusable
            yield reader.reply
            return
        while True:
            for event in events.feed(reader.pieces()):
                yield reader.reply._replace(body=memoryview(event))
            if reader.complete:
                self.usable = reader.reusable
                return
            self._receive(deadline)


class Http1Transport:
    """Carries calls on a pool of connections."""

    def __init__(self, options: Options) -> None:
        self._pool = Pool(lambda deadline: _Connection(connect(options, deadline)), options.connections)
        self._heads = Heads(options.endpoint.authority, options.headers)

    def run(self, call: Call[object], deadline: Deadline) -> Reply:
        """Return the reply to a call."""
        made = self._pool.take(deadline)
        try:
            return made.run((self._heads.render(call), *call.body), deadline)
        finally:
            self._pool.give(made)

    def stream(self, call: Call[object], deadline: Deadline) -> Generator[Reply]:
        """Yield the replies to a call."""
        with self._pool.connection(deadline) as made:
            made.begin((self._heads.render(call), *call.body), deadline)
            yield from made.events(deadline)

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

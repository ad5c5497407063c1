"""grpclib's handler of a connection, mended where a client could make it lose calls, its own or those of others."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, cast

import grpclib.server
from grpclib.const import Status
from h2.exceptions import StreamClosedError

from srv.grpc._head import find_problem, refuse, split_binary
from srv_codecs.compression import IDENTITY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from grpclib.protocol import Stream

    from srv.grpc._codec import MessageCodec
    from srv.grpc._connection import Stream as OurStream

    _Headers = Sequence[tuple[str, str]]


class ConnectionHandler(grpclib.server.Handler):
    """Makes a task of each call of one connection."""

    codec: MessageCodec

    def accept(self, stream: Stream, headers: _Headers, release_stream: Callable[[], object]) -> None:
        """Start a call; one whose headers grpclib would fail on, without an answer, is refused here."""
        released = False

        def release(_: object = None) -> None:
            nonlocal released
            if not released:
                released = True
                release_stream()

        ours = cast("OurStream", stream)
        ours.encoding = dict(headers).get("grpc-encoding", IDENTITY)
        ours.received_headers = headers
        problem = _find_missing(headers) or find_problem(headers)
        if problem is None:
            super().accept(stream, list(split_binary(headers)), release)
        else:
            self._tasks[stream] = self.loop.create_task(_refuse(stream, *problem, release))
        # A task that is cancelled before its first step releases nothing. What the stream has received would count
        # against the connection's window for ever, until no other call of the connection could send any more.
        self._tasks[stream].add_done_callback(release)


def _find_missing(headers: _Headers) -> tuple[Status, str] | None:
    names = {name for name, _ in headers}
    for name in (":method", ":path"):
        if name not in names:
            return Status.INVALID_ARGUMENT, f"the request has no {name}"
    return None


async def _refuse(stream: Stream, status: Status, message: str, release: Callable[[], object]) -> None:
    try:
        with contextlib.suppress(StreamClosedError):
            await stream.send_headers(list(refuse(status, message)), end_stream=True)
            if stream.closable:
                stream.reset_nowait()
    finally:
        release()

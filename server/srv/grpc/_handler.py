"""grpclib's handler of a connection, mended where a client could make it lose calls, its own or those of others."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import grpclib.server
from grpclib.const import Status
from grpclib.metadata import decode_timeout, encode_grpc_message
from h2.exceptions import StreamClosedError

from srv._headers import BINARY, decode_binary
from srv.grpc._messages import ACCEPTED_ENCODINGS, set_encoding
from srv_codecs.compression import ENCODINGS, IDENTITY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from grpclib.protocol import Stream

    _Headers = Sequence[tuple[str, str]]

# Nothing is done within it, and grpclib takes a deadline that passes before it looks for a fault of its own.
_SHORTEST_TIMEOUT: Final = 0.001


class ConnectionHandler(grpclib.server.Handler):
    """Makes a task of each call of one connection."""

    def accept(self, stream: Stream, headers: _Headers, release_stream: Callable[[], object]) -> None:
        """Start a call; one whose headers grpclib would fail on, without an answer, is refused here."""
        released = False

        def release(_: object = None) -> None:
            nonlocal released
            if not released:
                released = True
                release_stream()

        set_encoding(stream, dict(headers).get("grpc-encoding", IDENTITY))
        problem = _find_problem(headers)
        if problem is None:
            super().accept(stream, list(_split(headers)), release)
        else:
            self._tasks[stream] = self.loop.create_task(_refuse(stream, *problem, release))
        # A task that is cancelled before its first step releases nothing. What the stream has received would count
        # against the connection's window for ever, until no other call of the connection could send any more.
        self._tasks[stream].add_done_callback(release)


def _find_problem(headers: _Headers) -> tuple[Status, str] | None:
    names = {name for name, _ in headers}
    for name in (":method", ":path"):
        if name not in names:
            return Status.INVALID_ARGUMENT, f"the request has no {name}"
    for name, value in headers:
        if name.endswith(BINARY):
            try:
                decode_binary(value)
            except ValueError as error:
                return Status.INVALID_ARGUMENT, f"metadata {name!r}: expected base64, got {value[:32]!r} ({error})"
        elif name == "grpc-encoding" and value not in {IDENTITY, *ENCODINGS}:
            return Status.UNIMPLEMENTED, f"grpc-encoding: expected one of {ACCEPTED_ENCODINGS}, got {value[:32]!r}"
        elif name == "grpc-timeout":
            with contextlib.suppress(ValueError):  # for grpclib to answer
                if decode_timeout(value) < _SHORTEST_TIMEOUT:
                    return Status.DEADLINE_EXCEEDED, f"the deadline has passed: grpc-timeout is {value}"
    return None


def _split(headers: _Headers) -> Iterator[tuple[str, str]]:
    """Yield headers, of a binary one each of the values that stand behind commas: grpclib would pass over these."""
    for name, value in headers:
        if name.endswith(BINARY) and "," in value:
            yield from ((name, each.strip()) for each in value.split(","))
        else:
            yield name, value


async def _refuse(stream: Stream, status: Status, message: str, release: Callable[[], object]) -> None:
    headers = [
        (":status", "200"),
        ("content-type", "application/grpc+proto"),
        ("grpc-status", str(status.value)),
        ("grpc-message", encode_grpc_message(message)),
        ("grpc-accept-encoding", ACCEPTED_ENCODINGS),
    ]
    try:
        with contextlib.suppress(StreamClosedError):
            await stream.send_headers(headers, end_stream=True)
            if stream.closable:
                stream.reset_nowait()
    finally:
        release()

"""What every RPC has around its handler: errors to statuses, metrics, and the count that a shutdown waits for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError, StreamTerminatedError
from h2.exceptions import StreamClosedError

from srv._headers import BINARY, decode_binary, response_headers
from srv._state import SHUTTING_DOWN
from srv._status import describe_error
from srv.grpc._messages import http_stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from typing import TypeAlias

    from grpclib._typing import IServable
    from grpclib.server import Stream

    from srv._metrics import Metrics
    from srv_protocol.inference import Headers

    _Function: TypeAlias = Callable[[Stream[object, object]], Awaitable[None]]
    _HandlerFields: TypeAlias = tuple[_Function, Cardinality, type[object], type[object]]

# grpclib's Cardinality has no typed names.
_KINDS: Final = {
    Cardinality.UNARY_UNARY: "unary",
    Cardinality.UNARY_STREAM: "server_stream",
    Cardinality.STREAM_UNARY: "client_stream",
    Cardinality.STREAM_STREAM: "bidi_stream",
}

# Characters; percent-encoding makes three of one that is not ASCII, for each of its bytes.
_LONGEST_MESSAGE: Final = 4096


def response_metadata(headers: Headers | None, model: str) -> list[tuple[str, str | bytes]]:
    """Return a runtime's headers as trailing metadata; the value of a binary one (``-bin``) is base64 text.

    Raises:
        InferenceError: a header is not valid.
    """
    return as_metadata(response_headers(headers, model))


def as_metadata(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str | bytes]]:
    """Return headers that were found valid as trailing metadata."""
    metadata: list[tuple[str, str | bytes]] = []
    for name, value in headers:
        if name.endswith(BINARY):
            metadata += ((name, each) for each in decode_binary(value))
        elif value:  # gRPC knows no empty one, which HTTP allows
            metadata.append((name, value))
    return metadata


class Calls:
    """The calls that run, and the wrapper that each handler gets."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.refusing = False

    async def wait_idle(self) -> None:
        """Return once no call runs."""
        await self._idle.wait()

    def wrap(self, services: Iterable[IServable]) -> IServable:
        """Return one service with all their methods, each wrapped.

        Several may share the RPCs of one base: each RPC is that of the one which overrides it.
        """
        mapping: dict[str, Handler] = {}
        for service in services:
            for path, handler in service.__mapping__().items():
                function, cardinality, request_type, reply_type = cast("_HandlerFields", handler)
                if path in mapping and path.rpartition("/")[2] not in vars(type(service)):
                    continue
                wrapped = self._wrap(path, function, _KINDS[cardinality])
                mapping[path] = Handler(wrapped, cardinality, request_type, reply_type)
        return _Service(mapping)

    def _wrap(self, path: str, function: _Function, kind: str) -> _Function:
        _, service, method = path.split("/")
        metrics = self._metrics.rpc(kind, service, method)

        async def call(stream: Stream[object, object]) -> None:
            started = metrics.started()
            status = Status.UNKNOWN
            self._running += 1
            self._idle.clear()
            try:
                await (_refuse() if self.refusing else function(stream))
                status = Status.OK
            except GRPCError as error:
                status = error.status
                raise
            except asyncio.CancelledError:
                if http_stream(stream).left:
                    expired = stream.deadline is not None and not stream.deadline.time_remaining()
                    status = Status.DEADLINE_EXCEEDED if expired else Status.CANCELLED
                    raise
                # grpclib would send nothing, and the client would wait.
                cut = _cut(stopping=self.refusing)
                status = cut.status
                raise cut from None
            except (StreamClosedError, StreamTerminatedError) as error:
                # The client has gone, and the model's code went on although it was cancelled.
                status = Status.CANCELLED
                raise asyncio.CancelledError from error
            except Exception as error:
                described = describe_error(error, path)
                status = described.grpc
                raise GRPCError(status, _short(described.message)) from error
            finally:
                self._running -= 1
                if not self._running:
                    self._idle.set()
                metrics.finished(status.name, started)

        return call


def _short(message: str) -> str:
    """Return a text that fits into a header list; clients take one of more than 8 or 16 KiB for a fault of its own."""
    limit = _LONGEST_MESSAGE if message.isascii() else _LONGEST_MESSAGE // 4
    return message if len(message) <= limit else f"{message[:limit]}..."


async def _refuse() -> None:
    raise _cut(stopping=True)


def _cut(*, stopping: bool) -> GRPCError:
    """Return the error of a call that is cancelled although its client waits."""
    if stopping:
        return GRPCError(Status.UNAVAILABLE, SHUTTING_DOWN)
    return GRPCError(Status.INTERNAL, "the request was cancelled")


class _Service:
    def __init__(self, mapping: Mapping[str, Handler]) -> None:
        self._mapping = mapping

    def __mapping__(self) -> Mapping[str, Handler]:
        return self._mapping

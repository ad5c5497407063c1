"""What every RPC has around its handler: errors to statuses, metrics, and the count that a shutdown waits for."""

from __future__ import annotations

import asyncio
import struct
from base64 import b64encode
from typing import TYPE_CHECKING, Final, TypeVar, cast

import numpy as np
from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError

from srv._status import describe_error
from srv_protocol.errors import InvalidInput, RequestTooLarge, Unsupported
from srv_protocol.inference import Headers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from typing import TypeAlias

    from grpclib._typing import IServable
    from grpclib.server import Stream

    from srv._metrics import Metrics
    from srv.grpc._codec import MessageCodec

    _Function: TypeAlias = Callable[[Stream[object, object]], Awaitable[None]]
    _HandlerFields: TypeAlias = tuple[_Function, Cardinality, type[object], type[object]]

# grpclib's Cardinality has no typed names.
_KINDS: Final = {
    Cardinality.UNARY_UNARY: "unary",
    Cardinality.UNARY_STREAM: "server_stream",
    Cardinality.STREAM_UNARY: "client_stream",
    Cardinality.STREAM_STREAM: "bidi_stream",
}

# Compressed or not, and the size ("PROTOCOL-HTTP2", Length-Prefixed-Message).
_PREFIX: Final = struct.Struct(">?I")
# What a larger message is received in; small enough for a core's cache, from which it is copied.
_PIECE: Final = 1 << 16

_Req = TypeVar("_Req")
_Res = TypeVar("_Res")


async def receive(stream: Stream[_Req, _Res]) -> _Req | None:
    """Return the next request of a call, ``None`` when there is no more.

    This is grpclib's ``recv_message`` with a limit, and with one buffer into which a large message is received:
    grpclib gathers it in pieces of 16 KiB and joins them, which holds it twice and leaves the heap in pieces too.

    Raises:
        RequestTooLarge: the message is larger than the server accepts; none of it has been read.
        WireError: the message is malformed.
        InvalidInput: the stream ends inside a message.
        Unsupported: the message is compressed.
    """
    codec = cast("MessageCodec", stream._codec)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # grpclib has no other way to what a call is made of
    prefix = await _read(stream, _PREFIX.size, may_end=True)
    if not prefix:
        return None
    compressed, size = _PREFIX.unpack(prefix)
    if compressed:
        raise Unsupported("compressed messages are not served; send them with grpc-encoding identity")
    if size > codec.max_size:
        raise RequestTooLarge(
            f"the request message has {size} bytes, the server accepts {codec.max_size} (max_request_size)"
        )
    if size <= _PIECE:
        return codec.decode(await _read(stream, size), stream._recv_type)  # type: ignore[type-var]  # noqa: SLF001
    # Not a bytearray: that would write zeros over memory that is about to be written anyway.
    buffer = np.empty(size, np.uint8).data
    for pos in range(0, size, _PIECE):
        end = min(pos + _PIECE, size)
        buffer[pos:end] = await _read(stream, end - pos)
    return codec.decode(buffer.toreadonly(), stream._recv_type)  # type: ignore[type-var]  # noqa: SLF001


async def _read(stream: Stream[_Req, _Res], size: int, *, may_end: bool = False) -> bytes:
    """Return the next bytes of a call: as many as asked for, or none where it may end and has."""
    data: bytes | None
    try:
        data = await stream._stream.recv_data(size)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # see receive()
    except AssertionError:
        # grpclib's way to say that END_STREAM came before the bytes that the length prefix claims.
        data = None
    if data is None or len(data) != (0 if may_end and not data else size):
        raise InvalidInput("the request message is truncated: the stream ends inside it")
    return data


async def receive_one(stream: Stream[_Req, _Res]) -> _Req:
    """Return the request of a unary call.

    Raises:
        InvalidInput: there is none.
        And what :func:`receive` raises.
    """
    message = await receive(stream)
    if message is None:
        raise InvalidInput("the call has no request message")
    return message


def request_headers(stream: Stream[_Req, _Res]) -> Headers:
    """Return a call's metadata; the text of a binary value (``-bin``) is its base64 form."""
    items = stream.metadata.items() if stream.metadata is not None else ()
    return Headers((name, value if isinstance(value, str) else b64encode(value).decode()) for name, value in items)


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
        """Return one service with all their methods, each wrapped."""
        mapping: dict[str, Handler] = {}
        for service in services:
            for path, handler in service.__mapping__().items():
                function, cardinality, request_type, reply_type = cast("_HandlerFields", handler)
                wrapped = self._wrap(path, function, _KINDS[cardinality])
                mapping[path] = Handler(wrapped, cardinality, request_type, reply_type)
        return _Service(mapping)

    def _wrap(self, path: str, function: _Function, kind: str) -> _Function:
        _, service, method = path.split("/")

        async def call(stream: Stream[object, object]) -> None:
            started = self._metrics.grpc_started(kind, service, method)
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
                expired = stream.deadline is not None and not stream.deadline.time_remaining()
                status = Status.DEADLINE_EXCEEDED if expired else Status.CANCELLED
                raise
            except Exception as error:
                described = describe_error(error, path)
                status = described.grpc
                raise GRPCError(status, described.message) from error
            finally:
                self._running -= 1
                if not self._running:
                    self._idle.set()
                self._metrics.grpc_finished(kind, service, method, status.name, started)

        return call


async def _refuse() -> None:
    raise GRPCError(Status.UNAVAILABLE, "the server is shutting down")


class _Service:
    def __init__(self, mapping: Mapping[str, Handler]) -> None:
        self._mapping = mapping

    def __mapping__(self) -> Mapping[str, Handler]:
        return self._mapping

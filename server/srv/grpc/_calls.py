"""What every RPC has around its handler: errors to statuses, metrics, and the count that a shutdown waits for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar, cast

from grpclib.const import Handler, Status
from grpclib.exceptions import GRPCError

from srv._status import describe_error
from srv_protocol.errors import InvalidInput, Unsupported
from srv_protocol.inference import Headers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from grpclib._typing import IServable
    from grpclib.server import Stream

    from srv._metrics import Metrics

_Req = TypeVar("_Req")
_Res = TypeVar("_Res")


async def receive(stream: Stream[_Req, _Res]) -> _Req | None:
    """Return the next request of a call, ``None`` when there is no more.

    Raises:
        WireError: the message is malformed.
        InvalidInput: the stream ends inside a message.
        Unsupported: the message is compressed.
    """
    try:
        return await stream.recv_message()
    except NotImplementedError:
        raise Unsupported("compressed messages are not served; send them with grpc-encoding identity") from None
    except AssertionError as error:
        # grpclib's way to say that END_STREAM came before the bytes that the length prefix claims.
        raise InvalidInput(f"the request message is truncated: {error}") from None


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
    return Headers((name, value if isinstance(value, str) else _base64(value)) for name, value in items)


def _base64(value: bytes) -> str:
    from base64 import b64encode  # noqa: PLC0415  # rare

    return b64encode(value).decode()


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
                mapping[path] = handler._replace(func=self._wrap(path, handler))
        return _Service(mapping)

    def _wrap(self, path: str, handler: Handler) -> Callable[[Stream[object, object]], Awaitable[None]]:
        _, service, method = path.split("/")
        kind = handler.cardinality.name.lower()
        function = cast("Callable[[Stream[object, object]], Awaitable[None]]", handler.func)

        async def call(stream: Stream[object, object]) -> None:
            started = self._metrics.grpc_started(kind, service, method)
            status = Status.UNKNOWN
            self._running += 1
            self._idle.clear()
            try:
                if self.refusing:
                    raise GRPCError(Status.UNAVAILABLE, "the server is shutting down")
                await function(stream)
                status = Status.OK
            except GRPCError as error:
                status = error.status
                raise
            except asyncio.CancelledError:
                status = Status.CANCELLED
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


class _Service:
    def __init__(self, mapping: Mapping[str, Handler]) -> None:
        self._mapping = mapping

    def __mapping__(self) -> Mapping[str, Handler]:
        return self._mapping

"""The messages of a call: prefix, size limit, compression (gRPC over HTTP/2, "Length-Prefixed-Message").

grpclib has no compression and no limit, so this is its ``recv_message`` and ``send_message`` once more, with both.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar, cast

from srv._offload import off_loop
from srv_codecs.compression import IDENTITY, compress, decompress
from srv_protocol.errors import InvalidInput, RequestTooLarge, Unsupported

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence

    from grpclib.server import Stream

    from srv.grpc._codec import MessageCodec
    from srv_protocol.inference import Headers
    from srv_protocol.message import Message

PREFIX: Final = struct.Struct(">?I")
"""What stands before a message: whether it is compressed, and its size."""
_Req = TypeVar("_Req")
_Res = TypeVar("_Res")
_M = TypeVar("_M", bound="Message")


def _nothing() -> None:
    pass


class Packed(NamedTuple):
    """A message as it is sent."""

    compressed: bool
    data: memoryview


class Messages(Protocol):
    """What a call receives."""

    async def next_message(self) -> Packed | None:
        """Return the next message, ``None`` when there is no more.

        Raises:
            RequestTooLarge: it is larger than the server accepts; not all of it has been read.
            InvalidInput: the client has ended the call inside it.
        """

    async def is_at_end(self) -> bool:
        """Whether nothing else comes; returns when that is known."""
        ...

    def stop(self) -> None:
        """Take no message that is not complete: there is none behind those that are."""


class HttpStream(Protocol):
    """A call, as a transport has it.

    Attributes:
        buffer: what it receives.
        encoding: the ``grpc-encoding`` of its messages; its answer is compressed in the same way.
        left: nobody waits for the answer any more: the client has reset the call, or its deadline is over.
        closable: the client may still send.
    """

    buffer: Messages
    encoding: str

    @property
    def left(self) -> bool: ...

    @property
    def closable(self) -> bool: ...

    def read_headers(self) -> Headers:
        """Return the call's metadata, as :func:`srv.grpc._head.read_metadata`."""
        ...

    def reset_nowait(self) -> None:
        """End the call on both sides."""

    async def send_headers(self, headers: Sequence[tuple[str, str]]) -> None:
        """Send headers."""

    async def send_data(self, data: bytes) -> None:
        """Send a message, its prefix included."""


def http_stream(stream: Stream[_Req, _Res]) -> HttpStream:
    """Return what a handler's stream stands on."""
    return cast("HttpStream", stream._stream)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # grpclib has no other way to it


def truncated() -> InvalidInput:
    """Return the error of a call that ends inside a message."""
    return InvalidInput("the request message is truncated: the stream ends inside it")


def too_large(size: int, limit: int) -> RequestTooLarge:
    """Return the error of a message of `size` bytes."""
    return RequestTooLarge(f"the request message has {size} bytes, the server accepts {limit} (max_request_size)")


async def receive(stream: Stream[_Req, _Res], received: Callable[[], None] = _nothing) -> _Req | None:
    """Return the next request of a call, ``None`` when there is no more; `received` is called when its bytes are there.

    Raises:
        RequestTooLarge: the message is larger than the server accepts; not all of it has been read.
        WireError: the message is malformed.
        InvalidInput: the stream ends inside a message, or the message is not compressed as the call says.
    """
    codec = cast("MessageCodec", stream._codec)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as above
    http = http_stream(stream)
    packed = await http.buffer.next_message()
    if packed is None:
        return None
    compressed, data = packed
    received()
    if compressed:
        if http.encoding == IDENTITY:
            raise InvalidInput("the request message is compressed, but the call has no grpc-encoding")
        data = await off_loop(len(data), decompress, data, http.encoding, codec.max_size)
    message = codec.decode(data, stream._recv_type)  # type: ignore[type-var]  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as above
    # grpclib's event, as in its own recv_message().
    (message,) = await stream._dispatch.recv_message(message)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as above
    return message


async def receive_one(stream: Stream[_Req, _Res], received: Callable[[], None] = _nothing) -> _Req:
    """Return the request of a unary call, once the client has said that there is no other.

    `received` is called as by :func:`receive`.

    Raises:
        Unsupported: there is none, or more than one ("Status codes and their use in gRPC").
        And what :func:`receive` raises.
    """
    message = await receive(stream, received)
    if message is None:
        raise Unsupported("expected one request message, got none")
    if not await http_stream(stream).buffer.is_at_end():
        raise Unsupported("expected one request message, got more behind it")
    return message


async def requests(stream: Stream[_Req, _Res], end: Coroutine[object, object, object]) -> AsyncGenerator[_Req]:
    """Yield the requests of a stream, until the client has sent all of them or `end` returns, which is when to stop.

    Raises:
        What :func:`receive` raises.
    """
    messages = http_stream(stream).buffer
    ended = asyncio.ensure_future(end)
    ended.add_done_callback(lambda _: messages.stop())
    try:
        while (message := await receive(stream)) is not None:
            yield message
            del message  # the next one may take its time, and this one may be large
    finally:
        ended.cancel()


async def send(stream: Stream[_Req, _M], message: _M) -> None:
    """Send a response, compressed when the call's requests may be.

    Raises:
        WireError: a value of the message does not fit its field.
    """
    http = http_stream(stream)
    if http.encoding == IDENTITY:
        await stream.send_message(message)
        return
    if not stream._send_initial_metadata_done:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as above
        content_type = stream._content_type  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as above
        await http.send_headers([(":status", "200"), ("content-type", content_type), ("grpc-encoding", http.encoding)])
        stream._send_initial_metadata_done = True  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as above
    (message,) = await stream._dispatch.send_message(message)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as above
    parts = message.wire_parts()
    packed = await off_loop(sum(map(len, parts)), compress, parts, http.encoding)
    size = sum(map(len, packed))
    await http.send_data(b"".join((PREFIX.pack(True, size), *packed)))  # noqa: FBT003  # the flag of the prefix
    stream._send_message_done = True  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as above

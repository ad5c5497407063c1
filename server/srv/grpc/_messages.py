"""The messages of a call: prefix, size limit, compression (gRPC over HTTP/2, "Length-Prefixed-Message").

grpclib has no compression and no limit, so this is its ``recv_message`` and ``send_message`` once more, with both.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Final, TypeVar, cast

import numpy as np

from srv._offload import off_loop
from srv_codecs.compression import ENCODINGS, IDENTITY, compress, decompress
from srv_protocol.errors import InvalidInput, RequestTooLarge, Unsupported

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

    from grpclib.protocol import Stream as Http2Stream
    from grpclib.server import Stream

    from srv.grpc._codec import MessageCodec
    from srv.grpc._connection import Buffer
    from srv_protocol.message import Message

ACCEPTED_ENCODINGS: Final = ",".join((IDENTITY, *ENCODINGS))
"""The value of ``grpc-accept-encoding``."""
# Compressed or not, and the size.
_PREFIX: Final = struct.Struct(">?I")
_TRUNCATED: Final = "the request message is truncated: the stream ends inside it"
_Req = TypeVar("_Req")
_Res = TypeVar("_Res")
_M = TypeVar("_M", bound="Message")


def _nothing() -> None:
    pass


def set_encoding(stream: Http2Stream, encoding: str) -> None:
    """Note the ``grpc-encoding`` of a call; its answer is compressed in the same way."""
    vars(stream)["grpc_encoding"] = encoding


def _encoding(stream: Stream[_Req, _Res]) -> str:
    found: str = vars(stream._stream).get("grpc_encoding", IDENTITY)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # grpclib has no other way to what a call is made of
    return found


def _buffer(stream: Stream[_Req, _Res]) -> Buffer:
    return cast("Buffer", stream._stream.buffer)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as above


async def receive(stream: Stream[_Req, _Res], received: Callable[[], None] = _nothing) -> _Req | None:
    """Return the next request of a call, ``None`` when there is no more; `received` is called when its bytes are there.

    A large message is received into one buffer, which its frames are copied to as they come.

    Raises:
        RequestTooLarge: the message is larger than the server accepts; none of it has been read.
        WireError: the message is malformed.
        InvalidInput: the stream ends inside a message, or the message is not compressed as the call says.
    """
    codec = cast("MessageCodec", stream._codec)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as above
    buffer = _buffer(stream)
    prefix = buffer.take(_PREFIX.size) or await buffer.read(_PREFIX.size)
    if not prefix:
        return None
    if len(prefix) < _PREFIX.size:
        raise InvalidInput(_TRUNCATED)
    compressed, size = _PREFIX.unpack(prefix)
    if size > codec.max_size:
        raise RequestTooLarge(
            f"the request message has {size} bytes, the server accepts {codec.max_size} (max_request_size)"
        )
    data = buffer.take(size)
    if data is None:
        data = await _read_message(buffer, size)
    elif size < len(cast("bytes", data.obj)) // 2:
        # Whoever keeps a small message must not keep the large piece that it came in.
        data = memoryview(bytes(data))
    received()
    if compressed:
        encoding = _encoding(stream)
        if encoding == IDENTITY:
            raise InvalidInput("the request message is compressed, but the call has no grpc-encoding")
        data = await off_loop(size, decompress, data, encoding, codec.max_size)
    return codec.decode(data, stream._recv_type)  # type: ignore[type-var]  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as above


async def _read_message(buffer: Buffer, size: int) -> memoryview:
    # Not a bytearray: that would write zeros over memory that is about to be written anyway.
    data = np.empty(size, np.uint8).data
    if await buffer.read_into(data) < size:
        # END_STREAM came before the bytes that the prefix claims.
        raise InvalidInput(_TRUNCATED)
    return data.toreadonly()


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
    buffer = _buffer(stream)
    if not buffer.at_end() and await buffer.read(1):
        raise Unsupported("expected one request message, got more behind it")
    return message


async def requests(stream: Stream[_Req, _Res], end: Coroutine[object, object, object]) -> AsyncGenerator[_Req]:
    """Yield the requests of a stream, until the client has sent all of them or `end` returns, which is when to stop.

    Raises:
        What :func:`receive` raises.
    """
    ended = asyncio.ensure_future(end)
    receiving: asyncio.Future[_Req | None] | None = None
    try:
        while True:
            coming = receive(stream)
            receiving = asyncio.ensure_future(coming)
            await asyncio.wait({receiving, ended}, return_when=asyncio.FIRST_COMPLETED)
            message = receiving.result() if receiving.done() else None
            if message is None:
                return
            yield message
            del message  # the next one may take its time, and this one may be large
    finally:
        ended.cancel()
        if receiving is not None:
            receiving.cancel()


async def send(stream: Stream[_Req, _M], message: _M) -> None:
    """Send a response, compressed when the call's requests may be.

    Raises:
        WireError: a value of the message does not fit its field.
    """
    encoding = _encoding(stream)
    if encoding == IDENTITY:
        await stream.send_message(message)
        return
    http2 = stream._stream  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as above
    if not stream._send_initial_metadata_done:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as above
        content_type = stream._content_type  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as above
        await http2.send_headers([(":status", "200"), ("content-type", content_type), ("grpc-encoding", encoding)])
        stream._send_initial_metadata_done = True  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as above
    parts = message.wire_parts()
    packed = await off_loop(sum(map(len, parts)), compress, parts, encoding)
    size = sum(map(len, packed))
    await http2.send_data(b"".join((_PREFIX.pack(True, size), *packed)))  # noqa: FBT003  # the flag of the prefix
    stream._send_message_done = True  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as above

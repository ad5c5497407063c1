"""grpclib's transport, as it is mended: what a call has received, and the last word of a connection."""

from __future__ import annotations

import asyncio
import socket
from itertools import pairwise

import pytest
from fronts import in_memory
from hyperframe.frame import DataFrame
from hypothesis import given
from hypothesis import strategies as st

from srv import Settings
from srv.errors import InvalidInput, RequestTooLarge
from srv.grpc._connection import Buffer, ConnectionProtocol
from srv.grpc._server import GrpcServer

GOAWAY = 7


@given(
    sizes=st.lists(st.integers(1, 9), max_size=12),
    reads=st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=12),
    before=st.integers(0, 12),
)
def test_a_buffer_gives_what_it_gets(sizes: list[int], reads: list[tuple[bool, int]], before: int) -> None:
    """In order, whole, whether it comes before it is wanted or while it is; frames that are read are acknowledged."""
    whole = bytes(range(sum(sizes)))
    acknowledged: list[int] = []

    async def read_all() -> bytes:
        found = b""
        for taking, size in reads:
            taken = buffer.take(size) if taking else None
            found += await buffer.read(size) if taken is None else taken
        return found

    async def run() -> bytes:
        reading: asyncio.Task[bytes] | None = None
        pos = 0
        for index, size in enumerate(sizes):
            if index == before:
                reading = asyncio.create_task(read_all())
                await asyncio.sleep(0)
            buffer.add(whole[pos : pos + size], size)
            pos += size
            if index % 3:
                await asyncio.sleep(0)
        buffer.eof()
        return await (reading or asyncio.create_task(read_all()))

    buffer = Buffer(acknowledged.append, 1000)
    found = asyncio.run(run())
    assert found == whole[: sum(size for _, size in reads)]
    ends = [sum(sizes[:count]) for count in range(len(sizes) + 1)]
    assert sum(acknowledged) == max(end for end in ends if end <= len(found))  # frames that were read to the end
    assert sum(acknowledged) + buffer.unacked_size() == len(whole)
    assert buffer.unacked_size() == 0


def test_padding_alone_is_acknowledged_too() -> None:
    """Frames may have no other data."""
    acknowledged: list[int] = []
    buffer = Buffer(acknowledged.append, 1000)
    for data, size in ((b"", 3), (b"", 4), (b"ab", 5), (b"", 6)):
        buffer.add(data, size)
    assert buffer.take(3) is None
    assert bytes(buffer.take(2) or b"") == b"ab"
    assert acknowledged == [3, 4, 5]
    assert buffer.unacked_size() == 6


@given(
    sizes=st.lists(st.integers(0, 30), max_size=5),
    cuts=st.lists(st.integers(0, 60), max_size=6),
    before=st.integers(0, 6),
    cut_off=st.booleans(),
)
def test_messages_come_out_as_they_went_in(sizes: list[int], cuts: list[int], before: int, cut_off: bool) -> None:
    """However they are cut into frames; one that is truncated is an error."""
    messages = [bytes(range(size)) for size in sizes]
    whole = b"".join(bytes(1) + len(each).to_bytes(4) + each for each in messages)
    cut_off = cut_off and bool(messages)
    body = whole[:-1] if cut_off else whole
    ends = sorted({0, *(min(each, len(body)) for each in cuts), len(body)})
    buffer = Buffer(lambda _: None, 1000)

    async def read_all() -> list[bytes]:
        found: list[bytes] = []
        while (packed := await buffer.next_message()) is not None:
            assert not packed.compressed
            found.append(bytes(packed.data))
        assert await buffer.is_at_end()
        return found

    async def run() -> list[bytes]:
        reading: asyncio.Task[list[bytes]] | None = None
        for index, (start, end) in enumerate(pairwise(ends)):
            if index == before:
                reading = asyncio.create_task(read_all())
            buffer.add(body[start:end], end - start)
            await asyncio.sleep(0)
        buffer.eof()
        return await (reading or read_all())

    if cut_off:
        with pytest.raises(InvalidInput, match="truncated"):
            asyncio.run(run())
    else:
        assert asyncio.run(run()) == messages


def test_a_message_that_is_too_large_is_known_by_its_prefix() -> None:
    """Before any of it is there."""
    buffer = Buffer(lambda _: None, 1000)
    buffer.add(b"\0" + (1001).to_bytes(4), 5)
    with pytest.raises(RequestTooLarge, match="has 1001 bytes, the server accepts 1000"):
        asyncio.run(buffer.next_message())


class Wire(asyncio.Transport):
    """What the server writes."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes | bytearray | memoryview] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


def test_a_connection_that_ends_says_why() -> None:
    """A frame that is not allowed is answered with GOAWAY."""

    async def run() -> None:
        async with in_memory(Settings(grpc_transport="grpclib")) as server:
            with socket.socket() as unused:
                protocol = GrpcServer(server.backend, unused)._protocol_factory()
                assert isinstance(protocol, ConnectionProtocol)
                wire = Wire()
                protocol.connection_made(wire)
                protocol.data_received(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000"))
                wire.writes.clear()
                protocol.data_received(DataFrame(9, b"d").serialize())
                (last,) = wire.writes
                assert last[3] == GOAWAY
                assert wire.closed
                protocol.connection_lost(None)

    asyncio.run(run())

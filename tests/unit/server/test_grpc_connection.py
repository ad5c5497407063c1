"""What is below a call: header blocks, frames, buffers and writes, each against h2's own or byte for byte."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from fronts import in_memory
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, StreamEnded
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from hpack import Decoder, Encoder
from hyperframe.frame import DataFrame, Frame, HeadersFrame, PingFrame
from hypothesis import given
from hypothesis import strategies as st
from srv.grpc._frames import ServerConnection
from srv.grpc._hpack import KnownDecoder, KnownEncoder

from srv.grpc._connection import Buffer
from srv.grpc._server import GrpcServer
from srv_protocol.inference import InferInputTensor, ModelInferRequest, ModelInferResponse

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

GOAWAY = 7
CONFIG = H2Configuration(
    client_side=False, header_encoding="latin-1", validate_inbound_headers=False, normalize_inbound_headers=False
)
REQUEST = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/inference.GRPCInferenceService/ModelInfer"),
    (":authority", "a"),
    ("content-type", "application/grpc"),
    ("te", "trailers"),
]

names = st.sampled_from([b":status", b"content-type", b"grpc-status", b"x", b"a-longer-name"])
values = st.sampled_from([b"", b"0", b"200", b"application/grpc+proto", b"v" * 30, b"w" * 70])
blocks = st.lists(st.tuples(names, values), max_size=5)


@given(steps=st.lists(blocks | st.sampled_from([0, 40, 100, 4096]), max_size=40))
def test_known_headers_are_coded_as_hpack_codes_them(steps: list[list[tuple[bytes, bytes]] | int]) -> None:
    """Also where the table changes its size, drops entries, or is too small for any."""
    known, plain = KnownEncoder(), Encoder()
    known_decoder, plain_decoder = KnownDecoder(1 << 16), Decoder(1 << 16)
    for step in steps:
        if isinstance(step, int):
            if step != plain.header_table_size:  # hpack forgets a change that is said twice
                known.header_table_size = plain.header_table_size = step
            continue
        block = plain.encode(step)
        assert known.encode(step) == block
        expected = list(plain_decoder.decode(block, raw=True))
        decoded = known_decoder.decode(block, raw=True)
        assert decoded == expected == step
        decoded.clear()  # it is the caller's own
        assert known_decoder.header_table.dynamic_entries == plain_decoder.header_table.dynamic_entries
        assert known.header_table.dynamic_entries == plain.header_table.dynamic_entries


@st.composite
def client_frames(draw: st.DrawFn) -> bytes:
    """Return what a client sends behind its preface, some of which it must not."""
    encoder = Encoder()
    ended: set[int] = set()
    sent = b"".join(HeadersFrame(each, encoder.encode(REQUEST), flags=["END_HEADERS"]).serialize() for each in (1, 3))
    for _ in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(["data"] * 6 + ["padded", "ping", "headers"]))
        stream_id = draw(st.sampled_from([1, 1, 1, 3, 3, 5, 0]))
        # Behind the end of a stream little: h2 gives back the window of each such frame, before the client can know.
        data = b"d" * draw(st.sampled_from([0, 1, 9] if stream_id in ended else [0, 1, 9, 1000, 16384, 16385]))
        flags = ["END_STREAM"] * draw(st.sampled_from([0, 0, 0, 0, 1]))
        frame: Frame
        if kind == "ping":
            frame = PingFrame(0, b"12345678")
        elif kind == "headers":  # a header block in two frames, whose second one may be another kind
            frame = HeadersFrame(7, encoder.encode(REQUEST))
        else:
            frame = DataFrame(stream_id or 1, data, flags=flags)
            if flags:
                ended.add(frame.stream_id)
            if kind == "padded":
                frame.flags.add("PADDED")
                frame.pad_length = draw(st.integers(0, 20))
        raw = bytearray(frame.serialize())
        if not stream_id and kind == "data":
            raw[5:9] = bytes(4)
        sent += raw
    return sent


def _server(connection: H2Connection) -> H2Connection:
    connection.initiate_connection()
    connection.data_to_send()
    return connection


def _feed(connection: H2Connection, pieces: Iterable[bytes]) -> tuple[list[Event], type[Exception] | None]:
    events: list[Event] = []
    for piece in pieces:
        try:
            events += connection.receive_data(piece)
        except ProtocolError as error:
            return events, type(error)
    return events, None


@given(sent=client_frames(), cuts=st.lists(st.integers(0, 60_000), max_size=4))
def test_frames_are_taken_as_h2_takes_them(sent: bytes, cuts: list[int]) -> None:
    """However they are cut: the same data, events, windows, answers and errors.

    h2 resets a stream once for each frame that comes behind its end, and this once for all that come together.
    """
    sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000") + sent
    ends = sorted({0, *(min(each, len(sent)) for each in cuts), len(sent)})
    pieces = [sent[start:end] for start, end in pairwise(ends)]
    ours, theirs = (_server(each(CONFIG)) for each in (ServerConnection, H2Connection))
    events, error = _feed(ours, pieces)
    expected, expected_error = _feed(theirs, pieces)
    assert error is expected_error
    assert _answers(ours) == _answers(theirs)
    if error is not None:
        return  # what came in the same piece is lost either way
    assert ours.inbound_flow_control_window == theirs.inbound_flow_control_window
    assert ours.streams.keys() == theirs.streams.keys()
    for stream_id in ours.streams:
        assert _data(events, stream_id) == _data(expected, stream_id)
        ended = [type(each) for each in expected if getattr(each, "stream_id", None) == stream_id]
        assert (StreamEnded in ended) is any(
            isinstance(each, StreamEnded) and each.stream_id == stream_id for each in events
        )
    assert [type(each) for each in events if not isinstance(each, DataReceived)] == [
        type(each) for each in expected if not isinstance(each, DataReceived)
    ]


def _answers(connection: H2Connection) -> list[bytes]:
    sent, frames = connection.data_to_send(), [b""]
    while sent:
        end = 9 + int.from_bytes(sent[:3], "big")
        frames += [sent[:end]] * (sent[:end] != frames[-1])
        sent = sent[end:]
    return frames


def _data(events: Iterable[Event], stream_id: int) -> tuple[bytes, int]:
    found = [each for each in events if isinstance(each, DataReceived) and each.stream_id == stream_id]
    return b"".join(each.data or b"" for each in found), sum(each.flow_controlled_length for each in found)


@given(size=st.integers(1, 60_000))
def test_data_is_framed_as_h2_frames_it(size: int) -> None:
    """In frames as large as the client takes, each of them a view."""
    data = np.arange(size).astype("u1").tobytes()
    client = H2Connection(H2Configuration(client_side=True))
    client.initiate_connection()
    client.send_headers(1, REQUEST)
    sent = client.data_to_send()
    ours, theirs = (_server(each(H2Configuration(client_side=False))) for each in (ServerConnection, H2Connection))
    for each in (ours, theirs):
        each.receive_data(sent)
        each.send_headers(1, [(":status", "200")])
        each.data_to_send()
    frames = cast("ServerConnection", ours).frame(1, memoryview(data))
    for pos in range(0, size, 16384):
        theirs.send_data(1, data[pos : pos + 16384])
    assert b"".join(frames) == theirs.data_to_send()
    assert ours.local_flow_control_window(1) == theirs.local_flow_control_window(1) == 65535 - size
    piece = frames[1]
    assert isinstance(piece, memoryview)
    assert piece.obj is data


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

    buffer = Buffer(acknowledged.append)
    found = asyncio.run(run())
    assert found == whole[: sum(size for _, size in reads)]
    ends = [sum(sizes[:count]) for count in range(len(sizes) + 1)]
    assert sum(acknowledged) == max(end for end in ends if end <= len(found))  # frames that were read to the end
    assert sum(acknowledged) + buffer.unacked_size() == len(whole)
    assert buffer.unacked_size() == 0


def test_padding_alone_is_acknowledged_too() -> None:
    """Frames may have no other data."""
    acknowledged: list[int] = []
    buffer = Buffer(acknowledged.append)
    for data, size in ((b"", 3), (b"", 4), (b"ab", 5), (b"", 6)):
        buffer.add(data, size)
    assert buffer.take(3) is None
    assert bytes(buffer.take(2) or b"") == b"ab"
    assert acknowledged == [3, 4, 5]
    assert buffer.unacked_size() == 6


class Wire(asyncio.Transport):
    """What the server writes, each write by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.written = asyncio.Event()
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))
        self.written.set()

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


class Client:
    """h2's client on the other end of a connection."""

    def __init__(self, front: GrpcServer, window: int) -> None:
        self.wire = Wire()
        self.protocol = front._protocol_factory()
        self.protocol.connection_made(self.wire)
        self.h2 = H2Connection(H2Configuration(client_side=True))
        self.h2.initiate_connection()
        self.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.data = b""
        self.ended = False
        self.push()

    def push(self) -> None:
        self.protocol.data_received(self.h2.data_to_send())

    def send(self, stream_id: int, message: bytes) -> None:
        self.h2.send_headers(stream_id, REQUEST)
        for pos in range(0, len(message), 16384):
            self.h2.send_data(stream_id, message[pos : pos + 16384])
        self.h2.end_stream(stream_id)
        self.push()

    async def receive(self) -> list[bytes]:
        """Return the next writes, whose data are not acknowledged."""
        while not self.wire.writes:
            self.wire.written.clear()
            await self.wire.written.wait()
        writes, self.wire.writes = self.wire.writes, []
        for event in self.h2.receive_data(b"".join(writes)):
            if isinstance(event, DataReceived):
                self.data += event.data or b""
            self.ended = self.ended or isinstance(event, StreamEnded)
        return writes


@contextlib.asynccontextmanager
async def connected(window: int = 1 << 20) -> AsyncGenerator[Client]:
    async with in_memory() as server:
        with socket.socket() as unused:
            client = Client(GrpcServer(server.backend, unused), window)
            await client.receive()
            client.push()
            yield client
            client.protocol.connection_lost(None)


def echo(values: np.ndarray[tuple[int], np.dtype[np.float32]]) -> bytes:
    request = ModelInferRequest("echo", inputs=[InferInputTensor("x", "FP32", list(values.shape))])
    request.raw_input_contents = [values.tobytes()]
    body = bytes(request)
    return b"\0" + len(body).to_bytes(4, "big") + body


def test_a_small_answer_is_one_write() -> None:
    """Headers, message and trailers go together."""

    async def run() -> None:
        async with connected() as client:
            client.send(1, echo(np.ones(4, "f4")))
            assert len(await client.receive()) == 1
            assert client.ended
            response = ModelInferResponse.parse(client.data[5:])
            assert response.raw_output_contents == [np.ones(4, "f4").tobytes()]

    asyncio.run(run())


@pytest.mark.parametrize("window", [5, 1 << 14, 30_000, 1 << 20])
def test_an_answer_keeps_within_the_windows_of_its_client(window: int) -> None:
    """It goes on when there is room, to the last byte."""

    async def run() -> None:
        async with connected(window) as client:
            values = np.arange(50_000, dtype="f4")
            for stream_id, part in ((1, values[:10_000]), (3, values[10_000:20_000])):
                client.send(stream_id, echo(part))
                client.data, client.ended = b"", False
                while not client.ended:
                    await client.receive()  # h2 raises when the server sends too much
                    if not client.ended:
                        client.h2.increment_flow_control_window(10_000)
                        client.h2.increment_flow_control_window(10_000, stream_id)
                        client.push()
                assert ModelInferResponse.parse(client.data[5:]).raw_output_contents == [part.tobytes()]

    asyncio.run(run())


def test_a_large_answer_is_written_as_views_of_one_message() -> None:
    """As far as the window goes, at once."""

    async def run() -> None:
        async with connected(1 << 24) as client:
            client.h2.increment_flow_control_window(1 << 24)
            values = np.arange(15_000, dtype="f4")
            client.send(1, echo(values))
            *headers_and_data, trailers = await client.receive()
            assert sum(map(len, headers_and_data)) > values.nbytes > len(trailers)
            assert ModelInferResponse.parse(client.data[5:]).raw_output_contents == [values.tobytes()]

    asyncio.run(run())


def test_a_connection_that_ends_says_why() -> None:
    """A frame that is not allowed is answered with GOAWAY."""

    async def run() -> None:
        async with connected() as client:
            client.protocol.data_received(DataFrame(9, b"d").serialize())
            (last,) = client.wire.writes
            assert last[3] == GOAWAY
            assert client.wire.closed

    asyncio.run(run())

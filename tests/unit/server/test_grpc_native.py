"""A connection of the gRPC front, byte for byte, with h2's client on its other end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import weakref
from typing import TYPE_CHECKING, cast

import grpclib.events
import numpy as np
import pytest
from fronts import in_memory
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    Event,
    PingReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.settings import SettingCodes
from hyperframe.frame import DataFrame

from srv import MLModel, ModelSettings, Settings
from srv.grpc._server import GrpcServer
from srv.grpc.native._protocol import NativeProtocol
from srv.types import InferenceResponse, ResponseOutput
from srv_protocol.inference import InferInputTensor, ModelInferRequest, ModelInferResponse

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from srv.types import InferenceRequest

GOAWAY = 7
INFER = "/inference.GRPCInferenceService/ModelInfer"
LARGE = np.arange(1 << 20, dtype="f4")
DEADLINE_EXCEEDED = "4"


class Slow(MLModel):
    """Runs until it is released."""

    started: asyncio.Event
    released: asyncio.Event
    cancelled = 0

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        del payload
        Slow.started.set()
        try:
            await Slow.released.wait()
        except asyncio.CancelledError:
            Slow.cancelled += 1
            raise
        return InferenceResponse(outputs=[ResponseOutput("y", "FP32", list(LARGE.shape), data=LARGE)])


class Wire(asyncio.Transport):
    """What the server writes, each write by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes | bytearray | memoryview] = []
        self.written = asyncio.Event()
        self.closed = self.aborted = False
        self.reading = True
        self.unwritten = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.writes.append(data)
        self.written.set()

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True
        self.written.set()

    def abort(self) -> None:
        self.closed = self.aborted = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return self.unwritten

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True


class Client:
    """h2's client on the other end of a connection."""

    def __init__(self, front: GrpcServer, window: int) -> None:
        self.wire = Wire()
        self.protocol = front._protocol_factory()
        self.protocol.connection_made(self.wire)
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="latin-1"))
        self.h2.initiate_connection()
        self.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.events: list[Event] = []
        self.data = self.received = b""
        self.goodbyes: list[bytes] = []
        self.push()

    @property
    def native(self) -> NativeProtocol:
        assert isinstance(self.protocol, NativeProtocol)
        return self.protocol

    def push(self) -> None:
        """Send what h2 has to say."""
        self.feed(self.h2.data_to_send())

    def feed(self, data: bytes) -> None:
        """Send bytes, as the event loop hands them on."""
        if not isinstance(self.protocol, NativeProtocol):
            self.protocol.data_received(data)
            return
        while data:
            buffer = self.protocol.get_buffer(-1)
            size = min(len(buffer), len(data))
            buffer[:size] = data[:size]
            self.protocol.buffer_updated(size)
            data = data[size:]

    def begin(self, stream_id: int, *extra: tuple[str, str], path: str = INFER) -> None:
        """Send the headers of a call."""
        headers = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "a")]
        self.h2.send_headers(stream_id, [*headers, ("content-type", "application/grpc"), ("te", "trailers"), *extra])

    def send(self, stream_id: int, message: bytes, *extra: tuple[str, str]) -> None:
        """Send a call, as a whole."""
        self.begin(stream_id, *extra)
        for pos in range(0, len(message), 16384):
            self.h2.send_data(stream_id, message[pos : pos + 16384])
        self.h2.end_stream(stream_id)
        self.push()

    def take(self) -> Sequence[bytes | bytearray | memoryview]:
        """Take the writes, whose data are not acknowledged."""
        writes, self.wire.writes = self.wire.writes, []
        self.wire.written.clear()
        self.received += b"".join(writes)
        events: list[Event] = []
        while len(self.received) >= 9:
            frame = self.received[: 9 + int.from_bytes(self.received[:3])]
            self.received = self.received[len(frame) :]
            if frame[3] == GOAWAY:  # h2 would take nothing behind it
                self.goodbyes.append(frame[9:])
            else:
                events += self.h2.receive_data(frame)  # h2 raises when the server sends too much
        self.data += b"".join(each.data or b"" for each in events if isinstance(each, DataReceived))
        self.events += events
        return writes

    async def receive(self) -> Sequence[bytes | bytearray | memoryview]:
        """Return the next writes."""
        while not self.wire.writes:
            await self.wire.written.wait()
            self.wire.written.clear()
        return self.take()

    def has(self, kind: type[Event], stream_id: int = 0) -> bool:
        return any(isinstance(each, kind) and getattr(each, "stream_id", 0) == stream_id for each in self.events)

    async def status(self, stream_id: int) -> str:
        """Return the status of a call, when it has ended."""
        while not self.has(StreamEnded, stream_id):
            await self.receive()
        (found,) = [value for blocks in self.headers(stream_id) for name, value in blocks if name == "grpc-status"]
        return found

    def headers(self, stream_id: int) -> list[list[tuple[str, str]]]:
        """Return the header blocks of a call's answer."""
        return [
            cast("list[tuple[str, str]]", each.headers)  # text, as h2 is told to have it
            for each in self.events
            if isinstance(each, (ResponseReceived, TrailersReceived)) and each.stream_id == stream_id
        ]

    def check_idle(self) -> None:
        """Nothing is left of any call."""
        assert not self.native._calls
        assert self.native._budget._used == 0
        assert not self.native._budget._waiting


@contextlib.asynccontextmanager
async def connected(window: int = 1 << 20, **settings: object) -> AsyncGenerator[tuple[Client, GrpcServer]]:
    Slow.started, Slow.released, Slow.cancelled = asyncio.Event(), asyncio.Event(), 0
    async with in_memory(Settings(**settings)) as server:  # type: ignore[arg-type]  # names and values of the test
        await server.registry.load(ModelSettings(name="slow", implementation=Slow))
        with socket.socket() as unused:
            front = GrpcServer(server.backend, unused)
            client = Client(front, window)
            await client.receive()
            client.push()
            try:
                yield client, front
            finally:
                client.protocol.connection_lost(None)
                front._endpoint.close()
                Slow.released.set()


def infer(values: np.ndarray[tuple[int], np.dtype[np.float32]], model: str = "echo") -> bytes:
    request = ModelInferRequest(model, inputs=[InferInputTensor("x", "FP32", list(values.shape))])
    request.raw_input_contents = [values.tobytes()]
    body = bytes(request)
    return b"\0" + len(body).to_bytes(4, "big") + body


ONES = np.ones(4, "f4")


async def settle() -> None:
    """Let everything that can run do so."""
    for _ in range(20):
        await asyncio.sleep(0)


def tasks() -> set[asyncio.Task[object]]:
    return asyncio.all_tasks() - {cast("asyncio.Task[object]", asyncio.current_task())}


def test_a_small_answer_is_one_write() -> None:
    """Headers, message and trailers go together, and so do those of calls that come together."""

    async def run() -> None:
        async with connected() as (client, _):
            client.send(1, infer(ONES))
            assert len(await client.receive()) == 1
            assert await client.status(1) == "0"
            assert ModelInferResponse.parse(client.data[5:]).raw_output_contents == [ONES.tobytes()]
            client.check_idle()

    asyncio.run(run())


@pytest.mark.parametrize("window", [5, 1 << 14, 30_000, 1 << 20])
def test_an_answer_keeps_within_the_windows_of_its_client(window: int) -> None:
    """It goes on when there is room, to the last byte."""

    async def run() -> None:
        async with connected(window) as (client, _):
            values = np.arange(50_000, dtype="f4")
            for stream_id, part in ((1, values[:10_000]), (3, values[10_000:20_000])):
                client.send(stream_id, infer(part))
                client.data = b""
                while not client.has(StreamEnded, stream_id):
                    await client.receive()
                    if not client.has(StreamEnded, stream_id):
                        client.h2.increment_flow_control_window(10_000)
                        client.h2.increment_flow_control_window(10_000, stream_id)
                        client.push()
                assert ModelInferResponse.parse(client.data[5:]).raw_output_contents == [part.tobytes()]

    asyncio.run(run())


def test_room_on_a_connection_wakes_those_who_wait_for_it() -> None:
    """And asks nothing of other calls."""

    async def run() -> None:
        async with connected(20_000) as (client, _):
            values = np.arange(10_000, dtype="f4")
            for stream_id in (1, 3):
                client.send(stream_id, infer(values))
                while len(client.native.window_waiters) <= stream_id // 2:
                    await client.receive()
            client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1 << 20})
            client.h2.increment_flow_control_window(1 << 20)
            client.push()
            assert not client.native.window_waiters
            assert [await client.status(each) for each in (1, 3)] == ["0", "0"]

    asyncio.run(run())


def test_a_large_answer_is_written_from_where_it_lies() -> None:
    """In frames as large as the client takes, each of them a view of the model's array."""

    async def run() -> None:
        async with connected((1 << 31) - 1) as (client, _):
            client.h2.increment_flow_control_window(1 << 30)
            client.h2.update_settings({SettingCodes.MAX_FRAME_SIZE: 1 << 20})
            Slow.released.set()
            client.send(1, infer(ONES, "slow"))
            writes: list[bytes | bytearray | memoryview] = []
            while not client.has(StreamEnded, 1):
                writes += await client.receive()
            views = [each for each in writes if np.shares_memory(np.frombuffer(each, "u1"), LARGE)]
            assert sum(map(len, views)) == LARGE.nbytes
            assert len(views) < 10
            assert ModelInferResponse.parse(client.data[5:]).raw_output_contents == [LARGE.tobytes()]

    asyncio.run(run())


def test_a_large_request_is_received_into_the_memory_of_the_connection() -> None:
    """Two that do not fit together come one behind the other; the memory is free again behind them."""

    async def run() -> None:
        async with connected(1 << 23, grpc_message_memory=1 << 20) as (client, _):
            client.h2.increment_flow_control_window(1 << 24)
            values = np.arange(220_000, dtype="f4")
            message, sent = infer(values), {1: 0, 3: 0}
            for stream_id in sent:
                client.begin(stream_id)
            while sent:
                for stream_id, pos in list(sent.items()):
                    size = min(client.h2.local_flow_control_window(stream_id), 16384, len(message) - pos)
                    if size:
                        client.h2.send_data(stream_id, message[pos : pos + size])
                        sent[stream_id] += size
                    if sent[stream_id] == len(message):
                        client.h2.end_stream(stream_id)
                        del sent[stream_id]
                client.push()
                assert client.native._budget._used <= 1 << 20
                await asyncio.sleep(0)  # the memory is free when the handler has taken the message
                client.take()
            assert await client.status(1) == await client.status(3) == "0"
            client.check_idle()

    asyncio.run(run())


def test_a_client_of_grpclib_has_its_answers_before_it_hears_of_the_end() -> None:
    """It takes GOAWAY for the end of its running calls. What it begins meanwhile is refused."""

    async def run() -> None:
        async with connected((1 << 31) - 1) as (client, front):
            client.h2.increment_flow_control_window(1 << 30)
            client.send(1, infer(ONES, "slow"), ("user-agent", "grpc-python-grpclib/0.4.9 (linux; cpython/3.11.7)"))
            await Slow.started.wait()
            front._endpoint.drain()
            client.send(3, infer(ONES))
            assert not client.wire.closed
            while not client.has(StreamReset, 3):
                await client.receive()
            assert not client.goodbyes
            Slow.released.set()
            assert await client.status(1) == "0"
            assert client.wire.closed
            assert client.goodbyes
            client.check_idle()

    asyncio.run(run())


def test_a_connection_that_ends_says_why() -> None:
    """A frame that is not allowed is answered with GOAWAY and the reason; running calls end."""

    async def run() -> None:
        async with connected() as (client, _):
            client.send(1, infer(ONES, "slow"))
            await Slow.started.wait()
            client.feed(DataFrame(9, b"d").serialize())
            client.take()
            (goodbye,) = client.goodbyes
            assert goodbye[:8] == bytes([0, 0, 0, 1, 0, 0, 0, 1])
            assert b"stream 9" in goodbye[8:]
            assert client.wire.closed
            client.protocol.connection_lost(None)
            await settle()
            assert Slow.cancelled == 1
            client.check_idle()

    asyncio.run(run())


def test_a_drain_waits_for_running_calls() -> None:
    """GOAWAY at once; the calls are answered; then the connection is closed. Other calls are not taken meanwhile."""

    async def run() -> None:
        async with connected((1 << 31) - 1) as (client, front):
            client.h2.increment_flow_control_window(1 << 30)
            client.send(1, infer(ONES, "slow"))
            await Slow.started.wait()
            front._endpoint.drain()
            client.take()
            assert client.goodbyes == [bytes([0, 0, 0, 1, 0, 0, 0, 0])]  # the last stream that is taken; no error
            assert not client.wire.closed
            client.begin(3)
            client.h2.end_stream(3)
            client.push()
            await settle()
            assert list(client.native._calls) == [1]
            Slow.released.set()
            assert await client.status(1) == "0"
            await settle()
            assert client.wire.closed
            client.check_idle()

    asyncio.run(run())


def test_an_idle_connection_drains_at_once() -> None:
    """With GOAWAY."""

    async def run() -> None:
        async with connected() as (client, front):
            front._endpoint.drain()
            assert client.wire.closed
            client.take()
            assert client.goodbyes == [bytes(8)]

    asyncio.run(run())


def test_a_client_that_does_not_read_stops_the_writer() -> None:
    """What it asks for is not written while it does not read, whatever its windows."""

    async def run() -> None:
        async with connected((1 << 31) - 1) as (client, _):
            client.h2.increment_flow_control_window(1 << 30)
            client.native.pause_writing()
            Slow.released.set()
            client.send(1, infer(ONES, "slow"))
            await settle()
            assert not client.has(ResponseReceived, 1)
            assert sum(map(len, client.wire.writes)) < 1000
            client.native.resume_writing()
            assert await client.status(1) == "0"
            client.check_idle()

    asyncio.run(run())


def test_a_client_that_asks_and_does_not_read_is_not_heard() -> None:
    """Until it reads."""

    async def run() -> None:
        async with connected() as (client, _):
            client.wire.unwritten = 2 << 20
            client.native.pause_writing()
            client.h2.ping(bytes(8))
            client.push()
            assert not client.wire.reading
            client.h2.ping(bytes(8))
            client.push()  # what had been received already
            client.wire.unwritten = 0
            client.native.resume_writing()
            assert client.wire.reading
            client.take()

    asyncio.run(run())


def test_a_call_that_is_reset_before_its_first_step_never_begins() -> None:
    """And leaves nothing."""

    async def run() -> None:
        async with connected() as (client, _):
            message = infer(ONES, "slow")
            before = tasks()
            client.begin(1)
            client.h2.send_data(1, message, end_stream=True)
            client.h2.reset_stream(1)
            client.push()
            await settle()
            assert not Slow.started.is_set()
            assert tasks() == before
            client.check_idle()
            client.send(3, infer(ONES))
            assert await client.status(3) == "0"

    asyncio.run(run())


@pytest.mark.parametrize("timeout", ["0n", "1n", "20m"])
def test_a_deadline(timeout: str) -> None:
    """Before the first step, and while the model runs."""

    async def run() -> None:
        async with connected() as (client, _):
            client.send(1, infer(ONES, "slow"), ("grpc-timeout", timeout))
            assert await client.status(1) == DEADLINE_EXCEEDED
            await settle()
            assert Slow.cancelled == Slow.started.is_set()
            client.check_idle()
            assert not tasks()

    asyncio.run(run())


@pytest.mark.parametrize("how", ["reset", "lost"])
@pytest.mark.parametrize("where", ["model", "message", "answer"])
def test_nothing_is_left_of_a_call_that_is_cut_off(how: str, where: str) -> None:
    """While its model runs, its message comes, or its answer waits for the client."""

    async def run() -> None:
        async with connected(1000) as (client, _):
            before = tasks()
            if where == "message":
                client.begin(1)
                client.h2.send_data(1, b"\0" + (1 << 20).to_bytes(4) + b"begun")
                client.push()
                await settle()
                assert client.native._budget._used == 1 << 20
            else:
                client.send(1, infer(ONES, "slow"))
                await Slow.started.wait()
                if where == "answer":
                    Slow.released.set()
                    await client.receive()
                    await settle()
            (call,) = client.native._calls.values()
            reference = weakref.ref(call)
            del call
            if how == "reset":
                client.h2.reset_stream(1)
                client.push()
            else:
                client.protocol.connection_lost(None)
            await settle()
            client.check_idle()
            assert Slow.cancelled == (where == "model")
            assert tasks() == before
            gc.collect()
            assert reference() is None

    asyncio.run(run())


def test_a_message_that_stops_in_the_middle_is_given_up() -> None:
    """Its call is answered, its memory given back; one that goes on, or waits for its model, is left alone."""

    async def run() -> None:
        async with connected(grpc_progress_timeout=10.0) as (client, front):
            now = front._endpoint.now
            for stream_id in (1, 3):
                client.begin(stream_id)
                client.h2.send_data(stream_id, b"\0" + (1 << 20).to_bytes(4) + b"begun")
            client.send(5, infer(ONES, "slow"))
            await Slow.started.wait()
            for step in range(4):
                client.native.check(now + 4 * step)
                await settle()
                assert set(client.native._calls) == ({1, 3, 5} if step < 3 else {3, 5})
                client.h2.send_data(3, b"more")
                client.push()
            assert await client.status(1) == DEADLINE_EXCEEDED
            assert client.native._budget._used == 1 << 20

    asyncio.run(run())


def test_a_silent_client_is_asked_and_given_up() -> None:
    """Unless it answers."""

    async def run() -> None:
        async with connected(grpc_keepalive_time=30.0, grpc_keepalive_timeout=5.0) as (client, front):
            front._endpoint.now = now = front._endpoint.now + 1000
            client.send(1, infer(ONES))
            assert await client.status(1) == "0"
            client.native.check(now + 29)
            client.take()
            assert not client.has(PingReceived)
            client.native.check(now + 31)
            client.take()
            assert client.has(PingReceived)
            front._endpoint.now = now + 33
            client.push()  # h2 answers
            client.native.check(now + 37)
            assert not client.wire.closed
            client.native.check(now + 64)
            client.native.check(now + 68)
            assert not client.wire.aborted
            client.native.check(now + 70)
            assert client.wire.aborted

    asyncio.run(run())


def test_a_client_that_reads_nothing_is_given_up() -> None:
    """For so long that nothing of what waits has gone; and one that never says its first word."""

    async def run() -> None:
        async with connected(grpc_progress_timeout=10.0) as (client, front):
            now = front._endpoint.now
            client.native.pause_writing()
            for step, unwritten in enumerate((3 << 20, 2 << 20, (2 << 20) + 17)):
                client.wire.unwritten = unwritten
                client.native.check(now + 9 * step)
                assert not client.wire.aborted
            client.native.check(now + 21)
            assert client.wire.aborted
            mute = NativeProtocol(front._endpoint)
            wire = Wire()
            mute.connection_made(wire)
            mute.check(now + 9)
            assert not wire.aborted
            mute.check(now + 11)
            assert wire.aborted
            mute.connection_lost(None)

    asyncio.run(run())


def test_more_calls_than_may_run() -> None:
    """Are refused, in a way that lets the client try again."""

    async def run() -> None:
        async with connected(grpc_max_concurrent_streams=2) as (client, _):
            client.h2.remote_settings[SettingCodes.MAX_CONCURRENT_STREAMS] = 100
            client.h2.remote_settings.acknowledge()
            for stream_id in (1, 3, 5):
                client.send(stream_id, infer(ONES, "slow"))
            client.take()
            (refused,) = [each for each in client.events if isinstance(each, StreamReset)]
            assert (refused.stream_id, refused.error_code) == (5, 7)
            assert set(client.native._calls) == {1, 3}

    asyncio.run(run())


@pytest.mark.parametrize("transport", ["native", "grpclib"])
def test_events_of_grpclib(transport: str) -> None:
    """Listeners hear of requests, messages and metadata, and may change them."""

    async def run() -> None:
        async with connected(grpc_transport=transport) as (_, front):
            seen: list[str] = []

            async def note(event: grpclib.events._Event) -> None:
                seen.append(type(event).__name__)
                if isinstance(event, grpclib.events.RecvRequest):
                    assert event.method_name == INFER
                    assert event.metadata["x-sent"] == "a"
                    assert event.user_agent == "me"
                if isinstance(event, (grpclib.events.SendInitialMetadata, grpclib.events.SendTrailingMetadata)):
                    event.metadata["x-listener"] = "heard"
                if isinstance(event, grpclib.events.SendMessage):
                    assert isinstance(event.message, ModelInferResponse)
                    event.message.model_version = "changed"

            heard = [
                grpclib.events.RecvRequest,
                grpclib.events.RecvMessage,
                grpclib.events.SendInitialMetadata,
                grpclib.events.SendMessage,
                grpclib.events.SendTrailingMetadata,
            ]
            for each in heard:
                grpclib.events.listen(front, each, note)
            caller = Client(front, 1 << 20)
            caller.send(1, infer(ONES), ("x-sent", "a"), ("user-agent", "me"))
            assert await caller.status(1) == "0"
            assert sorted(seen) == sorted(each.__name__ for each in heard)
            assert [("x-listener", "heard") in each for each in caller.headers(1)] == [True, True]
            assert ModelInferResponse.parse(caller.data[5:]).model_version == "changed"
            caller.protocol.connection_lost(None)

    asyncio.run(run())

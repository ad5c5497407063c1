"""What a hostile client may do to the gRPC front: others are answered meanwhile, and it is cut off where it must be."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Self

import numpy as np
import pytest
from hpack import Encoder
from http2 import INFER, Http2, message
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from serving import MODELS, PATIENCE, eventually
from tensors import grpc_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from serving import Serve, Server

OK, DEADLINE_EXCEEDED = (0, ""), 4
REQUEST = message(grpc_request("identity", {"x:INT32": np.arange(3, dtype=np.int32)}).SerializeToString())
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = SettingsFrame(0).serialize()
GOAWAY = 7
PROTOCOL_ERROR, FLOW_CONTROL_ERROR, REFUSED_STREAM, COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 1, 3, 7, 9, 11
HEADERS = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", INFER),
    (":authority", "test"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
]
# KiB that an abuser may cost the server, and then some: what is freed need not go back to the system.
COST = 100 << 10


@pytest.fixture(scope="module")
def abused(serve_module: Serve) -> Server:
    """Return a server with little patience."""
    return serve_module(
        MODELS / "shared",
        grpc_transport="native",
        grpc_keepalive_time=1,
        grpc_keepalive_timeout=1,
        grpc_progress_timeout=2,
    ).wait_started()


@pytest.fixture(autouse=True)
def other(abused: Server) -> Iterator[Callable[[], None]]:
    """Return a call of somebody else, who is answered before, during and behind what the test does."""

    def call() -> None:
        # On a connection of its own: nobody answers the server's PINGs while the test waits.
        with Http2(abused.ports["gRPC"]) as client:
            assert client.call(REQUEST) == OK

    call()
    before = abused.status("VmRSS")
    yield call
    call()
    assert abused.status("VmRSS") - before < COST


class Abuser:
    """A connection, and the frames that the server has sent on it."""

    def __init__(self, server: Server, preface: bytes = PREFACE + SETTINGS) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.ports["gRPC"]), PATIENCE)
        self.socket.sendall(preface)
        self.encoder = Encoder()
        self.closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *frames: Frame) -> bool:
        """Send frames, and return whether the server has taken them."""
        return self.send_bytes(b"".join(each.serialize() for each in frames))

    def send_bytes(self, data: bytes) -> bool:
        """Send bytes, and return whether the server has taken them."""
        try:
            self.socket.sendall(data)
        except OSError:
            self.closed = True
        return not self.closed

    def request(self, stream_id: int, *extra: tuple[str, str], ended: bool = False) -> HeadersFrame:
        """Return the headers of a call."""
        frame = HeadersFrame(stream_id, self.encoder.encode([*HEADERS, *extra]))
        frame.flags.add("END_HEADERS")
        if ended:
            frame.flags.add("END_STREAM")
        return frame

    def frames(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield type, stream and payload of what comes until the server closes the connection."""
        received = b""
        while True:
            while len(received) >= 9 and len(received) >= (size := 9 + int.from_bytes(received[:3])):
                yield received[3], int.from_bytes(received[5:9]), received[9:size]
                received = received[size:]
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionError:
                return  # cut off in the middle of what it sent
            if not data:
                return
            received += data

    def wait_goaway(self) -> int | None:
        """Return the code of the server's GOAWAY once it has closed the connection, if it has come through."""
        codes = [int.from_bytes(payload[4:8]) for kind, _, payload in self.frames() if kind == GOAWAY]
        return codes[-1] if codes else None


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(PingFrame(0, bytes(8)), id="PING"),
        pytest.param(SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: 1000}), id="SETTINGS"),
        pytest.param(DataFrame(1, b""), id="empty DATA"),
    ],
)
def test_a_flood_of_frames_that_do_no_work(abused: Server, other: Callable[[], None], frame: Frame) -> None:
    """Ends the connection, whether its client reads the answers or not."""
    with Abuser(abused) as abuser:
        assert abuser.send(abuser.request(1))
        block = frame.serialize() * 200
        for _ in range(10_000):
            if not abuser.send_bytes(block):
                break
            other()
        assert abuser.closed
        assert abuser.wait_goaway() in {ENHANCE_YOUR_CALM, None}


def test_rapid_reset(abused: Server, other: Callable[[], None]) -> None:
    """Calls that are reset as soon as they begin (CVE-2023-44487)."""
    with Abuser(abused) as abuser:
        for stream_id in range(1, 200_000, 2):
            frames = abuser.request(stream_id), DataFrame(stream_id, REQUEST), RstStreamFrame(stream_id, 8)
            if not abuser.send(*frames):
                break
            if stream_id % 101 == 0:
                other()
        assert abuser.closed
        assert abuser.wait_goaway() in {ENHANCE_YOUR_CALM, None}


def test_resets_that_the_server_is_made_to_send(abused: Server, other: Callable[[], None]) -> None:
    """Calls that are begun and then broken (CVE-2025-8671)."""
    with Abuser(abused) as abuser:
        for stream_id in range(1, 200_000, 2):
            broken = (stream_id.to_bytes(4)).join([b"\0\0\4\10\0", bytes(4)])  # WINDOW_UPDATE of 0
            if not (abuser.send(abuser.request(stream_id)) and abuser.send_bytes(broken)):
                break
            if stream_id % 101 == 0:
                other()
        assert abuser.closed
        assert abuser.wait_goaway() in {ENHANCE_YOUR_CALM, None}


def test_a_flood_of_continuations(abused: Server, other: Callable[[], None]) -> None:
    """Headers that never end (CVE-2024-27316), of many bytes and of none."""
    for fragment in (b"\x00\x01x\x7e" + bytes(126), b""):
        with Abuser(abused) as abuser:
            assert abuser.send(HeadersFrame(1, abuser.encoder.encode(HEADERS)))
            block = ContinuationFrame(1, fragment).serialize() * 100
            for _ in range(10_000):
                if not abuser.send_bytes(block):
                    break
            other()
            assert abuser.closed
            assert abuser.wait_goaway() in {ENHANCE_YOUR_CALM, PROTOCOL_ERROR, COMPRESSION_ERROR, None}


def test_a_bomb_of_headers(abused: Server, other: Callable[[], None]) -> None:
    """One large header, named ten thousand times by its index: 40 MB in 14 KiB."""
    with Abuser(abused) as abuser:
        block = abuser.encoder.encode([*HEADERS, ("x", "y" * 4000)]) + b"\xbe" * 10_000
        frame = HeadersFrame(1, block)
        frame.flags |= {"END_HEADERS", "END_STREAM"}
        abuser.send(frame)
        assert abuser.wait_goaway() == ENHANCE_YOUR_CALM
        other()


def test_a_header_block_that_is_none(abused: Server, other: Callable[[], None]) -> None:
    """No later one can be understood either."""
    with Abuser(abused) as abuser:
        frame = HeadersFrame(1, b"\xff" * 10)
        frame.flags |= {"END_HEADERS"}
        abuser.send(frame)
        assert abuser.wait_goaway() == COMPRESSION_ERROR
        other()


def test_a_window_that_overflows(abused: Server, other: Callable[[], None]) -> None:
    """Of the connection: it ends."""
    with Abuser(abused) as abuser:
        abuser.send(WindowUpdateFrame(0, (1 << 31) - 1))
        assert abuser.wait_goaway() == FLOW_CONTROL_ERROR
        other()


def test_windows_of_zero(abused: Server, other: Callable[[], None]) -> None:
    """Answers for which there is never room wait, and hold no more than themselves; the connection goes on."""
    with Abuser(abused, PREFACE + SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: 0}).serialize()) as abuser:
        for stream_id in range(1, 1000, 2):
            frame = DataFrame(stream_id, REQUEST)
            frame.flags.add("END_STREAM")
            assert abuser.send(abuser.request(stream_id), frame)
        other()
        abuser.send(WindowUpdateFrame(999, 1000))
        for kind, stream_id, payload in abuser.frames():
            if kind == DataFrame.type:
                assert stream_id == 999
                assert payload
                break
            assert kind != GOAWAY
        other()


def test_more_data_than_there_is_room_for(abused: Server, other: Callable[[], None]) -> None:
    """The memory is one call's, and another that sends more than its window, although it has to wait, is reset."""
    with Abuser(abused) as abuser:
        for stream_id in (1, 3):
            assert abuser.send(abuser.request(stream_id), DataFrame(stream_id, message(b"", size=1 << 29)))
        data = DataFrame(3, bytes(1 << 14)).serialize()
        for _ in range(40):
            abuser.send_bytes(data)
        for kind, stream_id, payload in abuser.frames():
            if kind == RstStreamFrame.type:
                assert (stream_id, int.from_bytes(payload)) == (3, FLOW_CONTROL_ERROR)
                break
        else:
            raise AssertionError
        other()


def test_too_many_streams(abused: Server, other: Callable[[], None]) -> None:
    """Those beyond the limit are refused, without harm to others."""
    with Abuser(abused) as abuser:
        count = 1500
        for index in range(count):
            abuser.send(abuser.request(2 * index + 1))
        refused = 0
        for kind, stream_id, payload in abuser.frames():
            if kind == RstStreamFrame.type:
                assert int.from_bytes(payload) == REFUSED_STREAM
                assert stream_id > 2000
                refused += 1
                if refused == count - 1000:
                    break
        other()


@pytest.mark.parametrize("sent", [b"", PREFACE[:10], PREFACE, PREFACE + SETTINGS[:5]])
def test_a_slow_preface(abused: Server, other: Callable[[], None], sent: bytes) -> None:
    """A connection that says nothing is closed."""
    with Abuser(abused, sent) as abuser:
        list(abuser.frames())
        other()


def test_no_http2_at_all(abused: Server, other: Callable[[], None]) -> None:
    """Is answered with GOAWAY, at once."""
    with Abuser(abused, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n") as abuser:
        assert abuser.wait_goaway() == PROTOCOL_ERROR
        other()


def test_a_slow_body(abused: Server) -> None:
    """A message of which nothing else comes ends its call, and no other one of its connection."""
    with Http2(abused.ports["gRPC"]) as client:
        stream = client.open()
        client.send(stream, message(b"begun", size=1 << 20), end=False)
        status, text = client.status(stream)
        assert status == DEADLINE_EXCEEDED
        assert "grpc_progress_timeout" in text
        assert client.call(REQUEST) == OK


def test_a_half_open_connection(abused: Server, other: Callable[[], None]) -> None:
    """A client that answers no PING is gone, and so are its calls."""
    with Abuser(abused) as abuser:
        abuser.send(abuser.request(1))
        assert PingFrame.type in [kind for kind, _, _ in abuser.frames()]
        other()


def test_a_client_that_does_not_read(abused: Server, other: Callable[[], None]) -> None:
    """Its calls are not all answered, and it is given up when nothing of what waits has been read for long."""
    body = message(grpc_request("identity", {"x:INT32": np.zeros(1 << 14, np.int32)}).SerializeToString())
    windows = SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: (1 << 31) - 1}).serialize()
    with Abuser(abused, PREFACE + windows + WindowUpdateFrame(0, 1 << 30).serialize()) as abuser:
        for stream_id in range(1, 2000, 2):
            frames: list[Frame] = [abuser.request(stream_id)]
            frames += [DataFrame(stream_id, body[pos : pos + (1 << 14)]) for pos in range(0, len(body), 1 << 14)]
            frames[-1].flags.add("END_STREAM")
            assert abuser.send(*frames)
        other()
        eventually(lambda: not abuser.send(PingFrame(0, bytes(8))), lambda: "the connection is still there")
        other()

"""The client's side of a connection: against the server's, against h2's, and against frames that break the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h2.config
import h2.connection
import h2.events
import hpack
import pytest
from frames import say_event
from hypothesis import given
from hypothesis import strategies as st

from srv.http2 import _frames as frames
from srv.http2._client import ClientConnection
from srv.http2._connection import Connection
from srv.http2._errors import ErrorCode
from srv.http2._events import DataReceived, RequestReceived, ResponseReceived, StreamReset, TrailersReceived

if TYPE_CHECKING:
    from collections.abc import Iterable

REQUEST = ((":method", "POST"), (":scheme", "http"), (":path", "/x"), (":authority", "a"))
OK = ((":status", "200"), ("content-type", "x"))
SETTINGS = frames.frame(frames.SETTINGS, 0, 0, b"")


def joined(connection: Connection) -> bytes:
    return b"".join(connection.data_to_send())


def pieces(data: bytes, sizes: Iterable[int]) -> Iterable[bytes]:
    pos = 0
    for size in sizes:
        if pos < len(data):
            yield data[pos : pos + size]
            pos += size
    yield data[pos:]


@given(
    st.lists(st.tuples(st.integers(0, 200_000), st.integers(0, 200_000)), min_size=1, max_size=4),
    st.lists(st.integers(1, 1000), max_size=20),
)
def test_what_is_sent_arrives_both_ways(sizes: list[tuple[int, int]], cuts: list[int]) -> None:
    """Several streams at the same time, as far as the windows allow, in any pieces."""
    client, server = ClientConnection(), Connection()
    left = {client.open_stream(REQUEST): (bytes([i]) * there, bytes([i + 100]) * back)
            for i, (there, back) in enumerate(sizes)}  # fmt: skip
    expected = dict(left)
    sending = {stream: there for stream, (there, _) in left.items()}
    answering: dict[int, bytes] = {}
    seen = {stream: (bytearray(), bytearray()) for stream in left}
    ended: set[int] = set()
    for _ in range(200):
        for stream, rest in list(sending.items()):
            sent = client.send_data(stream, rest, end_stream=True)
            sending[stream] = rest[sent:]
            if sent == len(rest):
                del sending[stream]
        for piece in pieces(joined(client), cuts):
            for event in server.receive_data(piece):
                if isinstance(event, DataReceived):
                    seen[event.stream_id][0].extend(event.data)
                    server.grow_window(event.stream_id, event.size) if event.size else None
                    if event.ended:
                        server.send_headers(event.stream_id, OK)
                        answering[event.stream_id] = expected[event.stream_id][1]
                else:
                    assert not isinstance(event, RequestReceived) or event.headers == REQUEST
        for stream, rest in list(answering.items()):
            sent = server.send_data(stream, rest)
            answering[stream] = rest[sent:]
            if sent == len(rest):
                server.send_headers(stream, (("grpc-status", "0"),), end_stream=True)
                del answering[stream]
        for piece in pieces(joined(server), cuts):
            for event in client.receive_data(piece):
                match event:
                    case DataReceived():
                        seen[event.stream_id][1].extend(event.data)
                    case ResponseReceived():
                        assert event.headers == OK
                    case TrailersReceived():
                        assert event.headers == (("grpc-status", "0"),)
                        ended.add(event.stream_id)
                    case _:
                        pass
        if ended == set(expected):
            break
    assert {stream: (bytes(there), bytes(back)) for stream, (there, back) in seen.items()} == expected
    assert not client.open_streams


def test_h2_understands_it() -> None:
    """Another implementation of a server takes what the client says, and the other way round."""
    client = ClientConnection()
    peer = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    peer.initiate_connection()
    for number in range(3):
        stream = client.open_stream((*REQUEST, ("n", str(number))))
        assert client.send_data(stream, b"hello", end_stream=True) == 5
        events = peer.receive_data(joined(client))
        assert [type(event) for event in events if getattr(event, "stream_id", 0) == stream] == [
            h2.events.RequestReceived,
            h2.events.DataReceived,
            h2.events.StreamEnded,
        ]
        peer.send_headers(stream, OK)
        peer.send_data(stream, b"there")
        peer.send_headers(stream, [("grpc-status", "0")], end_stream=True)
        found = [say_event(event) for event in client.receive_data(peer.data_to_send())]
        assert found[-3:] == [f"response {stream}", f"data {stream} 'there'", f"trailers {stream}"]
        peer.receive_data(joined(client))


def test_the_first_bytes() -> None:
    """The preface, settings without pushes, a large window, and then the request."""
    client = ClientConnection()
    client.open_stream(REQUEST)
    data = joined(client)
    assert data.startswith(frames.PREFACE)
    rest = data[len(frames.PREFACE) :]
    kinds: list[int] = []
    while rest:
        upper, lower, kind, *_ = frames.HEADER.unpack_from(rest)
        kinds.append(kind)
        rest = rest[frames.HEADER.size + (upper << 8 | lower) :]
    assert kinds == [frames.SETTINGS, frames.WINDOW_UPDATE, frames.HEADERS]
    assert frames.SETTING.pack(frames.ENABLE_PUSH, 0) in data


def headers(stream_id: int, *fields: tuple[str, str], last: bool = False) -> bytes:
    block = hpack.Encoder().encode(fields)
    flags = frames.END_HEADERS | (frames.END_STREAM if last else 0)
    return frames.frame(frames.HEADERS, flags, stream_id, block)


def say(data: bytes) -> list[str]:
    client = ClientConnection()
    client.open_stream(REQUEST)
    client.send_data(1, b"", end_stream=True)
    return [say_event(event) for event in client.receive_data(SETTINGS + data)]


STATUS = (":status", "200")


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (headers(1, (":status", "100")) + headers(1, STATUS), ["response 1"]),
        (headers(1, STATUS, last=True), ["response 1 end"]),
        (headers(1, (":status", "100"), last=True), ["reset 1 PROTOCOL_ERROR"]),
        (headers(1, ("x", "y")), ["reset 1 PROTOCOL_ERROR"]),
        (headers(1, (":status", "ok")), ["reset 1 PROTOCOL_ERROR"]),
        (headers(1, STATUS, (":path", "/")), ["reset 1 PROTOCOL_ERROR"]),
        (headers(1, STATUS, ("A", "y")), ["reset 1 PROTOCOL_ERROR"]),
        (headers(1, STATUS) + headers(1, ("x", "y")), ["response 1", "reset 1 PROTOCOL_ERROR"]),
        (headers(1, STATUS) + headers(1, STATUS, last=True), ["response 1", "reset 1 PROTOCOL_ERROR"]),
        (headers(3, STATUS), ["failed PROTOCOL_ERROR"]),
        (headers(2, STATUS), ["failed PROTOCOL_ERROR"]),
        (headers(1, STATUS, last=True) + headers(1, STATUS), ["response 1 end", "failed STREAM_CLOSED"]),
        (frames.frame(frames.PUSH_PROMISE, frames.END_HEADERS, 1, bytes(4)), ["failed PROTOCOL_ERROR"]),
        (frames.rst_stream(1, ErrorCode.REFUSED_STREAM), ["reset 1 REFUSED_STREAM by peer"]),
        (frames.frame(frames.GOAWAY, 0, 0, frames.TWO_UINTS.pack(0, 0)), ["going away 0 NO_ERROR"]),
    ],
)
def test_what_a_server_may_say(data: bytes, events: list[str]) -> None:
    assert say(data) == events


def test_settings_of_the_server() -> None:
    client = ClientConnection()
    client.receive_data(frames.frame(frames.SETTINGS, 0, 0, frames.SETTING.pack(frames.MAX_CONCURRENT_STREAMS, 7)))
    assert client.max_streams == 7


def test_the_data_of_a_large_frame_may_come_to_its_place() -> None:
    client = ClientConnection()
    client.open_stream(REQUEST)
    client.receive_data(SETTINGS + headers(1, STATUS) + frames.frame_header(1000, frames.DATA, 0, 1) + b"a")
    assert client.data_under_way == (1, 999)
    place = memoryview(bytearray(b"b" * 999))
    (event,) = client.receive_data(place)
    assert isinstance(event, DataReceived)
    assert event.data.obj is place.obj
    assert client.data_under_way == (0, 0)


def test_a_stream_that_is_reset_may_still_be_answered() -> None:
    client = ClientConnection()
    client.open_stream(REQUEST)
    client.reset_stream(1, ErrorCode.CANCEL)
    assert client.receive_data(SETTINGS + headers(1, STATUS) + frames.frame(frames.DATA, 1, 1, b"x")) == []
    assert not any(isinstance(each, StreamReset) for each in client.receive_data(b""))

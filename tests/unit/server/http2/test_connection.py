"""What the server does on a connection, and what it sees of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import frames as f
import pytest
from frames import END_HEADERS, HEADERS, OPENING, REQUEST, TRAILERS, frame, literal
from hpack import Decoder
from hyperframe.frame import ContinuationFrame, DataFrame, HeadersFrame, SettingsFrame, WindowUpdateFrame

from srv.http2._connection import Connection
from srv.http2._errors import ErrorCode, StreamClosed
from srv.http2._events import ConnectionFailed, DataReceived, RequestReceived, TrailersReceived
from srv.http2._limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from srv.http2._events import Event

TABLE_SIZE, _, _, WINDOW, FRAME_SIZE, _ = range(1, 7)
STATUS = ((":status", "200"), ("content-type", "application/grpc"))


class Time:
    """A clock that stands still."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def opened(limits: Limits | None = None, *more: bytes, clock: Callable[[], float] | None = None) -> Connection:
    """Return a connection on which both have said their settings."""
    connection = Connection(limits, clock or Time())
    events = connection.receive_data(b"".join((OPENING, *more)))
    assert not any(isinstance(event, ConnectionFailed) for event in events)
    connection.data_to_send()
    return connection


def sent(connection: Connection) -> list[str]:
    return [f.say_frame(each) for each in f.parse(connection.data_to_send())]


def said(events: Sequence[Event]) -> str:
    return " ".join(f.say_event(each) for each in events)


def test_the_server_begins() -> None:
    """With its limits, and a window of the connection that leaves it to the streams' to hold a peer back."""
    limits = Limits(max_concurrent_streams=7, stream_window=70_000, max_frame_size=20_000, max_header_list_size=9_000)
    connection = Connection(limits)
    settings, update = f.parse(connection.data_to_send())
    assert isinstance(settings, SettingsFrame)
    assert settings.settings == {
        SettingsFrame.MAX_CONCURRENT_STREAMS: 7,
        SettingsFrame.INITIAL_WINDOW_SIZE: 70_000,
        SettingsFrame.MAX_FRAME_SIZE: 20_000,
        SettingsFrame.MAX_HEADER_LIST_SIZE: 9_000,
    }
    assert isinstance(update, WindowUpdateFrame)
    assert (update.stream_id, update.window_increment) == (0, (1 << 30) - 65_535)
    assert connection.data_to_send() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_concurrent_streams", 0),
        ("stream_window", 65_534),
        ("stream_window", 1 << 31),
        ("max_frame_size", (1 << 14) - 1),
        ("max_frame_size", 1 << 24),
    ],
)
def test_limits_have_ranges(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"^{name}: expected .* got {value}$"):
        Limits(**{name: value})


def test_headers_come_as_they_were_sent() -> None:
    """In their order, repeated ones too; characters are the bytes of the wire."""
    fields = (*REQUEST, ("x", "\xe9\x80"), ("cookie", "a=b"), ("x", ""), ("cookie", "c=d"), ("grpc-timeout", "1S"))
    connection = opened()
    events = connection.receive_data(f.headers(1, fields) + f.headers(1, (("a", "b"), ("a", "c")), end=True))
    assert events == [RequestReceived(1, fields, ended=False), TrailersReceived(1, (("a", "b"), ("a", "c")))]


def test_equal_blocks_mean_other_headers_when_the_table_has_changed() -> None:
    """Blocks that are known by heart must not outlive what they refer to."""
    connection = opened()
    newest = literal(REQUEST) + b"\xbe"
    found: list[Event] = []
    for stream, block in enumerate([literal([*REQUEST, ("x", "1")], indexed=True), newest, newest]):
        found += connection.receive_data(frame(HEADERS, END_HEADERS, 2 * stream + 1, block))
    found += connection.receive_data(frame(HEADERS, END_HEADERS, 7, literal([*REQUEST, ("x", "2")], indexed=True)))
    found += connection.receive_data(frame(HEADERS, END_HEADERS, 9, newest))
    # A size of 0 and back: nothing is left to refer to.
    found += connection.receive_data(frame(HEADERS, END_HEADERS, 11, b"\x20\x3f\xe1\x1f" + literal(REQUEST)))
    values = [dict(event.headers).get("x") for event in found if isinstance(event, RequestReceived)]
    assert values == ["1", "1", "1", "2", "2", None]
    assert said(connection.receive_data(frame(HEADERS, END_HEADERS, 13, newest))) == "failed COMPRESSION_ERROR"


def test_blocks_that_nobody_wants_enter_the_table() -> None:
    """Those of refused, reset and malformed streams: the next one may refer to them."""
    connection = opened(Limits(max_concurrent_streams=2), f.headers(1), f.headers(3))
    connection.reset_stream(3)
    said_of = {3: "", 7: "RstStream 7 REFUSED_STREAM", 11: "RstStream 11 PROTOCOL_ERROR"}
    connection.data_to_send()
    for stream, frames in said_of.items():
        block = literal([("x", str(stream))], indexed=True)
        assert connection.receive_data(frame(HEADERS, END_HEADERS, stream, block)) == []
        assert " ".join(sent(connection)) == frames
        if stream > 3:
            connection.reset_stream(stream - 2)
        (event,) = connection.receive_data(frame(HEADERS, END_HEADERS, stream + 2, literal(REQUEST) + b"\xbe"))
        assert event == RequestReceived(stream + 2, (*REQUEST, ("x", str(stream))), ended=False)
        if stream == 7:
            connection.reset_stream(9)
        connection.data_to_send()


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_data_are_views(kind: type[bytes | bytearray | memoryview]) -> None:
    """Of what was received, whole frames or pieces of them; padding is left out."""
    connection = opened(None, f.headers(1))
    received = f.data(1, b"abcdef", padding=3)
    whole = kind(received + received[:13])
    events = connection.receive_data(whole)
    assert [type(event) for event in events] == [DataReceived, DataReceived]
    for event, start in zip(events, [10, len(received) + 10], strict=True):
        assert isinstance(event, DataReceived)
        assert event.data.obj is (received if kind is memoryview else whole) or kind is memoryview
        assert bytes(event.data) == whole[start : start + len(event.data)]
    assert said(f.join_data(connection.receive_data(received[13:]))) == "data 1 'def'"


def test_the_size_of_data_is_what_they_take_of_the_window() -> None:
    """However they are cut: what the application gives back is what the peer has used."""
    received = f.data(1, b"abcdef", padding=30) + f.data(1, padding=2) + f.data(1, b"g")
    for cut in range(1, len(received)):
        connection = opened(None, f.headers(1))
        pieces = [received[pos : pos + cut] for pos in range(0, len(received), cut)]
        events = [event for piece in pieces for event in connection.receive_data(piece)]
        assert all(isinstance(event, DataReceived) for event in events)
        assert sum(event.size for event in events if isinstance(event, DataReceived)) == 6 + 31 + 3 + 1


def test_the_window_of_the_connection_grows_by_itself() -> None:
    """Padding and data that nobody takes included, before the peer has to wait."""
    size = (1 << 24) - 1
    connection = opened(Limits(max_frame_size=size, stream_window=(1 << 31) - 1), f.headers(1), f.headers(3))
    connection.reset_stream(3)
    connection.data_to_send()
    taken = window = 1 << 30
    for stream in (1, 3) * 40:
        connection.receive_data(f.data(stream, bytes(size - 256), padding=255))
        window -= size
        assert window >= 0
        for update in f.parse(connection.data_to_send()):
            assert isinstance(update, WindowUpdateFrame)
            assert update.stream_id == 0
            window += update.window_increment
            assert window == taken


def test_data_go_out_as_the_windows_allow() -> None:
    """The stream's, the connection's, and in frames of the size that the peer takes; nothing is copied."""
    connection = opened(None, f.headers(1), f.headers(3))
    data = bytes(range(256)) * 1024
    assert connection.window(1) == 65_535
    assert connection.send_data(1, data, end_stream=True) == 65_535
    out = connection.data_to_send()
    assert all(isinstance(each, memoryview) and each.obj is data for each in out[1::2])
    found = f.parse(out)
    assert [len(each.data) for each in found if isinstance(each, DataFrame)] == [16_384] * 3 + [16_383]
    assert not any(each.flags for each in found)
    assert (connection.window(1), connection.window(3)) == (0, 0)
    assert connection.send_data(1, b"a") == 0
    assert sent(connection) == []
    assert said(connection.receive_data(f.window_update(1, 1000))) == "window 1"
    assert connection.window(1) == 0
    assert said(connection.receive_data(f.window_update(0, 100))) == "window 0"
    assert (connection.window(1), connection.window(3)) == (100, 100)
    assert connection.send_data(3, b"abc", end_stream=True) == 3
    assert sent(connection) == ["Data 3 END_STREAM 'abc'"]
    assert connection.send_data(1, data[65_535:][:97], end_stream=True) == 97
    assert sent(connection)[0].startswith("Data 1 END_STREAM")
    assert not connection.is_open(1)


def test_an_end_without_data_needs_no_window() -> None:
    connection = opened(None, f.settings((WINDOW, 0)), f.headers(1))
    assert connection.send_data(1, b"a", end_stream=True) == 0
    assert sent(connection) == []
    assert connection.is_open(1)
    assert connection.send_data(1, b"", end_stream=True) == 0
    assert sent(connection) == ["Data 1 END_STREAM ''"]


def test_settings_change_the_windows_of_streams() -> None:
    """Those that are open too, perhaps below zero (RFC 9113, section 6.9.2); that of the connection stays."""
    connection = opened(None, f.headers(1))
    assert connection.send_data(1, bytes(60_000)) == 60_000
    assert said(connection.receive_data(f.settings((WINDOW, 16_384)))) == "window 0"
    assert connection.window(1) == 16_384 - 60_000
    assert connection.send_data(1, b"abc") == 0
    connection.receive_data(f.window_update(1, 60_000 - 16_384))
    assert connection.window(1) == 0
    connection.receive_data(f.window_update(1, 2) + f.headers(3))
    assert connection.window(1) == 2
    assert connection.window(3) == 65_535 - 60_000
    assert connection.send_data(1, b"abc", end_stream=True) == 2
    connection.receive_data(f.settings((WINDOW, 1 << 20), (FRAME_SIZE, 1 << 15)))
    connection.receive_data(f.window_update(0, 1 << 20))
    connection.data_to_send()
    assert connection.send_data(1, bytes(40_000)) == 40_000
    assert [each.body_len for each in f.parse(connection.data_to_send())] == [1 << 15, 40_000 - (1 << 15)]


def test_long_headers_go_out_in_pieces() -> None:
    connection = opened(None, f.headers(1))
    headers = (*STATUS, *((f"x-{number}", "\xe9" * 200) for number in range(300)))
    connection.send_headers(1, headers, end_stream=True)
    first, *rest = f.parse(connection.data_to_send())
    assert isinstance(first, HeadersFrame)
    assert all(isinstance(each, ContinuationFrame) for each in rest)
    assert len(rest) > 2
    assert set(first.flags) == {"END_STREAM"}
    assert [set(each.flags) for each in rest] == [set()] * (len(rest) - 1) + [{"END_HEADERS"}]
    assert all(each.body_len <= 16_384 for each in (first, *rest))
    block = b"".join(each.data for each in (first, *rest) if isinstance(each, HeadersFrame | ContinuationFrame))
    found = Decoder(1 << 20).decode(block, raw=True)
    assert [(name.decode("latin-1"), value.decode("latin-1")) for name, value in found] == list(headers)


def answered_blocks(connection: Connection) -> list[bytes]:
    return [each.data for each in f.parse(connection.data_to_send()) if isinstance(each, HeadersFrame)]


def read_block(decoder: Decoder, block: bytes) -> f.Fields:
    return tuple((str(name), str(value)) for name, value in decoder.decode(block))


@pytest.mark.parametrize("sizes", [(0, 4096), (0,), (32, 0), (100, 0, 50), (0, (1 << 32) - 1), (300, 50, 200, 100)])
@pytest.mark.parametrize("frames", ["one", "many"])
def test_a_table_that_shrinks_and_grows(sizes: tuple[int, ...], frames: str) -> None:
    """The values apply in their order (RFC 9113, section 6.5.3): the peer drops what is in its table."""
    connection = opened(None, f.headers(1), f.headers(3), f.headers(5))
    decoder = Decoder()
    connection.send_headers(1, STATUS)
    for block in answered_blocks(connection):
        decoder.decode(block)
    values = [(TABLE_SIZE, size) for size in sizes]
    connection.receive_data(f.settings(*values) if frames == "one" else b"".join(map(f.settings, values)))
    decoder.header_table_size = min(sizes)
    decoder.max_allowed_table_size = sizes[-1]
    connection.send_headers(3, STATUS)
    connection.send_headers(5, STATUS)
    for block in answered_blocks(connection):
        # RFC 7541, section 4.2: the smallest size, and the last one, are said.
        assert read_block(decoder, block) == STATUS
    assert decoder.header_table_size == min(sizes[-1], 4096)


def test_equal_headers_are_equal_to_the_peer() -> None:
    """Blocks that are kept must not outlive what they refer to."""
    connection = opened(None, *(f.headers(stream) for stream in range(1, 400, 2)))
    decoder = Decoder()
    for stream in range(1, 400, 2):
        headers = (*STATUS, ("x", str(stream % 7)), *([("y", "z" * stream)] if stream % 5 == 0 else []))
        connection.send_headers(stream, headers, end_stream=True)
        (block,) = answered_blocks(connection)
        assert read_block(decoder, block) == headers


CLOSINGS: dict[str, Callable[[Connection], object]] = {
    "ended": lambda c: c.send_headers(1, STATUS, end_stream=True),
    "ended with data": lambda c: c.send_data(1, b"a", end_stream=True),
    "reset": lambda c: c.reset_stream(1),
    "reset by the peer": lambda c: c.receive_data(f.rst_stream(1)),
    "reset for a fault of the peer": lambda c: c.receive_data(f.window_update(1, 0)),
}


@pytest.mark.parametrize("close", CLOSINGS.values(), ids=CLOSINGS)
@pytest.mark.parametrize("end", [True, False])
def test_nothing_is_sent_on_a_stream_that_is_closed(close: Callable[[Connection], object], end: bool) -> None:
    connection = opened(None, f.headers(1, end=end))
    assert connection.is_open(1)
    close(connection)
    connection.data_to_send()
    assert not connection.is_open(1)
    for stream in (1, 3, 2, 0):
        with pytest.raises(StreamClosed):
            connection.send_headers(stream, STATUS)
        with pytest.raises(StreamClosed):
            connection.send_data(stream, b"a")
        with pytest.raises(StreamClosed):
            connection.window(stream)
    if close is not CLOSINGS["ended"] and close is not CLOSINGS["ended with data"]:
        connection.reset_stream(1)
        connection.grow_window(1, 1)
    assert sent(connection) == []


def test_a_stream_that_we_have_ended_can_be_reset() -> None:
    """So that the peer sends no more of what nobody reads (RFC 9113, section 8.1)."""
    connection = opened(None, f.headers(1))
    connection.send_headers(1, STATUS, end_stream=True)
    connection.reset_stream(1, ErrorCode.NO_ERROR)
    assert sent(connection)[1:] == ["RstStream 1 NO_ERROR"]
    assert connection.receive_data(f.data(1, b"a") + f.headers(1, TRAILERS, end=True)) == []


@pytest.mark.parametrize("padding", [None, 0, 3])
@pytest.mark.parametrize("end", [True, False])
def test_a_stream_is_reset_in_the_middle_of_a_frame(padding: int | None, end: bool) -> None:
    """The rest of the frame is nobody's, wherever it is cut."""
    received = f.data(1, b"abc", padding=padding, end=end)
    for cut in range(len(received)):
        connection = opened(None, f.headers(1), f.headers(3))
        connection.receive_data(received[:cut])
        connection.reset_stream(1)
        events = connection.receive_data(received[cut:] + f.data(3, b"def", end=True))
        assert said(events) == "data 3 'def' end"


def test_pings_are_answered() -> None:
    connection = opened()
    connection.ping(b"abcdefgh")
    assert sent(connection) == ["Ping 0 abcdefgh"]
    assert said(connection.receive_data(f.ping(b"abcdefgh", ack=True))) == "pong abcdefgh"


def test_a_failure_says_why() -> None:
    connection = opened(None, f.headers(5))
    (event,) = connection.receive_data(f.data(0, b"a"))
    assert isinstance(event, ConnectionFailed)
    (goaway,) = f.parse(connection.data_to_send())
    assert f.say_frame(goaway) == "GoAway 0 5 PROTOCOL_ERROR"
    assert getattr(goaway, "additional_data", None) == event.reason.encode()
    assert connection.receive_data(f.ping()) == []
    assert connection.data_to_send() == []


def test_a_failure_tells_nothing_of_the_server() -> None:
    """Errors of hpack speak of objects and their addresses."""
    for block in (b"\x3f" + b"\xc2" * 10, b"\xbe", b"\0\x7f\xff\x7fabc", b"\0\1x\x81\x18", b"\x3f\xe2\x1f"):
        connection = opened()
        connection.receive_data(frame(HEADERS, END_HEADERS, 1, block))
        assert b"0x" not in b"".join(connection.data_to_send())


def test_events_before_a_failure_are_handed_on() -> None:
    connection = opened()
    events = connection.receive_data(f.headers(1) + f.data(1, b"a") + f.data(0, b"a") + f.headers(3))
    assert said(events) == "request 1 data 1 'a' failed PROTOCOL_ERROR"


def test_pings_beside_calls_are_no_flood() -> None:
    """Clients of grpc-go and grpc-java measure the way with a PING whenever data come; time does not matter."""
    connection = opened(Limits(control_burst=5, control_rate=1))
    for stream in range(1, 401, 2):
        events = connection.receive_data(f.headers(stream) + f.data(stream, b"abc", end=True))
        assert said(events) == f"request {stream} data {stream} 'abc' end"
        connection.send_headers(stream, STATUS)
        connection.send_data(stream, b"abc")
        connection.send_headers(stream, [("grpc-status", "0")], end_stream=True)
        assert said(connection.receive_data(f.window_update(0, 3) + f.ping())) == "window 0"


def test_pings_beside_a_long_answer_are_no_flood() -> None:
    connection = opened(Limits(control_burst=5, control_rate=1), f.headers(1, end=True))
    connection.send_headers(1, STATUS)
    for _ in range(200):
        assert connection.send_data(1, b"abc") == 3
        connection.data_to_send()
        assert said(connection.receive_data(f.ping())) == ""


def test_floods_are_over_some_time_later() -> None:
    time = Time()
    connection = opened(Limits(control_burst=10, control_rate=2), clock=time)
    connection.receive_data(f.ping() * 9)
    time.now = 1.0
    assert connection.receive_data(f.ping() * 2) == []
    time.now = 1000.0
    assert connection.receive_data(f.ping() * 10) == []
    assert said(connection.receive_data(f.ping())) == "failed ENHANCE_YOUR_CALM"

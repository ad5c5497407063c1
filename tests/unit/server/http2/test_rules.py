"""The rules of RFC 9113, and of RFC 7541 where they show in a connection: what a peer sends, and what comes of it.

A line's outcome is the events, `|`, and the frames that are sent. A connection error is written in the events only:
that GOAWAY goes out with it, and that nothing is read behind it, holds for all of them.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import frames as f
import pytest
from frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    OPENING,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    REQUEST,
    RST_STREAM,
    SETTINGS,
    TRAILERS,
    UNSEEN,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    frame,
    literal,
)

from srv.http2._connection import Connection
from srv.http2._errors import ErrorCode
from srv.http2._limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperframe.frame import Frame

    from srv.http2._events import Event

Step: TypeAlias = "bytes | Callable[[Connection], object]"

TABLE_SIZE, ENABLE_PUSH, MAX_STREAMS, WINDOW, FRAME_SIZE, LIST_SIZE = range(1, 7)
LARGEST: Final = (1 << 31) - 1
USUAL: Final = (1 << 16) - 1
WEIGHT: Final = struct.pack(">LB", 0, 15)
SMALL: Final = Limits(max_concurrent_streams=2, stream_window=USUAL, max_frame_size=1 << 14, max_header_list_size=512)
FEW: Final = Limits(control_burst=3, control_rate=1, reset_burst=3, reset_rate=1)


class Rule(NamedTuple):
    name: str
    """Section: rule."""
    outcome: str
    steps: tuple[Step, ...]
    limits: Limits | None = None
    opening: bytes = OPENING


def rule(name: str, outcome: str, *steps: Step, limits: Limits | None = None, opening: bytes = OPENING) -> Rule:
    return Rule(name, outcome, steps, limits, opening)


def answer(stream_id: int = 1, *, end: bool = True) -> Step:
    return lambda connection: connection.send_headers(stream_id, [(":status", "200")], end_stream=end)


def reset(stream_id: int = 1, code: ErrorCode = ErrorCode.CANCEL) -> Step:
    return lambda connection: connection.reset_stream(stream_id, code)


def go_away(connection: Connection) -> None:
    connection.go_away()


def without(name: str) -> f.Fields:
    return tuple(each for each in REQUEST if each[0] != name)


def with_value(name: str, value: str) -> f.Fields:
    return tuple((key, value if key == name else old) for key, old in REQUEST)


def plus(name: str, value: str) -> f.Fields:
    return (*REQUEST, (name, value))


def begun(*, end: bool = False) -> bytes:
    return f.headers(1, end=end)


BLOCK: Final = literal(REQUEST)
MALFORMED: Final = "| RstStream 1 PROTOCOL_ERROR"
PROTOCOL: Final = "failed PROTOCOL_ERROR |"
SIZE: Final = "failed FRAME_SIZE_ERROR |"
COMPRESSION: Final = "failed COMPRESSION_ERROR |"
CALM: Final = "failed ENHANCE_YOUR_CALM |"
NOTHING: Final = "|"

# A line for a rule, as far as it goes.
# fmt: off
RULES: Final[tuple[Rule, ...]] = (
    rule("3.4: the preface is PRI", PROTOCOL, opening=b"PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n"),
    rule("3.4: HTTP/1.1 is not HTTP/2", PROTOCOL, opening=b"GET / HTTP/1.1\r\nhost: test\r\n\r\n"),
    rule("3.4: TLS is not HTTP/2", PROTOCOL, opening=b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    rule("3.4: the first frame is not PING", PROTOCOL, f.ping(), opening=PREFACE),
    rule("3.4: the first frame is not HEADERS", PROTOCOL, begun(), opening=PREFACE),
    rule("3.4: the first frame is not DATA", PROTOCOL, f.data(1, b"a"), opening=PREFACE),
    rule("3.4: the first frame is not of an unknown type", PROTOCOL, frame(200, 0, 0, b"a"), opening=PREFACE),
    rule("3.4: the first SETTINGS acknowledge nothing", PROTOCOL, frame(SETTINGS, ACK, 0), opening=PREFACE),
    rule("3.4: SETTINGS may have values", "window 0 | Settings 0 ACK", f.settings((WINDOW, 1)), opening=PREFACE),
    rule("4.1: unknown types are ignored, flags and stream too", NOTHING, frame(200, 255, 77, b"abc")),
    rule("4.1: unknown types are ignored within a stream", "request 1 |", begun(), frame(99, 255, 1, bytes(999))),
    rule("4.1: unknown flags are ignored: PING", "| Ping 0 ACK abcdefgh", frame(PING, 0xFE, 0, b"abcdefgh")),
    rule("4.1: unknown flags are ignored: DATA", "request 1 data 1 'a' |", begun(), frame(DATA, 0xF6, 1, b"a")),
    rule("4.1: unknown flags are ignored: HEADERS", "request 1 |", frame(HEADERS, 0xD2 | END_HEADERS, 1, BLOCK)),
    rule("4.1: unknown flags are ignored: RST_STREAM", "request 1 reset 1 NO_ERROR by peer |", begun(),
         frame(RST_STREAM, 0xFF, 1, bytes(4))),
    rule("4.1: unknown flags are ignored: WINDOW_UPDATE", "window 0 |", frame(WINDOW_UPDATE, 0xFF, 0, b"\0\0\0\1")),
    rule("4.1: unknown flags are ignored: GOAWAY", "going away 0 NO_ERROR |", frame(GOAWAY, 0xFF, 0, bytes(8))),
    rule("4.1: unknown flags are ignored: PRIORITY", NOTHING, frame(PRIORITY, 0xFF, 1, WEIGHT)),
    rule("4.1: the reserved bit is ignored: HEADERS", "request 1 |", f.headers(1 | UNSEEN)),
    rule("4.1: the reserved bit is ignored: DATA", "request 1 data 1 'a' |", begun(), f.data(1 | UNSEEN, b"a")),
    rule("4.1: the reserved bit is ignored: PING", "| Ping 0 ACK 12345678", frame(PING, 0, UNSEEN, b"12345678")),
    rule("4.1: the reserved bit is ignored: WINDOW_UPDATE", "window 0 |", f.window_update(0, 1 | UNSEEN)),
    rule("4.1: the reserved bit is ignored: GOAWAY", "going away 1 NO_ERROR |", f.goaway(1 | UNSEEN)),
    rule("4.2: a frame of the largest size is taken", f"request 1 data 1 {'a' * (1 << 14)!r} |", begun(), f.data(1,
         b"a" * (1 << 14)), limits=SMALL),
    rule("4.2: DATA beyond the largest size", f"request 1 {SIZE}", begun(), f.data(1, bytes((1 << 14) + 1)),
         limits=SMALL),
    rule("4.2: HEADERS beyond the largest size", SIZE, frame(HEADERS, 0, 1, bytes((1 << 14) + 1)), limits=SMALL),
    rule("4.2: unknown types beyond the largest size", SIZE, frame(200, 0, 1, bytes((1 << 14) + 1)), limits=SMALL),
    rule("4.2: a size is refused before its payload", SIZE, frame(200, 0, 0, size=(1 << 24) - 1)),
    rule("4.2: HEADERS without room for the priority", SIZE, frame(HEADERS, END_HEADERS | WITH_PRIORITY, 1,
         b"\0\0\0\0")),
    rule("4.3: a block ends before its last field does", COMPRESSION, frame(HEADERS, END_HEADERS, 1, BLOCK[:-1])),
    rule("4.3: a block refers to no entry", COMPRESSION, frame(HEADERS, END_HEADERS, 1, b"\xbe")),
    rule("4.3: trailers that are no block", f"request 1 {COMPRESSION}", begun(), frame(HEADERS,
         END_HEADERS | END_STREAM, 1, b"\xbe")),
    rule("4.3: no block, for a stream that was reset", f"request 1 {COMPRESSION[:-1]}| RstStream 1 CANCEL", begun(),
         reset(), frame(HEADERS, END_HEADERS, 1, b"\xbe")),
    rule("4.3: PING within a block", PROTOCOL, frame(HEADERS, 0, 1, BLOCK[:9]), f.ping()),
    rule("4.3: DATA within a block", f"request 1 {PROTOCOL}", begun(), frame(HEADERS, END_STREAM, 1, b""), f.data(1,
         b"a")),
    rule("4.3: HEADERS within a block", PROTOCOL, frame(HEADERS, 0, 1, BLOCK[:9]), f.headers(3)),
    rule("4.3: SETTINGS within a block", PROTOCOL, frame(HEADERS, 0, 1, BLOCK[:9]), f.settings()),
    rule("5.1: DATA on an idle stream", PROTOCOL, f.data(1, b"a")),
    rule("5.1: empty DATA on an idle stream", PROTOCOL, f.data(1, end=True)),
    rule("5.1: RST_STREAM on an idle stream", PROTOCOL, f.rst_stream(1)),
    rule("5.1: WINDOW_UPDATE on an idle stream", PROTOCOL, f.window_update(1, 1)),
    rule("5.1: WINDOW_UPDATE of 0 on an idle stream", PROTOCOL, f.window_update(1, 0)),
    rule("5.1: WINDOW_UPDATE on a stream above the last", f"request 1 {PROTOCOL}", begun(), f.window_update(3, 1)),
    rule("5.1: CONTINUATION on an idle stream", PROTOCOL, frame(CONTINUATION, END_HEADERS, 1, BLOCK)),
    rule("5.1: PRIORITY on an idle stream", NOTHING, frame(PRIORITY, 0, 1, WEIGHT)),
    rule("5.1: DATA on the server's idle stream", PROTOCOL, f.data(2, b"a")),
    rule("5.1: RST_STREAM on the server's idle stream", PROTOCOL, f.rst_stream(2)),
    rule("5.1: WINDOW_UPDATE on the server's idle stream", PROTOCOL, f.window_update(2, 1)),
    rule("5.1: half-closed (remote): DATA", "request 1 end reset 1 STREAM_CLOSED | RstStream 1 STREAM_CLOSED",
         begun(end=True), f.data(1, b"a")),
    rule("5.1: half-closed (remote): DATA behind the last DATA",
         "request 1 data 1 'a' end reset 1 STREAM_CLOSED | RstStream 1 STREAM_CLOSED", begun(), f.data(1, b"a",
         end=True), f.data(1, b"b")),
    rule("5.1: half-closed (remote): HEADERS", "request 1 end reset 1 STREAM_CLOSED | RstStream 1 STREAM_CLOSED",
         begun(end=True), f.headers(1, TRAILERS, end=True)),
    rule("5.1: half-closed (remote): WINDOW_UPDATE", "request 1 end window 1 |", begun(end=True), f.window_update(1,
         1)),
    rule("5.1: half-closed (remote): PRIORITY", "request 1 end |", begun(end=True), frame(PRIORITY, 0, 1, WEIGHT)),
    rule("5.1: half-closed (remote): RST_STREAM", "request 1 end reset 1 CANCEL by peer |", begun(end=True),
         f.rst_stream(1)),
    rule("5.1: half-closed (local): DATA", "request 1 data 1 'a' end | Headers 1 END_HEADERS END_STREAM", begun(),
         answer(), f.data(1, b"a", end=True)),
    rule("5.1: half-closed (local): trailers", "request 1 trailers 1 | Headers 1 END_HEADERS END_STREAM", begun(),
         answer(), f.headers(1, TRAILERS, end=True)),
    rule("5.1: half-closed (local): RST_STREAM", "request 1 reset 1 CANCEL by peer | Headers 1 END_HEADERS END_STREAM",
         begun(), answer(), f.rst_stream(1)),
    rule("5.1: half-closed (local): WINDOW_UPDATE", "request 1 window 1 | Headers 1 END_HEADERS END_STREAM", begun(),
         answer(), f.window_update(1, 1)),
    rule("5.1: closed by both ends: DATA", "request 1 end failed STREAM_CLOSED | Headers 1 END_HEADERS END_STREAM",
         begun(end=True), answer(), f.data(1, b"a")),
    rule("5.1: closed by both ends: HEADERS", "request 1 end failed STREAM_CLOSED | Headers 1 END_HEADERS END_STREAM",
         begun(end=True), answer(), f.headers(1)),
    rule("5.1: closed by both ends: WINDOW_UPDATE", "request 1 end | Headers 1 END_HEADERS END_STREAM", begun(end=True),
         answer(), f.window_update(1, 1)),
    rule("5.1: closed by both ends: RST_STREAM", "request 1 end | Headers 1 END_HEADERS END_STREAM", begun(end=True),
         answer(), f.rst_stream(1)),
    rule("5.1: closed by both ends: PRIORITY", "request 1 end | Headers 1 END_HEADERS END_STREAM", begun(end=True),
         answer(), frame(PRIORITY, 0, 1, WEIGHT)),
    rule("5.1: closed by the peer's RST_STREAM: DATA", "request 1 reset 1 CANCEL by peer failed STREAM_CLOSED |",
         begun(), f.rst_stream(1), f.data(1, b"a")),
    rule("5.1: closed by the peer's RST_STREAM: HEADERS", "request 1 reset 1 CANCEL by peer failed STREAM_CLOSED |",
         begun(), f.rst_stream(1), f.headers(1, TRAILERS, end=True)),
    rule("5.1: closed by the peer's RST_STREAM: WINDOW_UPDATE", "request 1 reset 1 CANCEL by peer |", begun(),
         f.rst_stream(1), f.window_update(1, 1)),
    rule("5.1: closed by the peer's RST_STREAM: PRIORITY", "request 1 reset 1 CANCEL by peer |", begun(),
         f.rst_stream(1), frame(PRIORITY, 0, 1, WEIGHT)),
    rule("5.1: closed by our RST_STREAM: everything is ignored", "request 1 | RstStream 1 CANCEL", begun(), reset(),
         f.data(1, b"a"), f.window_update(1, 1), frame(PRIORITY, 0, 1, WEIGHT), f.headers(1, TRAILERS, end=True),
         f.rst_stream(1)),
    rule("5.1: closed by our RST_STREAM: what a stream error would be", "request 1 | RstStream 1 CANCEL", begun(),
         reset(), f.window_update(1, LARGEST), f.data(1, bytes(300_000 - 50_000)), f.headers(1, (("A", "b"),))),
    rule("5.1.1: stream 0", PROTOCOL, f.headers(0)),
    rule("5.1.1: even streams are the server's", PROTOCOL, f.headers(2)),
    rule("5.1.1: a stream below the last one", "request 5 failed STREAM_CLOSED |", f.headers(5), f.headers(3)),
    rule("5.1.1: streams may be left out", "request 7 request 9 |", f.headers(7), f.headers(9)),
    rule("5.1.1: the largest stream", f"request {LARGEST} |", f.headers(LARGEST)),
    rule("5.1.2: a stream beyond the limit is refused", "request 1 request 3 | RstStream 5 REFUSED_STREAM", begun(),
         f.headers(3), f.headers(5), limits=SMALL),
    rule("5.1.2: what follows for a refused stream is ignored", "request 1 request 3 | RstStream 5 REFUSED_STREAM",
         begun(), f.headers(3), f.headers(5), f.data(5, b"a"), f.window_update(5, 1), f.headers(5, TRAILERS, end=True),
         limits=SMALL),
    rule("5.1.2: a stream that is malformed beyond the limit is refused, too",
         "request 1 request 3 | RstStream 5 REFUSED_STREAM", begun(), f.headers(3), f.headers(5, ()), limits=SMALL),
    rule("5.1.2: half-closed streams count",
         "request 1 end request 3 | Headers 3 END_HEADERS END_STREAM RstStream 5 REFUSED_STREAM", begun(end=True),
         f.headers(3), answer(3), f.headers(5), limits=SMALL),
    rule("5.1.2: a stream makes room when both have ended it",
         "request 1 end request 3 request 5 | Headers 1 END_HEADERS END_STREAM", begun(end=True), f.headers(3),
         answer(), f.headers(5), limits=SMALL),
    rule("5.1.2: a stream makes room when the peer resets it", "request 1 request 3 reset 1 CANCEL by peer request 5 |",
         begun(), f.headers(3), f.rst_stream(1), f.headers(5), limits=SMALL),
    rule("5.1.2: a stream makes room when we reset it", "request 1 request 3 request 5 | RstStream 1 CANCEL", begun(),
         f.headers(3), reset(), f.headers(5), limits=SMALL),
    rule("5.3.2: PRIORITY is ignored, and may depend on itself", NOTHING, frame(PRIORITY, 0, 3, struct.pack(">LB", 3,
         255))),
    rule("5.3.2: the priority in HEADERS is ignored, and may depend on itself", "request 1 |", frame(HEADERS,
         END_HEADERS | WITH_PRIORITY, 1, struct.pack(">LB", 1 | UNSEEN, 1) + BLOCK)),
    rule("5.4.1: nothing is read behind a connection error", f"request 1 {PROTOCOL}", begun(), f.data(0, b"a"),
         f.headers(3), f.ping()),
    rule("5.4.2: other streams outlive a stream error",
         "request 1 end request 3 reset 1 STREAM_CLOSED data 3 'b' | RstStream 1 STREAM_CLOSED", begun(end=True),
         f.headers(3), f.data(1, b"a"), f.data(3, b"b")),
    rule("5.4.2: one stream error, one RST_STREAM", "request 1 end reset 1 STREAM_CLOSED | RstStream 1 STREAM_CLOSED",
         begun(end=True), f.data(1, b"a"), f.data(1, b"b"), f.data(1, b"c", end=True)),
    rule("5.4.2: RST_STREAM is no answer to RST_STREAM", "request 1 reset 1 STREAM_CLOSED by peer |", begun(),
         f.rst_stream(1, ErrorCode.STREAM_CLOSED), f.rst_stream(1, ErrorCode.STREAM_CLOSED)),
    rule("5.5: an unknown type within a block", PROTOCOL, frame(HEADERS, 0, 1, BLOCK[:9]), frame(99, 0, 1)),
    rule("6.1: DATA on stream 0", PROTOCOL, f.data(0, b"a")),
    rule("6.1: DATA without data on stream 0", PROTOCOL, f.data(0)),
    rule("6.1: padding is left out, and counts", "request 1 data 1 'abc' of 9 |", begun(), f.data(1, b"abc",
         padding=5)),
    rule("6.1: padding of no bytes counts its length", "request 1 data 1 'abc' of 4 |", begun(), f.data(1, b"abc",
         padding=0)),
    rule("6.1: nothing but padding", "request 1 data 1 '' of 256 end |", begun(), f.data(1, padding=255, end=True)),
    rule("6.1: nothing but padding goes on", "request 1 data 1 'a' of 2 |", begun(), f.data(1, padding=0), f.data(1,
         b"a")),
    rule("6.1: padding as long as the frame", f"request 1 {PROTOCOL}", begun(), frame(DATA, PADDED, 1, b"\4abc")),
    rule("6.1: padding longer than the frame", f"request 1 {PROTOCOL}", begun(), frame(DATA, PADDED, 1, b"\xffabc")),
    rule("6.1: padded DATA without the length of its padding", f"request 1 {PROTOCOL}", begun(), frame(DATA, PADDED,
         1)),
    rule("6.1: padding may be other than zero", "request 1 data 1 'a' of 4 |", begun(), frame(DATA, PADDED, 1,
         b"\2axy")),
    rule("6.1: empty DATA ends a stream", "request 1 data 1 '' end |", begun(), f.data(1, end=True)),
    rule("6.1: empty DATA says nothing", "request 1 |", begun(), f.data(1)),
    rule("6.2: HEADERS end a stream", "request 1 end |", begun(end=True)),
    rule("6.2: padding is left out", "request 1 |", frame(HEADERS, END_HEADERS | PADDED, 1,
         b"\x05" + BLOCK + bytes(5))),
    rule("6.2: padding and priority are left out", "request 1 end |", frame(HEADERS, 0xFF, 1,
         b"\xff" + WEIGHT + BLOCK + bytes(255))),
    rule("6.2: padding longer than the frame", PROTOCOL, frame(HEADERS, END_HEADERS | PADDED, 1, b"\xff" + BLOCK)),
    rule("6.2: padding that leaves nothing for the priority", PROTOCOL, frame(HEADERS,
         END_HEADERS | PADDED | WITH_PRIORITY, 1, b"\x05" + bytes(9))),
    rule("6.2: padded HEADERS without the length of their padding", PROTOCOL, frame(HEADERS, END_HEADERS | PADDED, 1)),
    rule("6.2: a block without fields", MALFORMED, frame(HEADERS, END_HEADERS, 1)),
    rule("6.3: PRIORITY on stream 0", PROTOCOL, frame(PRIORITY, 0, 0, WEIGHT)),
    rule("6.3: PRIORITY has 5 bytes", "request 1 reset 1 FRAME_SIZE_ERROR | RstStream 1 FRAME_SIZE_ERROR", begun(),
         frame(PRIORITY, 0, 1, bytes(4))),
    rule("6.3: PRIORITY has 5 bytes on an idle stream, too", SIZE, frame(PRIORITY, 0, 1, bytes(6))),
    rule("6.4: RST_STREAM on stream 0", PROTOCOL, f.rst_stream(0)),
    rule("6.4: RST_STREAM has 4 bytes", f"request 1 {SIZE}", begun(), frame(RST_STREAM, 0, 1, bytes(3))),
    rule("6.4: RST_STREAM has 4 bytes, not 5", f"request 1 {SIZE}", begun(), frame(RST_STREAM, 0, 1, bytes(5))),
    rule("6.4: RST_STREAM ends a stream", "request 1 reset 1 CANCEL by peer |", begun(), f.rst_stream(1)),
    rule("6.5: SETTINGS on a stream", PROTOCOL, frame(SETTINGS, 0, 1)),
    rule("6.5: an acknowledgement on a stream", PROTOCOL, frame(SETTINGS, ACK, 1)),
    rule("6.5: an acknowledgement is empty", SIZE, frame(SETTINGS, ACK, 0, bytes(6))),
    rule("6.5: SETTINGS have 6 bytes each", SIZE, frame(SETTINGS, 0, 0, bytes(7))),
    rule("6.5.2: ENABLE_PUSH is 0", "| Settings 0 ACK", f.settings((ENABLE_PUSH, 0))),
    rule("6.5.2: ENABLE_PUSH is 1", "| Settings 0 ACK", f.settings((ENABLE_PUSH, 1))),
    rule("6.5.2: ENABLE_PUSH is nothing else", PROTOCOL, f.settings((ENABLE_PUSH, 2))),
    rule("6.5.2: INITIAL_WINDOW_SIZE is 2^31-1 at most", "failed FLOW_CONTROL_ERROR |", f.settings((WINDOW, 1 << 31))),
    rule("6.5.2: INITIAL_WINDOW_SIZE is 2^31-1", "window 0 | Settings 0 ACK", f.settings((WINDOW, LARGEST))),
    rule("6.5.2: INITIAL_WINDOW_SIZE is 0", "window 0 | Settings 0 ACK", f.settings((WINDOW, 0))),
    rule("6.5.2: MAX_FRAME_SIZE is 2^14 at least", PROTOCOL, f.settings((FRAME_SIZE, (1 << 14) - 1))),
    rule("6.5.2: MAX_FRAME_SIZE is 2^24-1 at most", PROTOCOL, f.settings((FRAME_SIZE, 1 << 24))),
    rule("6.5.2: MAX_FRAME_SIZE is 2^24-1", "| Settings 0 ACK", f.settings((FRAME_SIZE, (1 << 24) - 1))),
    rule("6.5.2: a value out of range behind one in it", PROTOCOL, f.settings((ENABLE_PUSH, 0), (ENABLE_PUSH, 3))),
    rule("6.5.2: a value in range behind one out of it", PROTOCOL, f.settings((ENABLE_PUSH, 3), (ENABLE_PUSH, 0))),
    rule("6.5.2: other settings take every value", "| Settings 0 ACK", f.settings((TABLE_SIZE, (1 << 32) - 1),
         (MAX_STREAMS, 0), (LIST_SIZE, 0))),
    rule("6.5.2: unknown settings are ignored", "| Settings 0 ACK", f.settings((0, 1), (0xFFFF, 1 << 31))),
    rule("6.5.3: SETTINGS are acknowledged, one by one", "| Settings 0 ACK Settings 0 ACK", f.settings(), f.settings()),
    rule("6.5.3: an acknowledgement is not acknowledged", NOTHING, frame(SETTINGS, ACK, 0)),
    rule("6.6: PUSH_PROMISE comes from servers", f"request 1 {PROTOCOL}", begun(), frame(PUSH_PROMISE, END_HEADERS, 1,
         struct.pack(">L", 2) + BLOCK)),
    rule("6.6: PUSH_PROMISE on stream 0", PROTOCOL, frame(PUSH_PROMISE, END_HEADERS, 0, struct.pack(">L", 2) + BLOCK)),
    rule("6.7: PING is answered with what is in it", "| Ping 0 ACK abcdefgh", f.ping(b"abcdefgh")),
    rule("6.7: PING is answered before the next frames", "| Ping 0 ACK 12345678 Settings 0 ACK", f.ping(),
         f.settings()),
    rule("6.7: an acknowledgement is not answered", "pong 12345678 |", f.ping(ack=True)),
    rule("6.7: PING on a stream", PROTOCOL, frame(PING, 0, 1, bytes(8))),
    rule("6.7: an acknowledgement on a stream", PROTOCOL, frame(PING, ACK, 1, bytes(8))),
    rule("6.7: PING has 8 bytes", SIZE, frame(PING, 0, 0, bytes(7))),
    rule("6.7: PING has 8 bytes, not 9", SIZE, frame(PING, 0, 0, bytes(9))),
    rule("6.7: an acknowledgement has 8 bytes", SIZE, frame(PING, ACK, 0, bytes(6))),
    rule("6.8: GOAWAY on a stream", f"request 1 {PROTOCOL}", begun(), frame(GOAWAY, 0, 1, bytes(8))),
    rule("6.8: GOAWAY has 8 bytes at least", SIZE, frame(GOAWAY, 0, 0, bytes(7))),
    rule("6.8: GOAWAY may say why", "going away 0 ENHANCE_YOUR_CALM |", f.goaway(0, ErrorCode.ENHANCE_YOUR_CALM,
         b"why")),
    rule("6.8: GOAWAY twice", "going away 9 NO_ERROR going away 0 INTERNAL_ERROR |", f.goaway(9), f.goaway(0, 2)),
    rule("6.8: streams go on behind a GOAWAY of the peer",
         "request 1 going away 0 NO_ERROR data 1 'a' end | Headers 1 END_HEADERS END_STREAM", begun(), f.goaway(),
         f.data(1, b"a", end=True), answer()),
    rule("6.8: our GOAWAY names the last stream", "request 3 | GoAway 0 3 NO_ERROR", f.headers(3), go_away),
    rule("6.8: our GOAWAY before there is a stream", "| GoAway 0 0 NO_ERROR", go_away),
    rule("6.8: streams above the last one are ignored", "request 1 | GoAway 0 1 NO_ERROR", begun(), go_away,
         f.headers(3), f.data(3, b"a"), f.window_update(3, 1), f.window_update(3, 0), frame(PRIORITY, 0, 3, WEIGHT),
         f.rst_stream(3), f.headers(5, ())),
    rule("6.8: streams up to the last one go on",
         "request 1 data 1 'a' window 1 trailers 1 | GoAway 0 1 NO_ERROR Headers 1 END_HEADERS END_STREAM", begun(),
         go_away, f.data(1, b"a"), f.window_update(1, 1), f.headers(1, TRAILERS, end=True), answer()),
    rule("6.8: a second GOAWAY names no later stream", "request 1 | GoAway 0 1 NO_ERROR GoAway 0 1 NO_ERROR", begun(),
         go_away, f.headers(3), go_away),
    rule("6.8: PING is answered behind our GOAWAY", "| GoAway 0 0 NO_ERROR Ping 0 ACK 12345678", go_away, f.ping()),
    rule("6.8: even streams are wrong behind our GOAWAY, too", "failed PROTOCOL_ERROR | GoAway 0 0 NO_ERROR", go_away,
         f.headers(2)),
    rule("6.9: WINDOW_UPDATE of the connection", "window 0 |", f.window_update(0, 1)),
    rule("6.9: WINDOW_UPDATE of a stream", "request 1 window 1 |", begun(), f.window_update(1, 1)),
    rule("6.9: WINDOW_UPDATE of 0 for the connection", PROTOCOL, f.window_update(0, 0)),
    rule("6.9: WINDOW_UPDATE of 0 for a stream", "request 1 reset 1 PROTOCOL_ERROR | RstStream 1 PROTOCOL_ERROR",
         begun(), f.window_update(1, 0)),
    rule("6.9: the reserved bit does not make more of 0", PROTOCOL, f.window_update(0, UNSEEN)),
    rule("6.9: WINDOW_UPDATE has 4 bytes", SIZE, frame(WINDOW_UPDATE, 0, 0, bytes(3))),
    rule("6.9: WINDOW_UPDATE of a stream has 4 bytes", f"request 1 {SIZE}", begun(), frame(WINDOW_UPDATE, 0, 1,
         bytes(5))),
    rule("6.9: DATA beyond the window of a stream",
         f"request 1 data 1 {'a' * 65535!r} reset 1 FLOW_CONTROL_ERROR | RstStream 1 FLOW_CONTROL_ERROR", begun(),
         *(f.data(1, b"a" * 13107) for _ in range(5)), f.data(1, b"b"), limits=SMALL),
    rule("6.9: padding counts",
         f"request 1 data 1 {'a' * 65532!r} reset 1 FLOW_CONTROL_ERROR | RstStream 1 FLOW_CONTROL_ERROR", begun(),
         *(f.data(1, b"a" * 10922) for _ in range(6)), frame(DATA, PADDED, 1, b"\2b\0\0"), limits=SMALL),
    rule("6.9: empty DATA needs no window", f"request 1 data 1 {'a' * 65535!r} end |", begun(), *(f.data(1,
         b"a" * 13107) for _ in range(5)), f.data(1, end=True), limits=SMALL),
    rule("6.9: more can be sent once we have grown the window",
         f"request 1 data 1 {'a' * 65535 + 'b'!r} | WindowUpdate 1 1", begun(), *(f.data(1,
         b"a" * 13107) for _ in range(5)), lambda c: c.grow_window(1, 1), f.data(1, b"b"), limits=SMALL),
    rule("6.9: a window does not grow when the peer has ended the stream", "request 1 end |", begun(end=True),
         lambda c: c.grow_window(1, 1)),
    rule("6.9.1: the connection's window is 2^31-1 at most", "failed FLOW_CONTROL_ERROR |", f.window_update(0,
         LARGEST)),
    rule("6.9.1: the connection's window is 2^31-1", "window 0 |", f.window_update(0, LARGEST - USUAL)),
    rule("6.9.1: a stream's window is 2^31-1 at most",
         "request 1 window 1 reset 1 FLOW_CONTROL_ERROR | RstStream 1 FLOW_CONTROL_ERROR", begun(), f.window_update(1,
         LARGEST - USUAL), f.window_update(1, 1)),
    rule("6.9.2: SETTINGS make a stream's window larger than 2^31-1", "request 1 window 1 failed FLOW_CONTROL_ERROR |",
         begun(), f.window_update(1, LARGEST - USUAL), f.settings((WINDOW, USUAL + 1))),
    rule("6.9.2: SETTINGS change no window of the connection", "window 0 window 0 | Settings 0 ACK", f.window_update(0,
         LARGEST - USUAL), f.settings((WINDOW, LARGEST))),
    rule("6.10: a block in pieces", "request 1 |", frame(HEADERS, 0, 1, BLOCK[:1]), frame(CONTINUATION, 0, 1,
         BLOCK[1:7]), frame(CONTINUATION, END_HEADERS, 1, BLOCK[7:])),
    rule("6.10: an empty piece at the end", "request 1 |", frame(HEADERS, 0, 1, BLOCK), frame(CONTINUATION, END_HEADERS,
         1)),
    rule("6.10: an empty piece at the start", "request 1 end |", frame(HEADERS, END_STREAM, 1), frame(CONTINUATION,
         END_HEADERS, 1, BLOCK)),
    rule("6.10: END_STREAM is a flag of HEADERS only", "request 1 |", frame(HEADERS, 0, 1, BLOCK), frame(CONTINUATION,
         END_HEADERS | END_STREAM, 1)),
    rule("6.10: CONTINUATION is not padded", COMPRESSION, frame(HEADERS, 0, 1, b""), frame(CONTINUATION,
         END_HEADERS | PADDED, 1, b"\xff" + BLOCK)),
    rule("6.10: CONTINUATION for another stream", PROTOCOL, frame(HEADERS, 0, 1, BLOCK[:9]), frame(CONTINUATION,
         END_HEADERS, 3, BLOCK[9:])),
    rule("6.10: CONTINUATION behind a whole block", f"request 1 {PROTOCOL}", begun(), frame(CONTINUATION, END_HEADERS,
         1)),
    rule("6.10: CONTINUATION on stream 0", PROTOCOL, frame(CONTINUATION, END_HEADERS, 0, BLOCK)),
    rule("6.10: trailers in pieces", "request 1 trailers 1 |", begun(), frame(HEADERS, END_STREAM, 1, b""),
         frame(CONTINUATION, END_HEADERS, 1, literal(TRAILERS))),
    rule("8.1: headers, data, trailers", "request 1 data 1 'ab' trailers 1 |", begun(), f.data(1, b"a"), f.data(1,
         b"b"), f.headers(1, TRAILERS, end=True)),
    rule("8.1: trailers end the stream", "request 1 reset 1 PROTOCOL_ERROR | RstStream 1 PROTOCOL_ERROR", begun(),
         f.headers(1, TRAILERS)),
    rule("8.1: trailers may be empty", "request 1 trailers 1 |", begun(), f.headers(1, (), end=True)),
    rule("8.1: data behind trailers", "request 1 trailers 1 reset 1 STREAM_CLOSED | RstStream 1 STREAM_CLOSED", begun(),
         f.headers(1, TRAILERS, end=True), f.data(1, b"a")),
    rule("8.1.1: a body shorter than content-length",
         "request 1 data 1 'a' reset 1 PROTOCOL_ERROR | RstStream 1 PROTOCOL_ERROR", f.headers(1, plus("content-length",
         "3")), f.data(1, b"a"), f.data(1, b"b", end=True)),
    rule("8.1.1: no body, but a content-length", "| RstStream 1 PROTOCOL_ERROR", f.headers(1, plus("content-length",
         "3"), end=True)),
    rule("8.1.1: a body longer than content-length", "request 1 reset 1 PROTOCOL_ERROR | RstStream 1 PROTOCOL_ERROR",
         f.headers(1, plus("content-length", "3")), f.data(1, b"abcd")),
    rule("8.1.1: trailers before the body is as long as content-length",
         "request 1 data 1 'ab' reset 1 PROTOCOL_ERROR | RstStream 1 PROTOCOL_ERROR", f.headers(1,
         plus("content-length", "3")), f.data(1, b"ab"), f.headers(1, TRAILERS, end=True)),
    rule("8.1.1: a body of content-length, padding left out", "request 1 data 1 'abc' of 9 end |", f.headers(1,
         plus("content-length", "3")), f.data(1, b"abc", padding=5, end=True)),
    rule("8.1.1: a body of content-length, and trailers", "request 1 data 1 'abc' trailers 1 |", f.headers(1,
         plus("content-length", "3")), f.data(1, b"abc"), f.headers(1, TRAILERS, end=True)),
    rule("8.1.1: content-length 0", "request 1 end |", f.headers(1, plus("content-length", "0"), end=True)),
    rule("8.1.1: content-length is a number", MALFORMED, f.headers(1, plus("content-length", "3.0"))),
    rule("8.1.1: content-length is not negative", MALFORMED, f.headers(1, plus("content-length", "-3"))),
    rule("8.1.1: content-length has no sign", MALFORMED, f.headers(1, plus("content-length", "+3"))),
    rule("8.1.1: content-length is ASCII", MALFORMED, f.headers(1, plus("content-length", "\xb3"))),
    rule("8.1.1: content-length is one number", MALFORMED, f.headers(1, (*plus("content-length", "3"),
         ("content-length", "4")))),
    rule("8.1.1: another stream begins behind a malformed one", "request 3 | RstStream 1 PROTOCOL_ERROR", f.headers(1,
         ()), f.data(1, b"a"), f.headers(3)),
    rule("8.2: names are of small letters", MALFORMED, f.headers(1, plus("Content-Language", "de"))),
    rule("8.2: names in trailers are of small letters", "request 1 reset 1 PROTOCOL_ERROR | RstStream 1 PROTOCOL_ERROR",
         begun(), f.headers(1, (("X", "1"),), end=True)),
    *(rule(f"8.2.1: a name has no {char!r}", MALFORMED, f.headers(1, plus(f"x{char}y", "1"))) for char in ("\0", "\t",
         "\n", "\r", " ", "\x1f", "A", "Z", "\x7f", "\x80", "\xff", ":")),
    rule("8.2.1: a name is not empty", MALFORMED, f.headers(1, plus("", "1"))),
    rule("8.2.1: a name is not a colon", MALFORMED, f.headers(1, ((":", "1"), *REQUEST))),
    *(rule(f"8.2.1: a value has no {char!r}", MALFORMED, f.headers(1, plus("x", f"a{char}b"))) for char in "\0\n\r"),
    *(rule(f"8.2.1: a value does not begin with {char!r}", MALFORMED, f.headers(1, plus("x",
         f"{char}b"))) for char in " \t"),
    *(rule(f"8.2.1: a value does not end with {char!r}", MALFORMED, f.headers(1, plus("x",
         f"b{char}"))) for char in " \t"),
    rule("8.2.1: a value does not end with a line", MALFORMED, f.headers(1, plus("x", "a\n"))),
    rule("8.2.1: a value of a pseudo-header has no line", MALFORMED, f.headers(1, with_value(":path", "/a\r\nb"))),
    rule("8.2.1: a value in trailers has no line", "request 1 reset 1 PROTOCOL_ERROR | RstStream 1 PROTOCOL_ERROR",
         begun(), f.headers(1, (("x", "a\nb"),), end=True)),
    rule("8.2.1: a value may be empty", "request 1 |", f.headers(1, plus("x", ""))),
    rule("8.2.1: a value may be of any other characters", "request 1 |", f.headers(1, plus("x", "".join(map(chr, [1,
         127, *range(128, 256)]))))),
    *(rule(f"8.2.2: {name} is of HTTP/1.1", MALFORMED, f.headers(1, plus(name, "x"))) for name in ("connection",
         "proxy-connection", "keep-alive", "transfer-encoding", "upgrade")),
    rule("8.2.2: connection in trailers", "request 1 reset 1 PROTOCOL_ERROR | RstStream 1 PROTOCOL_ERROR", begun(),
         f.headers(1, (("connection", "close"),), end=True)),
    rule("8.2.2: te is trailers, if anything", MALFORMED, f.headers(1, with_value("te", "gzip"))),
    rule("8.2.2: te is nothing beside trailers", MALFORMED, f.headers(1, with_value("te", "trailers, deflate;q=0.5"))),
    rule("8.2.2: te is not needed", "request 1 |", f.headers(1, without("te"))),
    rule("8.2.3: cookies may be crumbs", "request 1 |", f.headers(1, (*plus("cookie", "a=b"), ("cookie", "c=d")))),
    rule("8.3: a pseudo-header behind others", MALFORMED, f.headers(1, (*REQUEST[1:], REQUEST[0]))),
    rule("8.3: a pseudo-header that is not known", MALFORMED, f.headers(1, ((":x", "1"), *REQUEST))),
    rule("8.3: a pseudo-header of answers", MALFORMED, f.headers(1, ((":status", "200"), *REQUEST))),
    rule("8.3: a pseudo-header in trailers", "request 1 reset 1 PROTOCOL_ERROR | RstStream 1 PROTOCOL_ERROR", begun(),
         f.headers(1, ((":path", "/"),), end=True)),
    *(rule(f"8.3: {name} twice", MALFORMED, f.headers(1, ((name, value), *REQUEST))) for name, value in REQUEST[:4]),
    *(rule(f"8.3.1: {name} is needed", MALFORMED, f.headers(1, without(name))) for name, _ in REQUEST[:3]),
    rule("8.3.1: :authority is not needed", "request 1 |", f.headers(1, without(":authority"))),
    rule("8.3.1: host in place of :authority", "request 1 |", f.headers(1, (*without(":authority"), ("host", "test")))),
    rule("8.3.1: host beside an equal :authority", "request 1 |", f.headers(1, plus("host", "test"))),
    rule("8.3.1: :path is not empty", MALFORMED, f.headers(1, with_value(":path", ""))),
    rule("8.3.1: :method is not empty", MALFORMED, f.headers(1, with_value(":method", ""))),
    rule("8.3.1: another scheme", "request 1 |", f.headers(1, with_value(":scheme", "https"))),
    rule("8.3.1: OPTIONS *", "request 1 end |", f.headers(1, ((":method", "OPTIONS"), (":scheme", "http"), (":path",
         "*")), end=True)),
    rule("8.5: CONNECT is not served", MALFORMED, f.headers(1, ((":method", "CONNECT"), (":authority", "test:1")))),
    rule("8.5: CONNECT has no :path", MALFORMED, f.headers(1, with_value(":method", "CONNECT"))),
    rule("8.5: CONNECT as in RFC 8441 is not served", MALFORMED, f.headers(1, (*with_value(":method", "CONNECT")[:4],
         (":protocol", "websocket")))),
    rule("10.5: PING", f"{CALM} {' '.join(['Ping 0 ACK 12345678'] * 2)}", *[f.ping()] * 4, limits=FEW),
    rule("10.5: SETTINGS", f"{CALM} {' '.join(['Settings 0 ACK'] * 2)}", *[f.settings()] * 3, limits=FEW),
    rule("10.5: PRIORITY", CALM, *[frame(PRIORITY, 0, 1, WEIGHT)] * 3, limits=FEW),
    rule("10.5: unknown types", CALM, *[frame(99, 0, 1)] * 3, limits=FEW),
    rule("10.5: GOAWAY", f"{'going away 0 NO_ERROR ' * 2}{CALM}", *[f.goaway()] * 3, limits=FEW),
    rule("10.5: empty DATA", f"request 1 {CALM}", begun(), *[f.data(1)] * 4, limits=FEW),
    rule("10.5: DATA of padding", f"request 1 data 1 '' of 6 {CALM}", begun(), *[f.data(1, padding=1)] * 4, limits=FEW),
    rule("10.5: empty DATA on a stream that was reset", f"request 1 {CALM} RstStream 1 CANCEL", begun(), reset(),
         *[f.data(1)] * 4, limits=FEW),
    rule("10.5: empty CONTINUATION", CALM, frame(HEADERS, 0, 1, b""), *[frame(CONTINUATION, 0, 1)] * 3, limits=FEW),
    rule("10.5: a block without end", CALM, frame(HEADERS, 0, 1, bytes(100)), *[frame(CONTINUATION, 0, 1,
         bytes(100))] * 5, limits=SMALL),
    rule("10.5: a block in one frame that is larger than lists may be", CALM, frame(HEADERS, END_HEADERS, 1,
         size=1 << 13), limits=SMALL),
    rule("10.5: streams that are reset at once",
         "".join(f"request {stream} reset {stream} CANCEL by peer " for stream in (1, 3, 5)) + f"request 7 {CALM}",
         *(f.headers(stream) + f.rst_stream(stream) for stream in (1, 3, 5, 7)), limits=FEW),
    rule("10.5: streams that we are made to reset",
         "".join(f"request {stream} reset {stream} PROTOCOL_ERROR " for stream in (1, 3,
         5)) + f"request 7 {CALM} "
         "RstStream 1 PROTOCOL_ERROR RstStream 3 PROTOCOL_ERROR RstStream 5 PROTOCOL_ERROR",
         *(f.headers(stream) + f.window_update(stream, 0) for stream in (1, 3, 5, 7)), limits=FEW),
    rule("10.5: answered streams may be reset", " ".join(f"request {stream} end" for stream in range(1, 19,
         2)) + " | " + " ".join(f"Headers {stream} END_HEADERS END_STREAM" for stream in range(1, 19, 2)),
         *(step for stream in range(1, 19, 2) for step in (f.headers(stream, end=True), answer(stream),
         f.rst_stream(stream))), limits=FEW),
    rule("10.5.1: a header list beyond the limit", CALM, f.headers(1, plus("x", "y" * 280)), limits=SMALL),
    rule("10.5.1: 32 bytes are counted for each field", CALM, f.headers(1, (*REQUEST, *((c, "") for c in "abcdefgh"))),
         limits=SMALL),
    rule("10.5.1: a header list within the limit", "request 1 |", f.headers(1, plus("x", "y" * 150)), limits=SMALL),
    rule("10.5.1: trailers beyond the limit", f"request 1 {CALM}", begun(), f.headers(1, (("x", "y" * 480),), end=True),
         limits=SMALL),
    rule("10.5.1: a small block of a large list", CALM, frame(HEADERS, END_HEADERS, 1, literal([("x", "y" * 99)],
         indexed=True) + b"\xbe" * 9), limits=SMALL),
    rule("H2.3.3: an index beyond the tables", COMPRESSION, frame(HEADERS, END_HEADERS, 1, b"\xff\x7f")),
    rule("H4.2: a table larger than we allow", COMPRESSION, frame(HEADERS, END_HEADERS, 1, b"\x3f\xe2\x1f" + BLOCK)),
    rule("H4.2: a table as large as we allow", "request 1 |", frame(HEADERS, END_HEADERS, 1, b"\x3f\xe1\x1f" + BLOCK)),
    rule("H4.2: a table's size behind a field", COMPRESSION, frame(HEADERS, END_HEADERS, 1, BLOCK + b"\x20")),
    rule("H4.3: a table of no bytes holds nothing", f"request 1 {COMPRESSION}", frame(HEADERS, END_HEADERS, 1,
         literal(REQUEST, indexed=True)), frame(HEADERS, END_HEADERS, 3, b"\x20\xbe")),
    rule("H4.4: an entry larger than the table empties it", f"request 1 request 3 {COMPRESSION}", frame(HEADERS,
         END_HEADERS, 1, literal(REQUEST, indexed=True)), frame(HEADERS, END_HEADERS, 3, BLOCK + literal([("x",
         "y" * 4090)], indexed=True)), frame(HEADERS, END_HEADERS, 5, BLOCK + b"\xbe")),
    rule("H5.1: an integer without end", COMPRESSION, frame(HEADERS, END_HEADERS, 1, b"\xff" * 9)),
    rule("H5.1: an integer of any size", COMPRESSION, frame(HEADERS, END_HEADERS, 1, b"\xff" * 60 + b"\0")),
    rule("H5.2: a string longer than the block", COMPRESSION, frame(HEADERS, END_HEADERS, 1, b"\0\x7f\xff\x7fabc")),
    rule("H5.2: Huffman's end in a string", COMPRESSION, frame(HEADERS, END_HEADERS, 1,
         BLOCK + b"\0\1x\x84\xff\xff\xff\xff")),
    rule("H5.2: padding of more than 7 bits", COMPRESSION, frame(HEADERS, END_HEADERS, 1,
         BLOCK + b"\0\1x\x82\x1f\xff")),
    rule("H5.2: padding of zeros", COMPRESSION, frame(HEADERS, END_HEADERS, 1, BLOCK + b"\0\1x\x81\x18")),
    rule("H6.1: index 0", COMPRESSION, frame(HEADERS, END_HEADERS, 1, b"\x80")),
    rule("H6.2.3: fields that are never indexed", "request 1 |", frame(HEADERS, END_HEADERS, 1, BLOCK + b"\x10\1x\1y")),
)
# fmt: on


def outcome_of(rule: Rule, cut: int | None) -> str:
    connection = Connection(rule.limits, clock=lambda: 0.0)
    events: list[Event] = []
    sent: list[Frame] = []
    assert [type(each).__name__ for each in f.parse(connection.data_to_send())] == [
        "SettingsFrame",
        "WindowUpdateFrame",
    ]
    for step in (rule.opening, *rule.steps):
        if callable(step):
            step(connection)
            continue
        for pos in range(0, len(step), cut or len(step)):
            events += connection.receive_data(step[pos : pos + cut] if cut else step)
            sent += f.parse(connection.data_to_send())
        if step is OPENING:
            assert not events
            assert [f.say_frame(each) for each in sent] == ["Settings 0 ACK"]
            sent.clear()
    sent += f.parse(connection.data_to_send())
    words = [f.say_event(each) for each in f.join_data(events)]
    frames = [f.say_frame(each) for each in sent]
    failed = [each for each in words if each.startswith("failed")]
    if failed:
        assert words[-1:] == failed
        assert frames.pop().split()[::3] == ["GoAway", failed[0].split()[1]]
    return f"{' '.join(words)} | {' '.join(frames)}".strip()


@pytest.mark.parametrize("cut", [None, 1], ids=["whole", "bytewise"])
@pytest.mark.parametrize("rule", RULES, ids=[each.name for each in RULES])
def test_rule(rule: Rule, cut: int | None) -> None:
    assert outcome_of(rule, cut) == rule.outcome.strip()

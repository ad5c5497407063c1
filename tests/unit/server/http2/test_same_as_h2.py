"""The same bytes into h2's server and into ours: what a client does, and what becomes of it when some is changed.

Frame by frame, both see the same requests, data, trailers and resets, until both refuse the connection; or what one of
them says and the other does not is in the table of differences.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import frames as f
import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
from frames import CONTINUATION, END_HEADERS, END_STREAM, HEADERS, OPENING, REQUEST, TRAILERS, frame
from hypothesis import given, settings, strategies

from srv.http2._connection import Connection
from srv.http2._errors import ErrorCode, StreamClosed
from srv.http2._events import (
    ConnectionFailed,
    DataReceived,
    GoingAway,
    PingAcknowledged,
    RequestReceived,
    StreamReset,
    TrailersReceived,
)
from srv.http2._limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterable

LIMITS: Final = Limits(
    max_concurrent_streams=4,
    stream_window=(1 << 16) - 1,
    max_frame_size=1 << 14,
    max_header_list_size=1 << 12,
    control_burst=1 << 20,
    reset_burst=1 << 20,
)
STATUS: Final = ((":status", "200"),)


class Difference(NamedTuple):
    """What the two may say about a frame, as regular expressions, and where RFC 9113 has it our way."""

    section: str
    ours: str
    theirs: str
    frame: bytes = b".*"

    def covers(self, ours: str, theirs: str, frame: bytes) -> bool:
        return bool(
            re.fullmatch(self.ours, ours, re.DOTALL)
            and re.fullmatch(self.theirs, theirs, re.DOTALL)
            and re.fullmatch(self.frame, frame, re.DOTALL)
        )


DIFFERENCES: Final = (
    # A malformed request ends its stream; h2 ends the connection.
    Difference("8.1.1", "reset PROTOCOL_ERROR", "failed PROTOCOL_ERROR: (Protocol|InvalidBodyLength)Error: .*"),
    # h2 does not look at the content-length of a request without a body, or before trailers.
    Difference("8.1.1", "reset PROTOCOL_ERROR", "fine, with another content-length"),
    # A request says whom it is for, or does not; h2 wants it to.
    Difference("8.3.1", "fine", "failed PROTOCOL_ERROR: .* does not have an :authority or Host header.*"),
    # Behind its GOAWAY the peer may go on with the streams that it has; h2 takes nothing more.
    Difference("6.8", "fine|reset .*|failed .*", "failed PROTOCOL_ERROR: .* in state ConnectionState.CLOSED"),
    # A frame on a stream that both have closed; h2 answers with RST_STREAM.
    Difference("5.1", "failed STREAM_CLOSED: .*", "reset STREAM_CLOSED"),
    # A frame on a stream that we have reset is ignored; h2 resets it again.
    Difference("5.1", "fine", "reset STREAM_CLOSED"),
    # RST_STREAM on an idle stream; h2 lets it pass.
    Difference("6.4", "failed PROTOCOL_ERROR: .* has not begun", "fine", b"...\x03.*"),
    # The size of PRIORITY is a matter of its stream.
    Difference("6.3", "reset FRAME_SIZE_ERROR", "failed FRAME_SIZE_ERROR: .*", b"...\x02.*"),
    # A stream's window is a matter of the stream.
    Difference("6.9.1", "reset FLOW_CONTROL_ERROR", "failed FLOW_CONTROL_ERROR: .*"),
    # h2 waits for the end of a block that no client may send.
    Difference("6.6", "failed PROTOCOL_ERROR: PUSH_PROMISE .*", "fine", b"...\x05.*"),
    # Priorities, which RFC 9113 has done away with.
    Difference("5.3.2", "fine", "failed PROTOCOL_ERROR: .* may not depend on itself", b"...[\x01\x02\x09].*"),
    # An unknown type, which hyperframe knows.
    Difference("5.5", "fine", "failed FRAME_SIZE_ERROR: .*", b"...[\x0a\x0c].*"),
    # A setting of RFC 8441, which a server does not use, is unknown.
    Difference("6.5.2", "fine", "failed PROTOCOL_ERROR: InvalidSettingsValueError: Setting 8 .*", b"...\x04.*"),
    # HEADERS whose stream is wrong; h2 waits for the end of their block.
    Difference("5.1.1", "failed PROTOCOL_ERROR: HEADERS are for stream .*", "fine", b"...\x01.*"),
    # On a stream that is closed, WINDOW_UPDATE is ignored, whatever its size.
    Difference("6.9", "fine", "failed PROTOCOL_ERROR: .* non-compliant data", b"...\x08.{9}"),
)


@dataclass
class Seen:
    """What a server has seen of a client."""

    requests: dict[int, f.Fields] = field(default_factory=dict[int, f.Fields])
    data: dict[int, bytes] = field(default_factory=dict[int, bytes])
    sizes: dict[int, int] = field(default_factory=dict[int, int])
    trailers: dict[int, f.Fields] = field(default_factory=dict[int, f.Fields])
    ended: set[int] = field(default_factory=set[int])
    resets: dict[int, int] = field(default_factory=dict[int, int])
    pongs: list[bytes] = field(default_factory=list[bytes])
    leaving: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def add_data(self, stream_id: int, data: bytes | memoryview, size: int) -> None:
        if size:
            self.data[stream_id] = self.data.get(stream_id, b"") + bytes(data)
            self.sizes[stream_id] = self.sizes.get(stream_id, 0) + size


class Ours:
    """Our connection."""

    def __init__(self) -> None:
        self.connection = Connection(LIMITS, clock=lambda: 0.0)
        self.connection.data_to_send()
        self.seen = Seen()

    def take(self, data: bytes) -> str:
        """Take a frame, and return what is said about it."""
        verdict = "fine"
        seen = self.seen
        for event in self.connection.receive_data(data):
            match event:
                case RequestReceived(stream_id, headers, ended):
                    seen.requests[stream_id] = tuple(headers)
                    if ended:
                        seen.ended.add(stream_id)
                case DataReceived(stream_id, piece, size, ended):
                    seen.add_data(stream_id, piece, size)
                    if ended:
                        seen.ended.add(stream_id)
                case TrailersReceived(stream_id, headers):
                    seen.trailers[stream_id] = tuple(headers)
                    seen.ended.add(stream_id)
                case StreamReset(stream_id, code, by_peer):
                    if by_peer:
                        seen.resets[stream_id] = code
                case PingAcknowledged(payload):
                    seen.pongs.append(payload)
                case GoingAway(code, last):
                    seen.leaving.append((last, code))
                case ConnectionFailed(code, reason):
                    verdict = f"failed {code.name}: {reason}"
                case _:
                    pass
        for each in f.parse(self.connection.data_to_send()):
            words = f.say_frame(each)
            if words.startswith("RstStream"):
                verdict = f"reset {words.split()[-1]}"
        return verdict

    def answer(self, stream_id: int, *, end: bool) -> bool:
        try:
            self.connection.send_headers(stream_id, STATUS, end_stream=end)
        except StreamClosed:
            return False
        self.connection.data_to_send()
        return True

    def reset(self, stream_id: int) -> None:
        self.connection.reset_stream(stream_id, ErrorCode.CANCEL)
        self.connection.data_to_send()


def _text(headers: Iterable[tuple[str | bytes, str | bytes]]) -> f.Fields:
    return tuple((str(name), str(value)) for name, value in headers)


class Theirs:
    """h2's connection, with the same limits."""

    def __init__(self) -> None:
        config = h2.config.H2Configuration(
            client_side=False, header_encoding="latin-1", normalize_inbound_headers=False
        )
        self.connection = h2.connection.H2Connection(config)
        # As if the client had acknowledged them.
        self.connection.local_settings = h2.settings.Settings(
            client=False,
            initial_values={
                h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: LIMITS.max_concurrent_streams,
                h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: LIMITS.max_header_list_size,
            },
        )
        self.connection.decoder.max_header_list_size = LIMITS.max_header_list_size
        self.connection.initiate_connection()
        self.connection.increment_flow_control_window((1 << 30) - 65_535)
        self.connection.clear_outbound_data_buffer()
        self.seen = Seen()

    def take(self, data: bytes) -> str:
        """Take a frame, and return what is said about it."""
        try:
            events = self.connection.receive_data(data)
        except h2.exceptions.ProtocolError as error:
            return f"failed {error.error_code.name}: {type(error).__name__}: {error}"
        verdict = "fine"
        seen = self.seen
        for event in events:
            match event:
                case h2.events.RequestReceived(stream_id=stream_id, headers=headers):
                    seen.requests[stream_id] = _text(headers)
                case h2.events.DataReceived(stream_id=stream_id, data=piece, flow_controlled_length=size):
                    seen.add_data(stream_id, piece, size)
                case h2.events.TrailersReceived(stream_id=stream_id, headers=headers):
                    seen.trailers[stream_id] = _text(headers)
                case h2.events.StreamEnded(stream_id=stream_id):
                    seen.ended.add(stream_id)
                    stream = self.connection.streams[stream_id]
                    if stream._expected_content_length not in {None, stream._actual_content_length}:
                        verdict = "fine, with another content-length"
                case h2.events.StreamReset(stream_id=stream_id, error_code=code, remote_reset=True):
                    seen.resets[stream_id] = int(code)
                case h2.events.PingAckReceived(ping_data=payload):
                    seen.pongs.append(payload)
                case h2.events.ConnectionTerminated(error_code=code, last_stream_id=last):
                    seen.leaving.append((last or 0, int(code or 0)))
                case _:
                    pass
        for each in f.parse([self.connection.data_to_send()]):
            words = f.say_frame(each)
            if words.startswith("RstStream"):
                verdict = f"reset {words.split()[-1]}"
        return verdict

    def answer(self, stream_id: int, *, end: bool) -> bool:
        try:
            self.connection.send_headers(stream_id, STATUS, end_stream=end)
        except h2.exceptions.ProtocolError:
            return False
        self.connection.clear_outbound_data_buffer()
        return True

    def reset(self, stream_id: int) -> None:
        self.connection.reset_stream(stream_id, ErrorCode.CANCEL)
        self.connection.clear_outbound_data_buffer()


STREAMS: Final = strategies.sampled_from([1, 3, 5, 7, 9])
ANY_STREAM: Final = strategies.sampled_from([0, 1, 1, 2, 3, 3, 4, 5, 7, 9, 11, (1 << 31) - 1])
FIELDS: Final = strategies.sampled_from(
    [
        REQUEST,
        (*REQUEST, ("content-length", "5")),
        (*REQUEST, ("x", "y" * 100), ("cookie", "a=b"), ("cookie", "c=d")),
        TRAILERS,
        ((":method", "GET"), (":scheme", "https"), (":path", "/"), ("host", "test")),
    ]
)
WINDOWS: Final = strategies.sampled_from([0, 1, 65_535, (1 << 31) - 65_536, (1 << 31) - 1])
VALUES: Final = strategies.sampled_from([0, 1, 2, 100, 1 << 14, 65_535, (1 << 24) - 1, 1 << 24, (1 << 31) - 1, 1 << 31])
PAYLOADS: Final = strategies.sampled_from([b"", b"a", b"bcdef", b"g" * 300, b"h" * (1 << 14)])


def _indexed(stream_id: int, fields: f.Fields) -> bytes:
    return frame(HEADERS, END_HEADERS, stream_id, f.literal(fields, indexed=True))


def _cut(stream_id: int, fields: f.Fields, end: bool, at: int) -> bytes:
    block = f.literal(fields)
    flags = END_STREAM if end else 0
    return frame(HEADERS, flags, stream_id, block[:at]) + frame(CONTINUATION, END_HEADERS, stream_id, block[at:])


def _data(stream_id: int, payload: bytes, end: bool, padding: int | None) -> bytes:
    return f.data(stream_id, payload[: (1 << 14) - 1 - (padding or 0)], end=end, padding=padding)


def _priority(stream_id: int, on: int) -> bytes:
    return frame(f.PRIORITY, 0, stream_id, on.to_bytes(4, "big") + b"\x10")


def _action(stream_id: int, what: str) -> tuple[str, int]:
    return what, stream_id


FRAMES: Final = strategies.one_of(
    strategies.builds(f.headers, STREAMS, FIELDS, end=strategies.booleans()),
    strategies.builds(f.headers, STREAMS, FIELDS, end=strategies.just(value=True)),
    strategies.builds(_indexed, STREAMS, FIELDS),
    strategies.builds(_cut, STREAMS, FIELDS, strategies.booleans(), strategies.integers(0, 60)),
    strategies.builds(
        _data, STREAMS, PAYLOADS, strategies.booleans(), strategies.sampled_from([None, None, 0, 1, 200])
    ),
    strategies.builds(f.data, STREAMS, PAYLOADS),
    strategies.builds(f.rst_stream, STREAMS, strategies.sampled_from([0, 7, 8, 99])),
    strategies.builds(f.window_update, ANY_STREAM, WINDOWS),
    strategies.builds(f.settings, strategies.tuples(strategies.integers(0, 9), VALUES)),
    strategies.just(frame(f.SETTINGS, f.ACK, 0)),
    strategies.builds(f.ping, ack=strategies.booleans()),
    strategies.builds(_priority, ANY_STREAM, strategies.integers(0, 9)
    ),
    strategies.builds(
        frame,
        strategies.integers(0, 12),
        strategies.sampled_from([0, 1, 4, 5, 8, 9, 13, 32, 36, 37, 255]),
        ANY_STREAM,
        strategies.one_of(strategies.binary(max_size=12), strategies.sampled_from([f.literal(REQUEST), bytes(5)])),
    ),
)  # fmt: skip

ACTIONS: Final = strategies.one_of(
    FRAMES,
    FRAMES,
    FRAMES,
    FRAMES,
    strategies.builds(_action, STREAMS, strategies.sampled_from(["answer", "end", "reset"])),
)


class Steps(list[bytes | tuple[str, int]]):
    """Frames of the client, and what the server does; printed in short, since Hypothesis says how to repeat it."""

    def __repr__(self) -> str:
        return f"[{', '.join(repr(step[:200] if isinstance(step, bytes) else step) for step in self)}]"


@strategies.composite
def conversations(draw: strategies.DrawFn) -> Steps:
    """Calls as a client makes them, a few of whose frames are changed."""
    steps = Steps()
    for stream in range(1, 2 * draw(strategies.integers(1, 4)), 2):
        payloads = draw(strategies.lists(PAYLOADS, max_size=3))
        steps += [f.headers(stream, draw(FIELDS)), *(f.data(stream, payload) for payload in payloads)]
        steps.append(draw(strategies.sampled_from([
            f.data(stream, b"bcdef", end=True), f.headers(stream, TRAILERS, end=True), f.rst_stream(stream), f.ping(),
        ])))  # fmt: skip
        if draw(strategies.booleans()):
            steps.append((draw(strategies.sampled_from(["answer", "end", "reset"])), stream))
    for _ in range(draw(strategies.integers(0, 4))):
        if not steps:
            break
        here, there = (draw(strategies.integers(0, len(steps))) for _ in range(2))
        step = steps[min(here, len(steps) - 1)]
        match draw(strategies.integers(0, 5)):
            case 0:
                steps.insert(here, draw(FRAMES))
            case 1:
                steps.insert(there, step)
            case 2:
                del steps[here : here + 1]
            case 3:
                del steps[here : here + 1]
                steps.insert(there, step)
            case 4 if isinstance(step, bytes) and step:
                bits = draw(strategies.integers(0, 8 * min(len(step), 60) - 1))
                changed = bytearray(step)
                changed[bits // 8] ^= 1 << bits % 8
                steps[min(here, len(steps) - 1)] = bytes(changed)
            case _ if isinstance(step, bytes):
                steps[min(here, len(steps) - 1)] = step[: draw(strategies.integers(0, len(step)))]
            case _:
                pass
    return steps


def pieces(steps: Steps) -> Steps:
    """Return the whole frames as they are on the wire, which are others when a length has been changed."""
    found = Steps()
    rest = b""
    for step in steps:
        if isinstance(step, tuple):
            found.append(step)
            continue
        rest += step
        while len(rest) >= 9 and len(rest) >= (size := 9 + int.from_bytes(rest[:3], "big")):
            found.append(rest[:size])
            rest = rest[size:]
    return found


def compare(steps: Steps) -> None:
    ours, theirs = Ours(), Theirs()
    answered: set[int] = set()
    assert ours.take(OPENING) == theirs.take(OPENING) == "fine"
    for step in pieces(steps):
        if isinstance(step, tuple):
            what, stream_id = step
            if stream_id not in ours.seen.requests:
                continue
            if what != "reset" and stream_id in answered:
                continue
            if what == "reset":
                if ours.connection.is_open(stream_id):
                    ours.reset(stream_id)
                    theirs.reset(stream_id)
                continue
            answered.add(stream_id)
            assert ours.answer(stream_id, end=what == "end") == theirs.answer(stream_id, end=what == "end")
            continue
        said, they_said = ours.take(step), theirs.take(step)
        if said.startswith("failed") and they_said.startswith("failed"):
            return
        if any(each.covers(said, they_said, step) for each in DIFFERENCES):
            return
        assert said == they_said, step
        assert ours.seen == theirs.seen, step


@settings(max_examples=300, deadline=None)
@given(conversations())
def test_calls_with_faults(steps: Steps) -> None:
    compare(steps)


@settings(max_examples=300, deadline=None)
@given(strategies.lists(ACTIONS, max_size=12).map(Steps))
def test_frames_at_random(steps: Steps) -> None:
    compare(steps)

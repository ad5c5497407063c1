"""h2's client, which holds itself and its peer to the rules, does anything that it may; so does the server.

Bytes are under way for any time, and come in any pieces, so that what both do crosses. Whatever is seen is what was
sent, as far as it has come; when everything has arrived, it is all of it, unless the stream was reset.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
from frames import REQUEST
from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from srv.http2._connection import Connection
from srv.http2._errors import ErrorCode
from srv.http2._events import (
    DataReceived,
    GoingAway,
    PingAcknowledged,
    RequestReceived,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from srv.http2._limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Fields = tuple[tuple[str, str], ...]

LIMITS = Limits(
    max_concurrent_streams=5,
    stream_window=(1 << 16) - 1,
    max_frame_size=1 << 15,
    control_burst=1 << 20,
    reset_burst=1 << 20,
)
LARGEST = (1 << 31) - 1
PICKS = strategies.integers(0, 99)
SIZES = strategies.one_of(strategies.integers(0, 300), strategies.integers(0, 70_000))
PADDING = strategies.one_of(strategies.none(), strategies.integers(0, 255))
TEXT = strategies.text("abcXYZ 0;=/", max_size=20).map(str.strip)
EXTRA = strategies.lists(
    strategies.tuples(strategies.sampled_from(["a", "x-b", "grpc-timeout", "cookie-b", "z" * 300]), TEXT), max_size=5
).map(tuple)
CODES = strategies.sampled_from([ErrorCode.NO_ERROR, ErrorCode.CANCEL, ErrorCode.INTERNAL_ERROR])
SETTINGS = strategies.dictionaries(strategies.sampled_from([1, 3, 4, 5, 6]), strategies.integers(0, 8), min_size=1).map(
    lambda chosen: {
        key: {
            1: [0, 32, 100, 4095, 4096, 5000, 1 << 16, 0, 200],
            # Not 0: h2 refuses late answers on streams that it has reset as if they were the server's.
            3: [1, 10, 100] * 3,
            4: [0, 1, 100, 1000, 65_534, 65_535, 65_536, 1 << 20, 1 << 24],
            5: [1 << 14, 1 << 15, (1 << 24) - 1] * 3,
            6: [1 << 16] * 9,
        }[key][value]
        for key, value in chosen.items()
    }
)


def text(headers: Iterable[tuple[str | bytes, str | bytes]]) -> Fields:
    return tuple((str(name), str(value)) for name, value in headers)


@dataclass
class Half:
    """What goes one way on a stream."""

    headers: Fields | None = None
    data: bytearray = field(default_factory=bytearray)
    trailers: Fields | None = None
    ended: bool = False
    reset: int | None = None

    def check_part_of(self, sent: Half) -> None:
        assert self.headers in {None, sent.headers}
        assert sent.data.startswith(self.data)
        assert self.trailers in {None, sent.trailers}
        assert sent.ended or not self.ended
        assert self.reset in {None, sent.reset}


@dataclass
class Call:
    """A stream: what each side has sent, and seen of the other."""

    asked: Half = field(default_factory=Half)
    heard: Half = field(default_factory=Half)
    answered: Half = field(default_factory=Half)
    got: Half = field(default_factory=Half)
    held: int = 0
    """Bytes that the application has not given back to the window."""

    def may_ask(self) -> bool:
        return not self.asked.ended and self.asked.reset is None and self.got.reset is None

    def may_answer(self) -> bool:
        return (
            self.heard.headers is not None
            and not self.answered.ended
            and self.answered.reset is None
            and self.heard.reset is None
        )


class Peers(RuleBasedStateMachine):
    """A client and a server with the bytes between them."""

    def __init__(self) -> None:
        super().__init__()
        self.client = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.server = Connection(LIMITS, clock=lambda: 0.0)
        self.calls: dict[int, Call] = {}
        self.up = bytearray()
        self.down = bytearray()
        self.their_pings: list[bytes] = []
        self.their_pongs: list[bytes] = []
        self.our_pings: list[bytes] = []
        self.our_pongs: list[bytes] = []
        self.number = 0
        self.unsettled = True
        self.client.initiate_connection()
        self.settle()

    # What is under way.

    def collect(self) -> None:
        self.up += self.client.data_to_send()
        self.down += b"".join(self.server.data_to_send())

    def carry_up(self, size: int) -> None:
        piece, self.up = bytes(self.up[:size]), self.up[size:]
        for event in self.server.receive_data(piece):
            self.hear(event)
        self.collect()

    def carry_down(self, size: int) -> None:
        piece, self.down = bytes(self.down[:size]), self.down[size:]
        for event in self.client.receive_data(piece):
            self.get(event)
        self.collect()

    def settle(self) -> None:
        self.collect()
        while self.up or self.down:
            self.carry_up(len(self.up))
            self.carry_down(len(self.down))

    def hear(self, event: object) -> None:
        match event:
            case RequestReceived(stream_id, headers, ended):
                heard = self.calls[stream_id].heard
                assert heard.headers is None
                heard.headers, heard.ended = tuple(headers), ended
            case DataReceived(stream_id, piece, size, ended):
                call = self.calls[stream_id]
                assert not call.heard.ended
                assert call.heard.reset is None
                call.heard.data += piece
                call.heard.ended = ended
                call.held += size
            case TrailersReceived(stream_id, headers):
                heard = self.calls[stream_id].heard
                assert not heard.ended
                heard.trailers, heard.ended = tuple(headers), True
            case StreamReset(stream_id, code, by_peer):
                assert by_peer
                assert self.calls[stream_id].heard.reset is None
                self.calls[stream_id].heard.reset = code
            case PingAcknowledged(payload):
                self.our_pongs.append(payload)
            case WindowUpdated(stream_id):
                assert stream_id == 0 or stream_id in self.calls
            case _:
                raise AssertionError(event)
        for call in self.calls.values():
            call.heard.check_part_of(call.asked)

    def get(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived(stream_id=stream_id, headers=headers):
                self.calls[stream_id].got.headers = text(headers)
            case h2.events.DataReceived(stream_id=stream_id, data=piece):
                self.calls[stream_id].got.data += piece
            case h2.events.TrailersReceived(stream_id=stream_id, headers=headers):
                self.calls[stream_id].got.trailers = text(headers)
            case h2.events.StreamEnded(stream_id=stream_id):
                self.calls[stream_id].got.ended = True
            case h2.events.StreamReset(stream_id=stream_id, error_code=code, remote_reset=True):
                self.calls[stream_id].got.reset = int(code)
            case h2.events.PingAckReceived(ping_data=payload):
                self.their_pongs.append(payload)
            case h2.events.SettingsAcknowledged():
                self.unsettled = False
            case (
                h2.events.RemoteSettingsChanged()
                | h2.events.PingReceived()
                | h2.events.WindowUpdated()
                | h2.events.StreamReset()
            ):
                pass
            case _:
                raise AssertionError(event)
        for call in self.calls.values():
            call.got.check_part_of(call.answered)

    def pick(self, which: Callable[[Call], bool], number: int) -> tuple[int, Call] | None:
        found = [(stream_id, call) for stream_id, call in self.calls.items() if which(call)]
        return found[number % len(found)] if found else None

    @rule(size=strategies.integers(1, 30_000))
    def some_goes_up(self, size: int) -> None:
        self.carry_up(size)

    @rule(size=strategies.integers(1, 30_000))
    def some_goes_down(self, size: int) -> None:
        self.carry_down(size)

    @rule()
    def everything_goes_up(self) -> None:
        self.carry_up(len(self.up))

    @rule()
    def everything_goes_down(self) -> None:
        self.carry_down(len(self.down))

    # What the client does.

    @precondition(lambda self: self.client.open_outbound_streams < LIMITS.max_concurrent_streams)
    @rule(
        extra=EXTRA, end=strategies.booleans(), weight=strategies.one_of(strategies.none(), strategies.integers(1, 256))
    )
    def client_opens(self, extra: Fields, end: bool, weight: int | None) -> None:
        stream_id = self.client.get_next_available_stream_id()
        call = self.calls[stream_id] = Call()
        call.asked.headers, call.asked.ended = (*REQUEST, *extra), end
        self.client.send_headers(stream_id, call.asked.headers, end_stream=end, priority_weight=weight)
        self.collect()

    @rule(number=PICKS, size=SIZES, padding=PADDING, end=strategies.booleans())
    def client_sends_data(self, number: int, size: int, padding: int | None, end: bool) -> None:
        if (picked := self.pick(Call.may_ask, number)) is None:
            return
        stream_id, call = picked
        overhead = 0 if padding is None else padding + 1
        room = min(self.client.local_flow_control_window(stream_id), self.client.max_outbound_frame_size) - overhead
        if room < 0:
            return
        self.number += 1
        piece = self.number.to_bytes(4, "big") * (size // 4 + 1)
        piece = piece[: min(size, room)]
        self.client.send_data(stream_id, piece, end_stream=end, pad_length=padding)
        call.asked.data += piece
        call.asked.ended = end
        self.collect()

    @rule(number=PICKS, extra=EXTRA)
    def client_sends_trailers(self, number: int, extra: Fields) -> None:
        if (picked := self.pick(Call.may_ask, number)) is None:
            return
        stream_id, call = picked
        call.asked.trailers, call.asked.ended = (("x", "1"), *extra), True
        self.client.send_headers(stream_id, call.asked.trailers, end_stream=True)
        self.collect()

    @rule(number=PICKS, code=CODES)
    def client_resets(self, number: int, code: ErrorCode) -> None:
        def may(call: Call) -> bool:
            over = call.asked.ended and call.got.ended
            return not over and call.asked.reset is None and call.got.reset is None

        if (picked := self.pick(may, number)) is None:
            return
        stream_id, call = picked
        self.client.reset_stream(stream_id, code)
        call.asked.reset = code
        self.collect()

    @rule(payload=strategies.binary(min_size=8, max_size=8))
    def client_pings(self, payload: bytes) -> None:
        self.client.ping(payload)
        self.their_pings.append(payload)
        self.collect()

    # h2 takes an acknowledgement for that of all settings that it has sent.
    @precondition(lambda self: not self.unsettled)
    @rule(values=SETTINGS)
    def client_changes_settings(self, values: dict[int, int]) -> None:
        self.client.update_settings({h2.settings.SettingCodes(key): value for key, value in values.items()})
        self.unsettled = True
        self.collect()

    @rule(number=PICKS, size=SIZES, connection=strategies.booleans())
    def client_grows_a_window(self, number: int, size: int, connection: bool) -> None:
        def may(call: Call) -> bool:
            return not call.got.ended and call.asked.reset is None and call.got.reset is None

        if connection:
            self.client.increment_flow_control_window(size + 1)
        elif (picked := self.pick(may, number)) is not None:
            self.client.increment_flow_control_window(size + 1, picked[0])
        self.collect()

    @rule(number=PICKS, weight=strategies.integers(1, 256), depends_on=strategies.integers(0, 20))
    def client_prioritizes(self, number: int, weight: int, depends_on: int) -> None:
        stream_id = 2 * number + 1
        if depends_on != stream_id:
            self.client.prioritize(stream_id, weight, depends_on)
        self.collect()

    # What the server does.

    @rule(number=PICKS, extra=EXTRA, end=strategies.booleans())
    def server_sends_headers(self, number: int, extra: Fields, end: bool) -> None:
        picked = self.pick(lambda call: call.may_answer() and call.answered.headers is None, number)
        if picked is None:
            return
        stream_id, call = picked
        call.answered.headers, call.answered.ended = ((":status", "200"), *extra), end
        self.server.send_headers(stream_id, call.answered.headers, end_stream=end)
        assert self.server.is_open(stream_id) is not end
        self.collect()

    @rule(number=PICKS, size=SIZES, end=strategies.booleans())
    def server_sends_data(self, number: int, size: int, end: bool) -> None:
        picked = self.pick(lambda call: call.may_answer() and call.answered.headers is not None, number)
        if picked is None:
            return
        stream_id, call = picked
        window = self.server.window(stream_id)
        self.number += 1
        piece = (self.number.to_bytes(4, "big") * (size // 4 + 1))[:size]
        done = self.server.send_data(stream_id, piece, end_stream=end)
        assert done == min(size, max(window, 0))
        call.answered.data += piece[:done]
        call.answered.ended = end and done == size
        assert self.server.is_open(stream_id) is not call.answered.ended
        self.collect()

    @rule(number=PICKS, extra=EXTRA)
    def server_sends_trailers(self, number: int, extra: Fields) -> None:
        picked = self.pick(lambda call: call.may_answer() and call.answered.headers is not None, number)
        if picked is None:
            return
        stream_id, call = picked
        call.answered.trailers, call.answered.ended = (("grpc-status", "0"), *extra), True
        self.server.send_headers(stream_id, call.answered.trailers, end_stream=True)
        self.collect()

    @rule(number=PICKS, code=CODES)
    def server_resets(self, number: int, code: ErrorCode) -> None:
        def may(call: Call) -> bool:
            over = call.heard.ended and call.answered.ended
            return (
                call.heard.headers is not None and not over and call.answered.reset is None and call.heard.reset is None
            )

        if (picked := self.pick(may, number)) is None:
            return
        stream_id, call = picked
        self.server.reset_stream(stream_id, code)
        call.answered.reset = code
        self.collect()

    @rule(number=PICKS)
    def server_grows_a_window(self, number: int) -> None:
        if (picked := self.pick(lambda call: call.held > 0, number)) is not None:
            stream_id, call = picked
            self.server.grow_window(stream_id, call.held)
            call.held = 0
            self.collect()

    @rule(payload=strategies.binary(min_size=8, max_size=8))
    def server_pings(self, payload: bytes) -> None:
        self.server.ping(payload)
        self.our_pings.append(payload)
        self.collect()

    # What holds when everything has come.

    @rule()
    def compare(self) -> None:
        self.settle()
        assert self.their_pongs == self.their_pings
        assert self.our_pongs == self.our_pings
        for stream_id, call in self.calls.items():
            if call.asked.reset is not None or call.answered.reset is not None:
                assert not self.server.is_open(stream_id)
                continue
            assert call.heard == call.asked
            assert call.got == call.answered
            assert self.server.is_open(stream_id) is not call.answered.ended
            if not call.answered.ended:
                assert self.server.window(stream_id) == self.client.remote_flow_control_window(stream_id)
            if not call.asked.ended:
                ours = self.server._streams[stream_id].receive_window
                assert ours == self.client.local_flow_control_window(stream_id)
        open_ones = [
            call
            for call in self.calls.values()
            if call.asked.reset is None
            and call.answered.reset is None
            and not (call.asked.ended and call.answered.ended)
        ]
        assert len(self.server._streams) == len(open_ones) == self.client.open_outbound_streams

    def teardown(self) -> None:
        self.compare()
        if len(self.calls) % 2:
            self.client.close_connection(h2.errors.ErrorCodes.CANCEL, b"why", last_stream_id=0)
            assert self.server.receive_data(self.client.data_to_send()) == [GoingAway(ErrorCode.CANCEL, 0)]
            return
        self.server.go_away(ErrorCode.ENHANCE_YOUR_CALM, b"why")
        (event,) = self.client.receive_data(b"".join(self.server.data_to_send()))
        assert isinstance(event, h2.events.ConnectionTerminated)
        assert event.error_code == h2.errors.ErrorCodes.ENHANCE_YOUR_CALM
        assert event.additional_data == b"why"
        assert event.last_stream_id == max(self.calls, default=0)


TestPeers = Peers.TestCase
TestPeers.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)

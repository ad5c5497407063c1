"""Any bytes at all, on a connection of HTTP/2.

In the suite it takes the corpus, and what Hypothesis makes of it. With atheris installed it goes on for as long as it
is told to, and `pack` puts what it has found new into the corpus:

    python tests/fuzz/test_http2.py unpack FOLDER
    python tests/fuzz/test_http2.py FOLDER -max_total_time=3600 -max_len=4096
    python tests/fuzz/test_http2.py FOLDER SMALLER -merge=1
    python tests/fuzz/test_http2.py pack SMALLER
"""

from __future__ import annotations

import contextlib
import importlib
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import frames as f
from hypothesis import given, settings, strategies

from srv.http2._connection import Connection
from srv.http2._errors import ErrorCode, StreamClosed
from srv.http2._events import ConnectionFailed, DataReceived, RequestReceived, TrailersReceived
from srv.http2._limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from srv.http2._events import Event

CORPUS: Final = Path(__file__).with_name("http2.corpus")
LIMITS: Final = Limits(
    max_concurrent_streams=4,
    stream_window=(1 << 16) - 1,
    max_frame_size=1 << 14,
    max_header_list_size=1 << 10,
    control_burst=50,
    reset_burst=50,
)
STATUS: Final = ((":status", "200"), ("x", "y" * 50))
_SIZE: Final = struct.Struct(">H")


def read_corpus() -> list[bytes]:
    packed, pos = CORPUS.read_bytes(), 0
    found: list[bytes] = []
    while pos < len(packed):
        (size,) = _SIZE.unpack_from(packed, pos)
        pos += _SIZE.size + size
        found.append(packed[pos - size : pos])
    return found


def write_corpus(inputs: Iterable[bytes]) -> None:
    CORPUS.write_bytes(
        b"".join(_SIZE.pack(len(each)) + each for each in sorted(set(inputs), key=lambda i: (len(i), i)))
    )


def check_bounds(connection: Connection) -> None:
    """What a connection keeps of its peer has a limit, whatever the peer does."""
    assert len(connection._reader._rest) <= 9 + LIMITS.max_frame_size
    assert len(connection._block) <= LIMITS.max_header_list_size
    assert len(connection._streams) <= LIMITS.max_concurrent_streams
    assert len(connection._reset) <= max(LIMITS.max_concurrent_streams, 1 << 12)
    for table in (connection._decoder._decoder.header_table, connection._encoder._encoder.header_table):
        assert table._current_size <= 4096
    for known in (connection._decoder._known, connection._encoder._known):
        assert len(known.found) <= 32


def read(data: bytes, cut: int) -> tuple[list[Event], bytes]:
    """Return what comes of bytes that arrive in pieces of one size, on a server that does nothing."""
    connection = Connection(LIMITS, clock=lambda: 0.0)
    events: list[Event] = []
    for pos in range(0, len(data), cut):
        assert not any(isinstance(event, ConnectionFailed) for event in events[:-1])
        failed = bool(events) and isinstance(events[-1], ConnectionFailed)
        more = connection.receive_data(data[pos : pos + cut])
        assert not (failed and more)
        events += more
        check_bounds(connection)
    sent = b"".join(connection.data_to_send())
    frames = [f.say_frame(each) for each in f.parse([sent])]
    assert any(each.startswith("GoAway") for each in frames[-1:]) == (
        bool(events) and isinstance(events[-1], ConnectionFailed)
    )
    assert not any(each.startswith("GoAway") for each in frames[:-1])
    return f.join_data(events), sent


def serve(data: bytes, cut: int, habits: int) -> None:
    """Let a server do what it may about bytes that arrive in pieces."""
    connection = Connection(LIMITS, clock=lambda: 0.0)
    for pos in range(0, len(data), cut):
        for event in connection.receive_data(data[pos : pos + cut]):
            with contextlib.suppress(StreamClosed):
                react(connection, event, habits)
        check_bounds(connection)
        f.parse(connection.data_to_send())


def react(connection: Connection, event: Event, habits: int) -> None:
    match event:
        case RequestReceived(stream_id, _, _):
            match (habits + stream_id // 2) % 4:
                case 0:
                    connection.send_headers(stream_id, STATUS)
                    connection.send_data(stream_id, bytes(20_000))
                    connection.send_headers(stream_id, (("grpc-status", "0"),), end_stream=True)
                case 1:
                    connection.send_headers(stream_id, STATUS, end_stream=True)
                case 2:
                    connection.reset_stream(stream_id, ErrorCode.CANCEL)
                case _:
                    connection.ping(bytes(8))
        case DataReceived(stream_id, _, size, _):
            connection.grow_window(stream_id, size)
            if habits & 1:
                connection.send_data(stream_id, bytes(100))
        case TrailersReceived(stream_id, _) if habits & 2:
            connection.send_headers(stream_id, STATUS, end_stream=True)
            connection.go_away()
        case _:
            pass


def check(data: bytes) -> None:
    """Check one input, the first two bytes of which say how the others come."""
    if len(data) < 2:
        return
    how, habits, wire = data[0], data[1], data[2:]
    if not how & 1:
        wire = f.OPENING + wire
    cut = 2 + (how >> 1) % 30
    whole = read(wire, len(wire) + 1)
    assert read(wire, cut) == whole
    if len(wire) < 2000:
        assert read(wire, 1) == whole
    serve(wire, 1 + habits, how)


@given(strategies.sampled_from(read_corpus()), strategies.data())
@settings(max_examples=300, deadline=None)
def test_inputs_that_are_changed(known: bytes, data: strategies.DataObject) -> None:
    changed = bytearray(known)
    for _ in range(data.draw(strategies.integers(1, 4))):
        here = data.draw(strategies.integers(0, len(changed)))
        there = data.draw(strategies.integers(here, min(here + 12, len(changed))))
        changed[here:there] = data.draw(strategies.binary(max_size=12))
    check(bytes(changed))


@given(strategies.binary(max_size=100))
@settings(deadline=None)
def test_any_bytes(data: bytes) -> None:
    check(data)


def test_corpus() -> None:
    for known in read_corpus():
        check(known)


def main() -> None:
    match sys.argv[1:]:
        case ["unpack", folder]:
            Path(folder).mkdir(exist_ok=True)
            for number, each in enumerate(read_corpus()):
                Path(folder, str(number)).write_bytes(each)
        case ["pack", folder]:
            write_corpus(each.read_bytes() for each in Path(folder).iterdir())
        case _:
            atheris: Any = importlib.import_module("atheris")
            atheris.instrument_all()
            atheris.Setup(sys.argv, check)
            atheris.Fuzz()


if __name__ == "__main__":
    main()

"""Frames of HTTP/2, right and wrong ones, and what a server's connection makes of them in few words."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, TypeAlias

from hyperframe.frame import DataFrame, Frame, GoAwayFrame, PingFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame

from srv.http2._errors import ErrorCode
from srv.http2._events import (
    ConnectionFailed,
    DataReceived,
    GoingAway,
    PingAcknowledged,
    RequestReceived,
    ResponseReceived,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from srv.http2._events import Event

Fields: TypeAlias = tuple[tuple[str, str], ...]

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
ACK: Final = 0x1
END_STREAM: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
WITH_PRIORITY: Final = 0x20
UNSEEN: Final = 1 << 31
"""The reserved bit of a stream's id."""

REQUEST: Final[Fields] = (
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/a.B/C"),
    (":authority", "test"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
)
TRAILERS: Final[Fields] = (("x-checksum", "1"),)


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"", *, size: int | None = None) -> bytes:
    """Return a frame; `size` is the length that it claims, if that is not the truth."""
    length = len(payload) if size is None else size
    return struct.pack(">HBBBL", length >> 8, length & 0xFF, kind, flags, stream_id) + payload


def literal(fields: Iterable[tuple[str, str]], *, indexed: bool = False) -> bytes:
    """Return a header block of nothing but literals, which enter the dynamic table if they are `indexed`."""
    return b"".join((b"\x40" if indexed else b"\0") + _string(name) + _string(value) for name, value in fields)


def _string(text: str) -> bytes:
    data = text.encode("latin-1")
    if len(data) < 127:
        return bytes([len(data)]) + data
    size, rest = [127], len(data) - 127
    while rest >= 128:
        size.append(rest & 127 | 128)
        rest >>= 7
    return bytes([*size, rest]) + data


def headers(stream_id: int, fields: Iterable[tuple[str, str]] = REQUEST, *, end: bool = False) -> bytes:
    """Return HEADERS."""
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream_id, literal(fields))


def data(stream_id: int, payload: bytes = b"", *, end: bool = False, padding: int | None = None) -> bytes:
    """Return DATA."""
    flags = END_STREAM if end else 0
    if padding is not None:
        flags |= PADDED
        payload = bytes([padding]) + payload + bytes(padding)
    return frame(DATA, flags, stream_id, payload)


def settings(*values: tuple[int, int]) -> bytes:
    """Return SETTINGS."""
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HL", *each) for each in values))


def window_update(stream_id: int, size: int) -> bytes:
    """Return WINDOW_UPDATE."""
    return frame(WINDOW_UPDATE, 0, stream_id, struct.pack(">L", size))


def rst_stream(stream_id: int, code: int = ErrorCode.CANCEL) -> bytes:
    """Return RST_STREAM."""
    return frame(RST_STREAM, 0, stream_id, struct.pack(">L", code))


def ping(payload: bytes = b"12345678", *, ack: bool = False) -> bytes:
    """Return PING."""
    return frame(PING, ACK if ack else 0, 0, payload)


def goaway(last: int = 0, code: int = 0, text: bytes = b"") -> bytes:
    """Return GOAWAY."""
    return frame(GOAWAY, 0, 0, struct.pack(">LL", last, code) + text)


OPENING: Final = PREFACE + settings()
"""What a client sends first."""


def _code(code: int) -> str:
    return ErrorCode(code).name if code in ErrorCode.__members__.values() else str(code)


def say_event(event: Event) -> str:
    """Return an event in words, without headers and reasons."""
    match event:
        case RequestReceived(stream_id, _, ended):
            return f"request {stream_id}{' end' if ended else ''}"
        case ResponseReceived(stream_id, _, ended):
            return f"response {stream_id}{' end' if ended else ''}"
        case DataReceived(stream_id, payload, size, ended):
            padded = f" of {size}" if size != len(payload) else ""
            return f"data {stream_id} {bytes(payload).decode('latin-1')!r}{padded}{' end' if ended else ''}"
        case TrailersReceived(stream_id, _):
            return f"trailers {stream_id}"
        case StreamReset(stream_id, code, by_peer):
            return f"reset {stream_id} {_code(code)}{' by peer' if by_peer else ''}"
        case WindowUpdated(stream_id):
            return f"window {stream_id}"
        case PingAcknowledged(payload):
            return f"pong {payload.decode('latin-1')}"
        case GoingAway(code, last):
            return f"going away {last} {_code(code)}"
        case ConnectionFailed(code, reason):
            assert reason
            return f"failed {_code(code)}"


def say_frame(found: Frame) -> str:
    """Return a frame in words; of header blocks without what is in them."""
    words = [type(found).__name__.removesuffix("Frame"), str(found.stream_id), *sorted(found.flags)]
    match found:
        case RstStreamFrame():
            words.append(_code(found.error_code))
        case GoAwayFrame():
            words += [str(found.last_stream_id), _code(found.error_code)]
        case WindowUpdateFrame():
            words.append(str(found.window_increment))
        case PingFrame():
            words.append(found.opaque_data.decode("latin-1"))
        case DataFrame():
            words.append(repr(found.data.decode("latin-1")))
        case SettingsFrame():
            words += [f"{key}={value}" for key, value in found.settings.items()]
        case _:
            pass
    return " ".join(words)


def join_data(events: Sequence[Event]) -> list[Event]:
    """Return events, in which the pieces of data that follow one another are one."""
    joined: list[Event] = []
    for event in events:
        before = joined[-1] if joined else None
        if isinstance(event, DataReceived) and isinstance(before, DataReceived) and before.stream_id == event.stream_id:
            assert not before.ended
            whole = memoryview(bytes(before.data) + bytes(event.data))
            joined[-1] = DataReceived(event.stream_id, whole, before.size + event.size, event.ended)
        else:
            joined.append(event)
    return joined


def parse(buffers: Iterable[bytes | memoryview]) -> list[Frame]:
    """Return the frames in what a connection sends, which must be whole."""
    rest = memoryview(b"".join(buffers))
    found: list[Frame] = []
    while rest:
        each, size = Frame.parse_frame_header(rest[:9], strict=True)
        assert len(rest) >= 9 + size, "the last frame is cut off"
        each.parse_body(rest[9 : 9 + size])
        found.append(each)
        rest = rest[9 + size :]
    return found

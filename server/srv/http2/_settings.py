"""What a peer has asked for (RFC 9113, section 6.5)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from srv.http2 import _frames as frames
from srv.http2._errors import ConnectionFault, ErrorCode

# Bytes of the header table that the encoder uses at most; a larger one would hold more of one client's memory here.
_LARGEST_TABLE: Final = 4096


class _Rule(NamedTuple):
    name: str
    low: int
    high: int
    code: ErrorCode = ErrorCode.PROTOCOL_ERROR


_RULES: Final = {
    frames.ENABLE_PUSH: _Rule("ENABLE_PUSH", 0, 1),
    frames.INITIAL_WINDOW_SIZE: _Rule("INITIAL_WINDOW_SIZE", 0, frames.LARGEST_WINDOW, ErrorCode.FLOW_CONTROL_ERROR),
    frames.MAX_FRAME_SIZE: _Rule("MAX_FRAME_SIZE", frames.SMALLEST_MAX_FRAME, frames.LARGEST_FRAME),
}
_FIELDS: Final = {
    frames.HEADER_TABLE_SIZE: "header_table_size",
    frames.INITIAL_WINDOW_SIZE: "initial_window",
    frames.MAX_FRAME_SIZE: "max_frame_size",
    frames.MAX_CONCURRENT_STREAMS: "max_concurrent_streams",
}


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """The settings of a peer that matter.

    Attributes:
        header_table_size: bytes of the dynamic table that header blocks may use.
        smallest_table: the least of the sizes that came on the way to this one.
        initial_window: bytes that may be sent on a stream at first.
        max_frame_size: bytes of the largest frame.
        max_concurrent_streams: that we may have open; a server opens none.
    """

    header_table_size: int = _LARGEST_TABLE
    smallest_table: int = _LARGEST_TABLE
    initial_window: int = frames.USUAL_WINDOW
    max_frame_size: int = frames.SMALLEST_MAX_FRAME
    max_concurrent_streams: int = frames.LAST_STREAM

    def changed(self, payload: memoryview) -> PeerSettings:
        """Return the settings behind a SETTINGS frame; those that are not known say nothing.

        Raises:
            ConnectionFault: the frame is malformed, or a value out of its range.
        """
        if len(payload) % frames.SETTING.size:
            problem = f"SETTINGS have {len(payload)} bytes, expected a multiple of {frames.SETTING.size}"
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, problem)
        values: dict[str, int] = {}
        smallest = _LARGEST_TABLE
        for key, value in frames.SETTING.iter_unpack(payload):
            rule = _RULES.get(key)
            if rule is not None and not rule.low <= value <= rule.high:
                raise ConnectionFault(rule.code, f"{rule.name}: expected {rule.low} to {rule.high}, got {value}")
            if key == frames.HEADER_TABLE_SIZE:
                smallest = min(smallest, value)
            if key in _FIELDS:
                values[_FIELDS[key]] = value
        table = min(values.get("header_table_size", self.header_table_size), _LARGEST_TABLE)
        return replace(self, **{**values, "header_table_size": table, "smallest_table": min(smallest, table)})

"""What one peer may take of the server."""

from __future__ import annotations

from dataclasses import dataclass

from srv.http2._frames import LARGEST_FRAME, LARGEST_WINDOW, SMALLEST_MAX_FRAME, USUAL_WINDOW


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a connection.

    Attributes:
        max_concurrent_streams: streams that may be open at the same time; further ones are refused.
        stream_window: bytes that a peer may send on a stream before its window is grown.
        max_frame_size: bytes of the largest frame that is taken.
        max_header_list_size: bytes of a header list, counted as in RFC 9113, section 10.5.1, and of its block.
        control_burst: frames that do no work (PING, SETTINGS, PRIORITY, empty and unknown ones) at once,
            `control_rate` per second.
        reset_burst: streams that the peer resets before they are answered, at once, `reset_rate` per second.

    Raises:
        ValueError: a limit is out of its range.
    """

    max_concurrent_streams: int = 1000
    stream_window: int = 1 << 18
    max_frame_size: int = 1 << 18
    max_header_list_size: int = 1 << 16
    control_burst: int = 1000
    control_rate: int = 100
    reset_burst: int = 2000
    reset_rate: int = 200

    def __post_init__(self) -> None:
        # A smaller window would hold for those streams alone that begin after the peer has heard of it.
        ranges = {
            "max_concurrent_streams": (1, LARGEST_WINDOW),
            "stream_window": (USUAL_WINDOW, LARGEST_WINDOW),
            "max_frame_size": (SMALLEST_MAX_FRAME, LARGEST_FRAME),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not low <= value <= high:
                message = f"{name}: expected {low} to {high}, got {value}"
                raise ValueError(message)

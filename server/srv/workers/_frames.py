"""What two processes say to each other: frames of a fixed prefix, a header of JSON, and the bytes of small tensors."""

from __future__ import annotations

import enum
import json
import struct
from typing import Final, cast

import numpy as np

PREFIX: Final = struct.Struct("<B3xIIIIQ")
"""Kind, call, bytes of the header, bytes of the body behind it, segment, and bytes in the segment.

All little-endian. A frame without call has 0 there, as one whose body is not in shared memory has for the segment.
"""


def _as_plain(value: object) -> object:
    # A runtime may say `shape=[sizes[0]]` of an array of sizes.
    if isinstance(value, np.generic):
        return cast("object", value.item())
    message = f"no JSON form: {type(value).__name__}"
    raise TypeError(message)


encode_header: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False, default=_as_plain).encode
decode_header: Final = json.JSONDecoder().decode


class Kind(enum.IntEnum):
    """What a frame says; `header` is what its JSON holds, `body` its tensors.

    Of the server: LOAD, PREDICT, STREAM, NEXT, MORE, END_MORE, HANDLE, METADATA, CANCEL, UNLOAD, PING, LOGGING.
    Of the worker: LOADED, FACTS, RESPONSE, ITEM, END, ERROR, WANT_MORE, RESULT, PONG, METRICS.
    Of both: SEGMENT, RELEASE, FORGET.
    """

    LOAD = 1
    """The model's settings. The answer is LOADED or ERROR."""
    LOADED = 2
    """What the server must know of the runtime."""
    FACTS = 3
    """The same, when the runtime has changed some of it: readiness, inputs, outputs."""
    PREDICT = 4
    """A request. The answer is RESPONSE or ERROR."""
    RESPONSE = 5
    STREAM = 6
    """The first request of a stream. Each NEXT is answered by ITEM, END or ERROR; the last two end the call."""
    NEXT = 7
    ITEM = 8
    END = 9
    WANT_MORE = 10
    """The runtime asks for a further request of its stream. The answer is MORE or END_MORE."""
    MORE = 11
    END_MORE = 12
    METADATA = 13
    """The answer is RESULT or ERROR."""
    HANDLE = 14
    """A call of a custom handler. The answer is RESULT or ERROR."""
    RESULT = 15
    ERROR = 16
    """A call has failed, or is over after CANCEL."""
    CANCEL = 17
    UNLOAD = 18
    """The answer is RESULT or ERROR, and then the worker ends."""
    PING = 19
    PONG = 20
    SEGMENT = 21
    """A new segment of shared memory, whose file descriptor comes with the frame: its number and size."""
    RELEASE = 22
    """Segments, by number, that nobody looks at any more."""
    FORGET = 23
    """A segment, by number, that will not be used again."""
    METRICS = 24
    """What the model's code has done with metrics."""
    LOGGING = 25
    """How to log from now on."""

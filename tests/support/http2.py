"""A gRPC client that can also send what no proper client would: frames of HTTP/2, one by one."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import h2.config
import h2.connection
import h2.events
from serving import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

GOAWAY: Final = 7
INFER: Final = "/inference.GRPCInferenceService/ModelInfer"


def message(data: bytes, *, compressed: bool = False, size: int | None = None) -> bytes:
    """Return a length-prefixed message; `size` is what the prefix says, if that is not the truth."""
    return struct.pack(">?I", compressed, len(data) if size is None else size) + data


class Http2(contextlib.AbstractContextManager["Http2"]):
    """One connection to a gRPC front."""

    def __init__(self, port: int) -> None:
        config = h2.config.H2Configuration(
            client_side=True, header_encoding=False, validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self.h2 = h2.connection.H2Connection(config)
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.headers: dict[int, dict[bytes, bytes]] = {}
        self.data: dict[int, bytearray] = {}
        self.ended: set[int] = set()
        self.resets: dict[int, int] = {}
        self.closed = self.going_away = False
        self._received = bytearray()
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(1 << 30)

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def open(
        self, path: str = INFER, extra: Iterable[tuple[bytes, bytes]] = (), *, without: Iterable[bytes] = ()
    ) -> int:
        """Begin a call, and return its stream; nothing goes out before :meth:`flush`."""
        headers = [
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", path.encode()),
            (b":authority", b"test"),
            (b"te", b"trailers"),
            (b"content-type", b"application/grpc"),
        ]
        left_out = set(without)
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, [*(each for each in headers if each[0] not in left_out), *extra])
        return stream

    def send(self, stream: int, data: bytes, *, end: bool = True, piece: int = 1 << 14) -> None:
        """Add frames of data, which go out when the window is used up."""
        for start in range(0, len(data), piece):
            frame = data[start : start + piece]
            while self.h2.local_flow_control_window(stream) < len(frame):
                self.flush()
                assert not self.closed, "the server closed the connection"
                self.receive()
            self.h2.send_data(stream, frame)
        if end:
            self.h2.end_stream(stream)

    def flush(self) -> None:
        """Send everything in one piece."""
        self.socket.sendall(self.h2.data_to_send())

    def call(self, data: bytes, path: str = INFER, extra: Iterable[tuple[bytes, bytes]] = ()) -> tuple[int, str]:
        """Make a call, and return its status and text."""
        stream = self.open(path, extra)
        self.send(stream, data)
        return self.status(stream)

    def status(self, stream: int) -> tuple[int, str]:
        """Wait for a call to end, and return its gRPC status and text."""
        self.flush()
        while stream not in self.ended:
            assert not self.closed, "the server closed the connection"
            self.receive()
        found = self.headers[stream]
        return int(found[b"grpc-status"]), unquote(found.get(b"grpc-message", b"").decode())

    def receive(self) -> None:
        """Take what the server sends next."""
        data = self.socket.recv(1 << 16)
        if not data:
            self.closed = True
            return
        self._received += data
        for event in [each for frame in self._frames() for each in self.h2.receive_data(frame)]:
            if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
                self.headers.setdefault(event.stream_id, {}).update(event.headers)
            elif isinstance(event, h2.events.DataReceived):
                self.data.setdefault(event.stream_id, bytearray()).extend(event.data)
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self.ended.add(event.stream_id)
            elif isinstance(event, h2.events.StreamReset):
                self.ended.add(event.stream_id)
                self.resets[event.stream_id] = event.error_code
        self.flush()

    def _frames(self) -> Iterator[bytes]:
        """Yield the frames that are complete, without GOAWAY, behind which h2 would take nothing else."""
        while len(self._received) >= 9 and len(self._received) >= (size := 9 + int.from_bytes(self._received[:3])):
            frame = bytes(self._received[:size])
            del self._received[:size]
            if frame[3] == GOAWAY:
                self.going_away = True
            else:
                yield frame

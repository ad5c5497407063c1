"""What goes over a gRPC connection: literal requests, and the messages of their answers to the byte."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Final

import h2.config
import h2.connection
import h2.events
import pytest
from serving import PATIENCE

if TYPE_CHECKING:
    from serving import Server

# The client's preface, and its empty SETTINGS.
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000 04 00 00000000")
SERVICE: Final = b"/inference.GRPCInferenceService/"


def wire(text: str) -> bytes:
    """Return the bytes of a case."""
    return bytes.fromhex(text.replace("|", " "))


RAW_REQUEST: Final = wire(
    """0a 08 6964656e74697479
       1a 01 37
       2a 0e
          0a 01 78
          12 05 494e543332
          1a 02 01 02
       3a 08 01000000 feffffff"""
)
TYPED_REQUEST: Final = wire(
    """0a 08 6964656e74697479
       2a 1d
          0a 01 78
          12 05 494e543332
          1a 02 01 02
          2a 0d
             12 0b 01 feffffffffffffffff01"""
)

# Method, request, and answer.
CASES: Final = {
    "live": ("ServerLive", b"", wire("08 01")),
    "model ready": ("ModelReady", wire("0a 08 6964656e74697479"), wire("08 01")),
    "model not ready": ("ModelReady", wire("0a 04 6e6f7065"), b""),
    "raw": (
        "ModelInfer",
        RAW_REQUEST,
        wire(
            """0a 08 6964656e74697479
               1a 01 37
               2a 0e
                  0a 01 78
                  12 05 494e543332
                  1a 02 01 02
               32 08 01000000 feffffff"""
        ),
    ),
    "typed": (
        "ModelInfer",
        TYPED_REQUEST,
        wire(
            """0a 08 6964656e74697479
               2a 1d
                  0a 01 78
                  12 05 494e543332
                  1a 02 01 02
                  2a 0d
                     12 0b 01 feffffffffffffffff01"""
        ),
    ),
    "BYTES": (
        "ModelInfer",
        wire("0a 08 6964656e74697479 | 2a 0d | 0a 01 78 | 12 05 4259544553 | 1a 01 02 | 3a 09 00000000 01000000 61"),
        wire("0a 08 6964656e74697479 | 2a 0d | 0a 01 78 | 12 05 4259544553 | 1a 01 02 | 32 09 00000000 01000000 61"),
    ),
    "metadata": ("ModelMetadata", wire("0a 08 6964656e74697479"), wire("0a 08 6964656e74697479")),
    "load, as KServe names the model": (
        "RepositoryModelLoad",
        wire("0a 08 73616d655f74776f"),
        wire("0a 08 73616d655f74776f | 10 01"),
    ),
}


def framed(*messages: bytes) -> bytes:
    """Return messages behind their prefixes."""
    return b"".join(struct.pack(">?I", False, len(each)) + each for each in messages)


def call(method: str, message: bytes, stream: int) -> bytes:
    """Return the frames of a call with one message."""
    return frames(method, framed(message), stream)


def frames(method: str, data: bytes, stream: int) -> bytes:
    """Return the frames of a call: HEADERS, whose fields are literals without an index, and DATA."""
    path = SERVICE + method.encode()
    fields = b"".join(
        b"\x00" + bytes((len(name),)) + name + bytes((len(value),)) + value
        for name, value in (
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", path),
            (b":authority", b"test"),
            (b"te", b"trailers"),
            (b"content-type", b"application/grpc"),
        )
    )
    return (
        struct.pack(">I", len(fields))[1:] + b"\x01\x04" + struct.pack(">I", stream) + fields
        + struct.pack(">I", len(data))[1:] + b"\x00\x01" + struct.pack(">I", stream) + data
    )  # fmt: skip


def exchange(server: Server, pieces: list[bytes], calls: int) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """Send the pieces one by one; return the data and all headers of each call, in the order of the calls."""
    # The other end is there to read frames: what goes out are the literal bytes.
    reader = h2.connection.H2Connection(
        h2.config.H2Configuration(client_side=True, header_encoding=False, validate_outbound_headers=False)
    )
    reader.initiate_connection()
    for _ in range(calls):
        reader.send_headers(reader.get_next_available_stream_id(), [(b":method", b"POST")], end_stream=True)
    reader.clear_outbound_data_buffer()
    found: dict[int, tuple[bytearray, dict[bytes, bytes]]] = {}
    ended = 0
    with socket.create_connection(("127.0.0.1", server.ports["gRPC"]), PATIENCE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
        while ended < calls:
            received = connection.recv(1 << 16)
            assert received, "the server closed the connection"
            for event in reader.receive_data(received):
                if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
                    found.setdefault(event.stream_id, (bytearray(), {}))[1].update(event.headers)
                elif isinstance(event, h2.events.DataReceived):
                    found[event.stream_id][0].extend(event.data)
                elif isinstance(event, h2.events.StreamEnded):
                    ended += 1
    return [(bytes(data), headers) for _, (data, headers) in sorted(found.items())]


def check(answer: tuple[bytes, dict[bytes, bytes]], expected: bytes) -> None:
    """Compare an answer with the one that its call must get."""
    data, headers = answer
    assert data == framed(expected)
    assert headers == {b":status": b"200", b"content-type": b"application/grpc+proto", b"grpc-status": b"0"}


@pytest.mark.parametrize(("method", "request_", "expected"), CASES.values(), ids=CASES)
def test_a_call_in_one_piece_gets_exactly_this_message(
    server: Server, method: str, request_: bytes, expected: bytes
) -> None:
    (answer,) = exchange(server, [PREFACE + call(method, request_, 1)], 1)
    check(answer, expected)


@pytest.mark.parametrize(("method", "request_", "expected"), CASES.values(), ids=CASES)
def test_a_call_byte_by_byte_gets_the_same_message(
    server: Server, method: str, request_: bytes, expected: bytes
) -> None:
    sent = PREFACE + call(method, request_, 1)
    (answer,) = exchange(server, [bytes((byte,)) for byte in sent], 1)
    check(answer, expected)


@pytest.mark.parametrize(("method", "request_", "expected"), CASES.values(), ids=CASES)
def test_calls_right_behind_each_other_get_a_message_each(
    server: Server, method: str, request_: bytes, expected: bytes
) -> None:
    sent = PREFACE + b"".join(call(method, request_, stream) for stream in (1, 3, 5))
    for answer in exchange(server, [sent], 3):
        check(answer, expected)


@pytest.mark.parametrize(("method", "request_", "expected"), CASES.values(), ids=CASES)
def test_something_behind_the_message_is_refused(server: Server, method: str, request_: bytes, expected: bytes) -> None:
    """A unary call has one message: nothing is done with either."""
    del expected
    more = request_ + struct.pack(">?I", False, 0)
    sent = bytearray(PREFACE + call(method, more, 1))
    # The prefix says the size of the first message alone.
    at = len(sent) - len(more) - 4
    sent[at : at + 4] = struct.pack(">I", len(request_))
    ((data, headers),) = exchange(server, [bytes(sent)], 1)
    assert (data, headers[b"grpc-status"]) == (b"", b"12")


# The answer to RAW_REQUEST on a stream.
STREAMED_ANSWER: Final = wire(
    """12 44
         0a 08 6964656e74697479
         1a 01 37
         22 1b
            0a 15 747269746f6e5f66696e616c5f726573706f6e7365
            12 02 08 01
         2a 0e
            0a 01 78
            12 05 494e543332
            1a 02 01 02
         32 08 01000000 feffffff"""
)

# ModelStreamInfer: the requests, and the messages of the answer.
STREAMS: Final = {
    "no requests": ((), ()),
    "a model with one response": (
        (RAW_REQUEST,),
        (STREAMED_ANSWER,),
    ),
    "responses, and the end that the client asks for": (
        (
            wire(
                """0a 06 73747265616d
                   1a 01 37
                   22 28
                      0a 22 747269746f6e5f656e61626c655f656d7074795f66696e616c5f726573706f6e7365
                      12 02 08 01
                   2a 11
                      0a 05 636f756e74
                      12 05 494e543332
                      1a 01 01
                   3a 04 01000000"""
            ),
        ),
        (
            wire(
                """12 42
                     0a 06 73747265616d
                     1a 01 37
                     22 1b
                        0a 15 747269746f6e5f66696e616c5f726573706f6e7365
                        12 02 08 00
                     2a 12
                        0a 06 6e756d626572
                        12 05 494e543332
                        1a 01 01
                     32 04 00000000"""
            ),
            wire(
                """12 28
                     0a 06 73747265616d
                     1a 01 37
                     22 1b
                        0a 15 747269746f6e5f66696e616c5f726573706f6e7365
                        12 02 08 01"""
            ),
        ),
    ),
    "an error, and a request behind it": (
        (wire("0a 04 6e6f7065 | 1a 01 38"), RAW_REQUEST),
        (
            wire("0a 2e")
            + b"Request for unknown model: 'nope' is not found"
            + wire("12 26 | 0a 04 6e6f7065 | 1a 01 38 | 22 1b")
            + wire("0a 15 747269746f6e5f66696e616c5f726573706f6e7365 | 12 02 08 01"),
            STREAMED_ANSWER,
        ),
    ),
}


@pytest.mark.parametrize("piecewise", [False, True])
@pytest.mark.parametrize(("requests", "expected"), STREAMS.values(), ids=STREAMS)
def test_a_stream_gets_exactly_these_messages(
    server: Server, requests: tuple[bytes, ...], expected: tuple[bytes, ...], piecewise: bool
) -> None:
    """Sent whole, or byte by byte."""
    sent = PREFACE + frames("ModelStreamInfer", framed(*requests), 1)
    pieces = [bytes((byte,)) for byte in sent] if piecewise else [sent]
    ((data, headers),) = exchange(server, pieces, 1)
    assert data == framed(*expected)
    assert headers == {b":status": b"200", b"content-type": b"application/grpc+proto", b"grpc-status": b"0"}

"""What a gRPC client can do to a connection, frame by frame; the other calls of the connection never suffer."""

from __future__ import annotations

import gzip
import struct
import zlib
from typing import TYPE_CHECKING

import h2.errors
import numpy as np
import pytest
from http2 import INFER, Http2, message
from serving import GRPC_TRANSPORT, MODELS
from tensors import grpc_outputs, grpc_request, pb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from serving import Serve, Server

OK, INVALID_ARGUMENT, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED = 0, 3, 4, 8, 12
REQUEST = grpc_request("identity", {"x:INT32": np.arange(3, dtype=np.int32)}).SerializeToString()


@pytest.fixture
def client(server: Server) -> Iterator[Http2]:
    """Return a connection, which works before and after the test."""
    with Http2(server.ports["gRPC"]) as made:
        assert made.call(message(REQUEST)) == (OK, "")
        yield made
        assert made.call(message(REQUEST)) == (OK, "")


def test_a_message_in_frames_of_one_byte(client: Http2) -> None:
    """However a message is cut."""
    stream = client.open()
    client.send(stream, message(REQUEST), piece=1)
    assert client.status(stream) == (OK, "")
    response = pb.ModelInferResponse.FromString(bytes(client.data[stream][5:]))
    assert grpc_outputs(response)["x"].tolist() == [0, 1, 2]


def test_calls_that_are_cancelled_before_they_begin_do_not_use_up_the_connection(client: Http2) -> None:
    """Headers, data and reset in one packet, of more data in all than the connection may have under way."""
    size = 100_000
    for _ in range(5):
        for _ in range(20):
            stream = client.open()
            client.send(stream, message(bytes(size)), end=False)
            client.h2.reset_stream(stream)
        client.flush()
        # The answer to a call comes after the windows of those before it.
        assert client.call(message(REQUEST)) == (OK, "")


def test_calls_that_are_cancelled_in_the_middle_do_not_use_up_the_connection(client: Http2) -> None:
    """Data that has arrived, and that nobody will read."""
    for _ in range(5):
        streams = [client.open() for _ in range(20)]
        for stream in streams:
            client.send(stream, message(bytes(100_000), size=200_000), end=False)
        client.flush()
        assert client.call(message(REQUEST)) == (OK, "")
        for stream in streams:
            client.h2.reset_stream(stream)
        client.flush()
        assert client.call(message(REQUEST)) == (OK, "")


@pytest.mark.parametrize(
    ("data", "status", "text"),
    [
        (b"\0\0", INVALID_ARGUMENT, "truncated"),
        (b"\0\0\0\0\5", INVALID_ARGUMENT, "truncated"),
        (message(REQUEST, size=len(REQUEST) + 1), INVALID_ARGUMENT, "truncated"),
        (message(bytes(100_000), size=100_001), INVALID_ARGUMENT, "truncated"),
        (message(bytes(1 << 16), size=1 << 17), INVALID_ARGUMENT, "truncated"),
        (message(b"", size=2**32 - 1), RESOURCE_EXHAUSTED, "max_request_size"),
        (message(REQUEST, compressed=True), INVALID_ARGUMENT, "no grpc-encoding"),
        (b"\2" + message(REQUEST)[1:], INVALID_ARGUMENT, "no grpc-encoding"),
    ],
)
def test_messages_that_are_none(client: Http2, data: bytes, status: int, text: str) -> None:
    """Each has the status that it deserves."""
    found, details = client.call(data)
    assert (found, text in details) == (status, True)


def test_a_message_that_is_too_large_is_refused_before_it_comes(client: Http2) -> None:
    """Its length is enough."""
    stream = client.open()
    client.send(stream, message(b"", size=2**32 - 1), end=False)
    assert client.status(stream)[0] == RESOURCE_EXHAUSTED


@pytest.mark.parametrize("value", [b"a", b"AA\xff\xff", b"A===="])
def test_binary_metadata_that_is_no_base64_is_refused(client: Http2, value: bytes) -> None:
    """With the name of it, rather than with silence."""
    found, details = client.call(message(REQUEST), extra=[(b"x-some-bin", value)])
    assert found == INVALID_ARGUMENT
    assert "'x-some-bin'" in details


def test_metadata_beyond_ascii_is_the_business_of_its_call_alone(client: Http2) -> None:
    """It reaches the runtime as what HTTP makes of such bytes."""
    data = message(grpc_request("headers", {"x:INT32": np.zeros(1, np.int32)}).SerializeToString())
    other = client.open()
    assert client.call(message(REQUEST), extra=[(b"x-name", "é".encode())]) == (OK, "")
    client.send(other, message(REQUEST))
    assert client.status(other) == (OK, "")
    found, details = client.call(data, extra=[(b"x-echo", "é".encode())])
    assert (found, "invalid response header" in details) in {(13, True), (OK, False)}


@pytest.mark.parametrize("value", [b"0n", b"1n", b"1u", b"0S"])
def test_a_deadline_that_has_passed_is_exceeded(client: Http2, value: bytes) -> None:
    """Not an internal error."""
    assert client.call(message(REQUEST), extra=[(b"grpc-timeout", value)])[0] == DEADLINE_EXCEEDED


@pytest.mark.parametrize("value", [b"", b"1", b"-1S", b"1x", b"1.5S"])
def test_a_deadline_that_is_none_is_refused(client: Http2, value: bytes) -> None:
    """Whatever the status, there is one."""
    assert client.call(message(REQUEST), extra=[(b"grpc-timeout", value)])[0] != OK


def test_headers_that_a_call_must_have(client: Http2) -> None:
    """Without them there is an answer all the same, as HTTP or as gRPC."""
    for name in (b"te", b"content-type"):
        stream = client.open(without=[name])
        client.send(stream, message(REQUEST))
        assert client.status(stream)[0] != OK
        assert client.headers[stream][b":status"] in {b"400", b"415"}
    # RFC 9113, section 8.1.1.
    stream = client.open(without=[b":path"])
    client.send(stream, message(REQUEST))
    client.flush()
    while stream not in client.ended:
        client.receive()
    if GRPC_TRANSPORT == "native":
        assert client.resets[stream] == h2.errors.ErrorCodes.PROTOCOL_ERROR
    else:
        assert client.status(stream)[0] != OK


@pytest.mark.parametrize("data", [b"", message(REQUEST) * 2, message(REQUEST) + b"x"], ids=["none", "two", "more"])
def test_a_unary_call_has_one_message(client: Http2, data: bytes) -> None:
    """Another number is unimplemented, as gRPC's list of statuses says."""
    status, text = client.call(data)
    assert (status, "expected one request message" in text) == (UNIMPLEMENTED, True)
    assert client.call(message(REQUEST)) == (OK, "")


def test_frames_without_data_are_nothing(client: Http2) -> None:
    """Before a message, within it and behind it, padded or not."""
    data = message(REQUEST)
    stream = client.open()
    for piece in (b"", data[:3], b"", data[3:9], b"", data[9:], b""):
        client.h2.send_data(stream, piece)
    client.h2.send_data(stream, b"", pad_length=7)
    client.h2.send_data(stream, b"", end_stream=True)
    assert client.status(stream) == (OK, "")


def test_an_empty_message_is_a_message(client: Http2) -> None:
    """Of a request whose members all have their defaults."""
    assert client.call(message(b""), INFER.replace("ModelInfer", "ServerReady")) == (OK, "")
    assert client.call(message(b""))[0] == 5


PACK: dict[bytes, Callable[[bytes], bytes]] = {b"gzip": gzip.compress, b"deflate": zlib.compress}
UNPACK: dict[bytes, Callable[[bytes], bytes]] = {b"gzip": gzip.decompress, b"deflate": zlib.decompress}


@pytest.mark.parametrize("encoding", PACK)
def test_a_compressed_request_gets_a_compressed_answer(client: Http2, encoding: bytes) -> None:
    """With the encoding in its headers, and the flag in front of the message."""
    stream = client.open(extra=[(b"grpc-encoding", encoding)])
    client.send(stream, message(PACK[encoding](REQUEST), compressed=True))
    assert client.status(stream) == (OK, "")
    assert client.headers[stream][b"grpc-encoding"] == encoding
    compressed, size = struct.unpack(">?I", client.data[stream][:5])
    assert (compressed, size) == (True, len(client.data[stream]) - 5)
    assert b"identity" in UNPACK[encoding](bytes(client.data[stream][5:]))


@pytest.mark.parametrize("encoding", PACK)
def test_a_call_that_may_be_compressed_need_not_be(client: Http2, encoding: bytes) -> None:
    """The flag of each message says what it is."""
    assert client.call(message(REQUEST), extra=[(b"grpc-encoding", encoding)]) == (OK, "")


def test_an_unknown_encoding_is_unimplemented_and_learns_the_known_ones(client: Http2) -> None:
    """As the specification of compression asks."""
    stream = client.open(extra=[(b"grpc-encoding", b"zstd")])
    client.send(stream, message(REQUEST, compressed=True))
    status, text = client.status(stream)
    assert (status, "zstd" in text) == (UNIMPLEMENTED, True)
    assert client.headers[stream][b"grpc-accept-encoding"] == b"identity,gzip,deflate"


@pytest.mark.parametrize("data", [b"", b"no gzip", gzip.compress(REQUEST)[:-1], gzip.compress(REQUEST) + b"x"])
def test_a_message_that_is_not_what_its_encoding_says_is_refused(client: Http2, data: bytes) -> None:
    """And the connection goes on."""
    extra = [(b"grpc-encoding", b"gzip")]
    assert client.call(message(data, compressed=True), extra=extra)[0] == INVALID_ARGUMENT
    assert client.call(message(REQUEST)) == (OK, "")


def test_a_bomb_is_stopped_at_the_limit(serve: Serve) -> None:
    """Before it has been unpacked."""
    server = serve(MODELS / "shared", max_request_size=1 << 20).wait_started()
    with Http2(server.ports["gRPC"]) as client:
        bomb = message(gzip.compress(bytes(1 << 26)), compressed=True)
        status, text = client.call(bomb, extra=[(b"grpc-encoding", b"gzip")])
    assert (status, "max_request_size" in text) == (RESOURCE_EXHAUSTED, True)

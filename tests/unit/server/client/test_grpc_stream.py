"""What has come of a gRPC call: messages in any pieces, and every way to end."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srv.client import ConnectionLost, ServerError
from srv.client._call import Call
from srv.client._deadline import Deadline
from srv.client._http2 import WINDOW, GrpcStream, RequestHeads
from srv.errors import DeadlineExceeded, InvalidInput, NotFound, RequestTooLarge, SrvError, Unavailable, Unsupported
from srv.http2._client import ClientConnection
from srv.http2._errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

OK = ((":status", "200"), ("content-type", "application/grpc"), ("x-a", "1"))


def packed(*messages: bytes) -> bytes:
    return b"".join(struct.pack(">?I", False, len(each)) + each for each in messages)  # not compressed


def feed(stream: GrpcStream, data: bytes, cuts: list[int]) -> None:
    pos = 0
    for size in (*cuts, len(data)):
        piece = data[pos : pos + size]
        stream.take_data(memoryview(piece), len(piece), ended=False)
        pos += size


@given(st.lists(st.binary(max_size=300), max_size=5), st.lists(st.integers(1, 50), max_size=40))
def test_messages_in_any_pieces(messages: list[bytes], cuts: list[int]) -> None:
    stream = GrpcStream(1)
    stream.take_response(OK, ended=False)
    feed(stream, packed(*messages), cuts)
    stream.take_trailers((("grpc-status", "0"), ("x-b", "2")))
    assert [bytes(each) for each in stream.messages] == messages
    assert stream.ended
    assert stream.error is None
    assert stream.metadata() == {"x-a": "1", "x-b": "2"}
    if len(messages) == 1:
        assert bytes(stream.reply().body) == messages[0]
    else:
        with pytest.raises(ServerError, match="expected one message"):
            stream.reply()


def test_a_large_message_is_received_to_its_place() -> None:
    stream = GrpcStream(1)
    stream.take_response(OK, ended=False)
    stream.take_data(memoryview(struct.pack(">?I", False, 1000) + b"a"), 6, ended=False)  # as above
    room = stream.room(1 << 20)
    assert room is not None
    assert len(room) == 999
    room[:] = b"b" * 999
    stream.take_data(room, 999, ended=False)
    assert bytes(stream.messages[0]) == b"a" + b"b" * 999
    assert stream.messages[0].readonly
    assert stream.messages[0].obj is room.obj
    assert stream.room(1) is None


def test_the_window_grows_for_what_is_missing() -> None:
    connection = ClientConnection()
    stream = GrpcStream(connection.open_stream(()))
    connection.data_to_send()
    stream.take_response(OK, ended=False)
    stream.take_data(memoryview(struct.pack(">?I", False, 3 * WINDOW)), 5, ended=False)  # as above
    stream.refill(connection)
    (frame,) = connection.data_to_send()
    assert int.from_bytes(bytes(frame)[-4:], "big") == 2 * WINDOW + 10


@pytest.mark.parametrize(
    ("status", "error", "http"),
    [
        (3, InvalidInput, 400), (4, DeadlineExceeded, 504), (5, NotFound, 404), (8, RequestTooLarge, 413),
        (12, Unsupported, 501), (13, ServerError, 500), (14, Unavailable, 503), (16, ServerError, 401),
        (99, ServerError, 500),
    ],
)  # fmt: skip
def test_statuses(status: int, error: type[SrvError], http: int) -> None:
    """Alone, as all of the answer, and behind headers."""
    fields = (("grpc-status", str(status)), ("grpc-message", "a%20%E2%82%AC"))
    for at_once in (True, False):
        stream = GrpcStream(1)
        if at_once:
            stream.take_response((*OK, *fields), ended=True)
        else:
            stream.take_response(OK, ended=False)
            stream.take_trailers(fields)
        with pytest.raises(error, match="^a €") as found:  # noqa: RUF043  # the start
            stream.reply()
        assert found.value.status_code == http


def ended_by(how: Callable[[GrpcStream], None]) -> SrvError:
    stream = GrpcStream(1)
    how(stream)
    assert stream.ended
    with pytest.raises(SrvError) as found:
        stream.reply()
    return found.value


def test_ends_without_a_status() -> None:
    error = ended_by(lambda each: each.take_reset(ErrorCode.REFUSED_STREAM))
    assert isinstance(error, ConnectionLost)
    assert not error.begun
    assert "INTERNAL_ERROR" in str(ended_by(lambda each: each.take_reset(ErrorCode.INTERNAL_ERROR)))
    assert "77" in str(ended_by(lambda each: each.take_reset(77)))
    assert "does it speak gRPC" in str(ended_by(lambda each: each.take_response(OK, ended=True)))
    assert isinstance(ended_by(lambda each: each.take_response(((":status", "503"),), ended=True)), Unavailable)

    def inside(stream: GrpcStream) -> None:
        stream.take_response(OK, ended=False)
        feed(stream, packed(b"abc")[:-1], [])
        stream.take_trailers((("grpc-status", "0"),))

    assert "inside a message" in str(ended_by(inside))

    def compressed(stream: GrpcStream) -> None:
        stream.take_response(OK, ended=False)
        stream.take_data(memoryview(b"\1\0\0\0\1x"), 6, ended=False)

    assert "compressed" in str(ended_by(compressed))


def test_an_end_for_good_stays() -> None:
    stream = GrpcStream(1)
    stream.take_response(OK, ended=False)
    feed(stream, packed(b"abc"), [])
    stream.take_trailers((("grpc-status", "0"),))
    stream.take_reset(ErrorCode.NO_ERROR)
    assert bytes(stream.reply().body) == b"abc"


def test_heads() -> None:
    heads = RequestHeads("a:1", (("user-agent", "u"),), tls=True)
    call = Call("POST", "/s/M", (), 0, (("x", "1"),), bool)
    common = (
        (":method", "POST"), (":scheme", "https"), (":authority", "a:1"), (":path", "/s/M"), ("te", "trailers"),
        ("content-type", "application/grpc"), ("user-agent", "u"), ("x", "1"),
    )  # fmt: skip
    assert heads.make(call, Deadline(None)) == common
    assert heads.make(call, Deadline(1.5)) == (*common, ("grpc-timeout", "1500m"))
    assert heads.make(call, Deadline(1e6)) == (*common, ("grpc-timeout", "1000000S"))
    assert heads.make(call, Deadline(1e-9))[-1] == ("grpc-timeout", "1m")

"""Replies of HTTP/1.1, as they come: whole, byte by byte, and with something behind them."""

from __future__ import annotations

import pytest

from srv.client._call import Call
from srv.client._errors import ConnectionLost, ServerError
from srv.client._http1 import EventReader, Heads, ReplyReader

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\nx-a:2 \r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n1;x=y\r\n \r\nA\r\n0123456789\r\n0\r\ntrailer: 1\r\n\r\n"
)
EARLY = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"


def read(reader: ReplyReader, data: bytes, step: int) -> int:
    """Give bytes to a reader until a reply is complete, at most `step` at once; return how many."""
    reader.begin()
    pos = 0
    while pos < len(data) and not reader.complete:
        room = reader.room()
        assert len(room)
        piece = data[pos : pos + min(step, len(room))]
        room[: len(piece)] = piece
        reader.take(len(piece))
        pos += len(piece)
    return pos


@pytest.mark.parametrize("step", [1, 2, 7, 1 << 20])
def test_replies_in_any_pieces(step: int) -> None:
    reader = ReplyReader()
    for data, body, headers in (
        (PLAIN, b"hello", {"content-length": "5", "x-a": "1, 2"}),
        (CHUNKED, b"hello 0123456789", {"transfer-encoding": "chunked"}),
        (EARLY + PLAIN, b"hello", {"content-length": "5", "x-a": "1, 2"}),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", {}),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", b"", {"content-length": "0"}),
    ):
        assert read(reader, data, step) == len(data)
        assert reader.complete
        assert reader.reusable
        assert bytes(reader.reply.body) == body
        assert reader.reply.headers == headers


@pytest.mark.parametrize("step", [999, 1 << 20])
def test_a_large_body_is_received_into_its_own_buffer(step: int) -> None:
    body = bytes(range(256)) * 4096
    reader = ReplyReader()
    read(reader, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body, step)
    assert reader.reply.body == body
    assert reader.reply.body.readonly
    kept = reader.reply.body
    read(reader, PLAIN, 1 << 20)
    assert kept == body


def test_a_body_that_ends_with_the_connection() -> None:
    reader = ReplyReader()
    read(reader, b"HTTP/1.0 200 OK\r\n\r\nhello", 1 << 20)
    assert not reader.complete
    reader.end()
    assert not reader.reusable


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\nConnection: close\r\n", b"HTTP/1.0 200 OK\r\n"],
)
def test_connections_that_are_not_used_again(head: bytes) -> None:
    reader = ReplyReader()
    read(reader, head + b"Content-Length: 0\r\n\r\n", 1 << 20)
    assert reader.complete
    assert not reader.reusable


def test_nothing_may_follow_a_reply() -> None:
    reader = ReplyReader()
    assert read(reader, PLAIN + b"x", 1 << 20)
    assert not reader.reusable


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"SSH-2.0\r\n\r\n", "does not speak HTTP/1.1"),
        (b"HTTP/2 200\r\n\r\n", "does not speak HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "a header is"),
        (b"HTTP/1.1 200 OK\r\nname : x\r\n\r\n", "a header is"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "content-length '1, 2'"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "content-length '-1'"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "transfer-encoding 'gzip'"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", "transfer-encoding"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "the size of a chunk"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc", "longer than its size"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * (1 << 17), "a line or a head"),
    ],
)
@pytest.mark.parametrize("step", [1, 1 << 20])
def test_replies_that_are_none(data: bytes, message: str, step: int) -> None:
    with pytest.raises(ServerError, match=message):
        read(ReplyReader(), data, step)


@pytest.mark.parametrize("size", range(len(PLAIN)))
def test_an_end_inside_a_reply(size: int) -> None:
    reader = ReplyReader()
    read(reader, PLAIN[:size], 1 << 20)
    with pytest.raises(ConnectionLost, match="inside the answer" if size else "without an answer"):
        reader.end()


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_events(line_end: bytes) -> None:
    """MLServer's have CR and LF."""
    text = b": hint\n\ndata: {1}\n\ndata: a\r\ndata:b\n\nevent: x\n\ndata: last\n\n"
    text = text.replace(b"\r\n", b"\n").replace(b"\n", line_end)
    expected = [b"{1}", b"a\nb", b"last"]
    assert EventReader().feed(text) == expected
    reader = EventReader()
    assert [event for index in range(len(text)) for event in reader.feed(text[index : index + 1])] == expected


def test_heads_to_the_byte() -> None:
    heads = Heads("host:80", (("user-agent", "a"),))
    for _ in range(2):
        assert heads.render(Call("POST", "/v2", (b"ab",), 2, (("x", "1"),), bool)) == (
            b"POST /v2 HTTP/1.1\r\nHost: host:80\r\nuser-agent: a\r\nx: 1\r\nContent-Length: 2\r\n\r\n"
        )
    assert (
        heads.render(Call("GET", "/v2", (), 0, (), bool))
        == b"GET /v2 HTTP/1.1\r\nHost: host:80\r\nuser-agent: a\r\n\r\n"
    )

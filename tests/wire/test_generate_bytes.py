"""What language models say over a REST connection, to the byte."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from serving import Server


def request(route: bytes, body: bytes) -> bytes:
    """Return a request as a client writes it."""
    head = b"POST /v2/models/mock_llm/%b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    return head % (route, len(body)) + body


def chunk(data: bytes) -> bytes:
    """Return a piece of a body whose length nobody knows."""
    return b"%x\r\n%b\r\n" % (len(data), data)


ANSWER: Final = b'{"model_name":"mock_llm","model_version":"","id":"1","TEXT":"h\xc3\xa9"}'
EVENT: Final = b'data: {"model_name":"mock_llm","model_version":"","TEXT":"h\xc3\xa9"}\n\n'
STREAM: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
CASES: Final = {
    "generate": (
        request(b"generate", b'{"PROMPT": "h\\u00e9", "STREAM": false, "id": "1"}'),
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 66\r\n\r\n" + ANSWER,
    ),
    "generate_stream": (
        request(b"generate_stream", b'{"PROMPT": "h\xc3\xa9", "STREAM": true, "REPETITION": 2}'),
        STREAM + chunk(EVENT) * 2 + chunk(b""),
    ),
    "an error behind an event": (
        request(b"generate_stream", b'{"PROMPT": "h\xc3\xa9", "STREAM": true, "FAIL_LAST": true}'),
        STREAM + chunk(EVENT) + chunk(b'data: {"error":"An Error Occurred"}\n\n') + chunk(b""),
    ),
    "no event": (
        request(b"generate_stream", b'{"PROMPT": "", "STREAM": true, "REPETITION": 0}'),
        STREAM + chunk(b""),
    ),
}


@pytest.mark.parametrize("piecewise", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_these_bytes_are_answered_with_those(server: Server, case: str, piecewise: bool) -> None:
    """Sent whole, or byte by byte; the connection is left in order for the next request."""
    sent, expected = CASES[case]
    with socket.create_connection(("127.0.0.1", server.http_port), 60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(2):
            for piece in [sent[at : at + 1] for at in range(len(sent))] if piecewise else [sent]:
                connection.sendall(piece)
            got = b""
            while len(got) < len(expected) and (more := connection.recv(len(expected) - len(got))):
                got += more
            assert got == expected

"""Servers that refuse, close, die, dawdle or talk nonsense, as literal bytes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
from client_kinds import KINDS
from serving import PATIENCE

from srv.client import ConnectError, ConnectionLost, Retry, ServerError
from srv.errors import DeadlineExceeded, InvalidInput, RequestTooLarge, SrvError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def http(status: str, body: bytes) -> bytes:
    """Return a reply."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


LIVE: Final = http("200 OK", b"{}")
BUSY: Final = http("503 Service Unavailable", b'{"error":"later"}')
ANSWER: Final = b'{"model_name":"m","outputs":[{"name":"y","datatype":"INT8","shape":[1],"data":[7]}]}'
FINE: Final = http("200 OK", ANSWER)
AT_ONCE: Final = Retry(attempts=3, delay=0, max_delay=0)


class Script:
    """A server that plays one scene for each connection, and counts the requests that it reads."""

    def __init__(self, *scenes: Callable[[Script, socket.socket], None]) -> None:
        self.requests: list[bytes] = []
        self._scenes = scenes
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE)
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _play(self) -> None:
        for scene in self._scenes:
            connection, _ = self._listener.accept()
            with connection:
                connection.settimeout(PATIENCE)
                scene(self, connection)

    def read(self, connection: socket.socket) -> bytes:
        """Read a request."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(1 << 16)
            if not piece:
                return data
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        lines = [line.partition(b": ") for line in head.split(b"\r\n")]
        size = next((int(value) for name, _, value in lines if name == b"Content-Length"), 0)
        while len(body) < size:
            body += connection.recv(1 << 16)
        self.requests.append(data)
        return data

    def close(self) -> None:
        self._listener.close()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


def answers(*replies: bytes) -> Callable[[Script, socket.socket], None]:
    """Answer one request after the other on a connection, and close it when there is nothing left."""

    def scene(script: Script, connection: socket.socket) -> None:
        for reply in replies:
            script.read(connection)
            connection.sendall(reply)

    return scene


def waits(script: Script, connection: socket.socket) -> None:
    """Read a request, and answer nothing until the client has gone."""
    script.read(connection)
    with contextlib.suppress(OSError):
        connection.recv(1)


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    with contextlib.ExitStack() as stack:

        def start(*scenes: Callable[[Script, socket.socket], None], **options: Any) -> tuple[Any, Script]:
            script = Script(*scenes)
            stack.callback(script.close)
            client = KINDS[request.param](script.url, **{"retry": AT_ONCE, "timeout": PATIENCE, **options})
            stack.callback(client.close)
            return client, script

        yield start


def ask(client: Any, **options: Any) -> Any:
    return client.infer("m", {"x": np.ones(2, np.int8)}, **options)["y"].tolist()


def test_503_is_tried_again_as_often_as_is_said(make: Any) -> None:
    client, script = make(answers(BUSY, BUSY, FINE))
    assert ask(client) == [7]
    assert len(script.requests) == 3
    client, script = make(answers(BUSY, BUSY, BUSY))
    with pytest.raises(Unavailable, match=r"^later") as found:
        ask(client)
    assert found.value.status_code == 503
    assert len(script.requests) == 3
    client, script = make(answers(BUSY), retry=Retry(attempts=1))
    with pytest.raises(Unavailable):
        ask(client)
    assert len(script.requests) == 1


def test_inference_is_not_repeated_when_its_answer_is_lost(make: Any) -> None:
    for reply in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"):
        client, script = make(answers(reply))
        with pytest.raises(ConnectionLost) as found:
            ask(client)
        assert found.value.begun
        assert len(script.requests) == 1


def test_it_is_where_the_caller_says_so(make: Any) -> None:
    client, script = make(answers(b""), answers(FINE), retry=Retry(attempts=2, delay=0, repeat_inference=True))
    assert ask(client) == [7]
    assert len(script.requests) == 2


def test_what_may_come_twice_is_repeated(make: Any) -> None:
    client, script = make(answers(b""), answers(LIVE))
    assert client.is_live()
    assert len(script.requests) == 2


def test_a_connection_is_used_again_until_it_is_closed(make: Any) -> None:
    closing = FINE.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    client, script = make(answers(FINE, FINE, closing), answers(FINE))
    assert [ask(client) for _ in range(4)] == [[7]] * 4
    assert len(script.requests) == 4


def test_a_request_that_is_refused_before_it_is_read(make: Any) -> None:
    def refuse(script: Script, connection: socket.socket) -> None:
        script.requests.append(connection.recv(1000))
        connection.sendall(http("413 Too Large", b'{"error":"too much"}'))
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 16):
            pass

    client, script = make(refuse)
    with pytest.raises((RequestTooLarge, SrvError)):
        client.infer("m", {"x": np.zeros(1 << 22, np.int8)})
    assert len(script.requests) == 1


def test_a_slow_server(make: Any) -> None:
    client, script = make(waits, answers(FINE))
    with pytest.raises(DeadlineExceeded, match=r"no answer within 0.2 s \(timeout\)"):
        ask(client, timeout=0.2)
    assert ask(client) == [7]
    assert len(script.requests) == 2


def test_a_server_that_dribbles(make: Any) -> None:
    """The timeout is that of the whole call, and not of each byte."""

    def dribble(script: Script, connection: socket.socket) -> None:
        script.read(connection)
        gone = threading.Event()
        with contextlib.suppress(OSError):
            for byte in FINE * 1000:
                connection.sendall(bytes([byte]))
                gone.wait(0.02)

    client, _ = make(dribble)
    with pytest.raises(DeadlineExceeded):
        ask(client, timeout=0.3)


def test_no_server(make: Any) -> None:
    client, script = make()
    script.close()
    with pytest.raises(ConnectError, match=r"^no connection to http://127.0.0.1:\d+: .*(refused|failed)"):
        ask(client)


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        (http("400 Bad", b'{"error":"bad"'), InvalidInput, "status 400"),
        (http("400 Bad", b'{"error":"bad"}'), InvalidInput, r"^bad"),
        (http("422 No", b'{"detail":"no"}'), InvalidInput, r"^no"),
        (http("502 Bad Gateway", b"<html>"), ServerError, "status 502: <html>"),
        (http("201 Created", b"{}"), ServerError, "status 201"),
        (http("500 Oh", b""), ServerError, "status 500"),
        (http("401 Oh", b""), ServerError, "status 401"),
        (b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n", ServerError, "does not speak HTTP/1.1"),
    ],
)
def test_answers_that_are_errors(make: Any, reply: bytes, error: type[SrvError], message: str) -> None:
    client, _ = make(answers(reply))
    with pytest.raises(error, match=message) as found:
        ask(client)
    if b"HTTP" in reply:
        assert found.value.status_code == int(reply[9:12])


def test_metadata_that_is_no_json(make: Any) -> None:
    client, _ = make(answers(http("200 OK", b"{"), LIVE))
    with pytest.raises(ServerError, match="no JSON"):
        client.server_metadata()
    with pytest.raises(ServerError, match="name"):
        client.server_metadata()


def test_metadata_of_other_servers(make: Any) -> None:
    """MLServer and Triton leave out, or make null, what they do not know."""
    bodies = (
        b'{"name":"m","platform":"","inputs":[{"name":"x","datatype":"FP32","shape":[-1,4],"parameters":null}],"new":1}',
        b'[{"name":"a"},{"name":"b","version":"1","state":"READY","reason":""}]',
    )
    client, _ = make(answers(*(http("200 OK", each) for each in bodies)))
    metadata = client.model_metadata("m")
    assert (metadata.versions, metadata.outputs, metadata.inputs[0].shape) == ([], [], [-1, 4])
    assert [each.state for each in client.repository_index()] == ["", "READY"]


def test_a_stream_whose_server_dies(make: Any) -> None:
    event = b"data: " + ANSWER + b"\n\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(event) + event + b"\r\n"
    client, script = make(answers(head))
    stream = client.infer_stream("m", {"x": [1]})
    assert next(stream)["y"].tolist() == [7]
    with pytest.raises(ConnectionLost):
        next(stream)
    assert len(script.requests) == 1


def test_a_closed_client_says_so(make: Any) -> None:
    client, _ = make()
    if hasattr(client, "runner"):
        client.runner.run(client.client.aclose())
    else:
        client.close()
    with pytest.raises(InvalidInput, match="closed"):
        ask(client)


def test_events_that_come_while_others_are_read(make: Any) -> None:
    """Nothing of a stream is lost that ends while its first event is in use."""
    events = [b"data: " + ANSWER + b"\n\n" for _ in range(3)]
    chunks = [b"%x\r\n" % len(each) + each + b"\r\n" for each in events]

    def scene(script: Script, connection: socket.socket) -> None:
        script.read(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks[0])
        used.wait(PATIENCE)
        connection.sendall(b"".join(chunks[1:]) + b"0\r\n\r\n")
        said.set()

    for _ in range(5):
        used, said = threading.Event(), threading.Event()
        client, _ = make(scene)
        stream = client.infer_stream("m", {"x": [1]})
        assert next(stream)["y"].tolist() == [7]
        used.set()
        assert said.wait(PATIENCE)
        if hasattr(client, "runner"):
            client.runner.run(asyncio.sleep(0.01))  # the event loop reads meanwhile
        assert [each["y"].tolist() for each in stream] == [[7], [7]]

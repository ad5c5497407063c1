"""A request for inference gets the same answer past ASGI and routing as through them, however it comes."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import logging
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pytest
from fronts import in_memory
from hypothesis import given
from hypothesis import strategies as st
from serving import parse_answer
from tensors import binary_body, json_body
from wires import Front

from srv import Settings
from srv._settings import CORSSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence

    from srv._server import Server
    from wires import Wire

# Litestar's newer way to declare the parameters of a path is not in all the releases that are supported.
pytestmark = pytest.mark.filterwarnings("ignore:.* declared using deprecated inferred style")

LIMIT: Final = 400_000
SETTINGS: Final = Settings(max_request_size=LIMIT)
LAST: Final = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
LAST_ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 26\r\nconnection: close\r\n\r\n"
    b'{"live":true,"ready":true}'
)
JSON: Final = json_body({"x:INT32": np.arange(3, dtype=np.int32)}, id="7")
BINARY, BINARY_HEADERS = binary_body({"x:FP32": np.arange(4, dtype=np.float32)})
LARGE, LARGE_HEADERS = binary_body({"x:INT64": np.arange(20_000, dtype=np.int64)})
LENGTH: Final = "inference-header-content-length"


def post(path: str, body: bytes = JSON, *, line: str = "POST {} HTTP/1.1", **headers: object) -> bytes:
    """Return a request; an underscore in a header's name stands for a dash, and ``None`` leaves a header out."""
    sent: dict[str, object] = {"Host": "x", "Content_Length": len(body), **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in sent.items() if value is not None]
    return "\r\n".join([line.format(path), *lines, "\r\n"]).encode("latin-1") + body


def infer(name: str = "echo", body: bytes = JSON, **headers: object) -> bytes:
    """Return a request for inference."""
    return post(f"/v2/models/{name}/infer", body, **headers)


def binary(body: bytes, sizes: Mapping[str, str], **headers: object) -> bytes:
    """Return a request for inference with binary tensors."""
    return infer(body=body, **sizes, **headers)


def chunked(body: bytes, size: int) -> bytes:
    """Return a request for inference in chunks."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])
    return post("/v2/models/echo/infer", b"", Content_Length=None, Transfer_Encoding="chunked") + chunks


PACKED: Final = gzip.compress(JSON, mtime=0)
GOOD: Final = {
    "json": infer(),
    "binary": binary(BINARY, BINARY_HEADERS),
    "large": binary(LARGE, LARGE_HEADERS),
    "headers both ways": infer(X_Sent="a b", Accept="*/*", Content_Type="text/plain", X_Latin="\xe9\xff"),
    "no host": infer(Host=None),
    "two of one header": infer(X_Sent="a\r\nX-Sent: b"),
    "keep-alive": infer(Connection="keep-alive"),
    "gzip": infer(body=PACKED, Content_Encoding="gzip"),
    "gzip back": infer(Accept_Encoding="gzip"),
    "gzip back, binary": binary(BINARY, BINARY_HEADERS, Accept_Encoding="deflate;q=0.5, gzip;q=0"),
    "any origin": infer(Origin="http://a.example"),
    "an encoding that is none": infer(Content_Encoding="identity"),
    "zeros before the length": infer(Content_Length=f"000{len(JSON)}"),
    "a refusal of the model": infer("refusing"),
    "a fault of the model": infer("broken"),
    "an unknown model": infer("nobody"),
    "an unknown model, large": infer("nobody", b" " * 70_000),
    "an unknown version": infer("echo/versions/7"),
    "a name with dots and dashes": infer("a.b-c_d~e"),
    "a stream's model": infer("breaking"),
    "no json": infer(body=b"nonsense"),
    "no json, large": infer(body=b"{" * 90_000),
    "a wrong count": infer(body=b'{"inputs":[{"name":"x","shape":[2],"datatype":"INT8","data":[1]}]}'),
    "no inputs": infer(body=b"{}"),
    "not utf-8": infer(body=b'{"id":"\xff","inputs":[]}'),
    "another encoding": infer(Content_Encoding="br"),
    "no gzip": infer(Content_Encoding="gzip"),
    "a bomb": infer(body=gzip.compress(bytes(LIMIT + 1), mtime=0), Content_Encoding="gzip"),
    "a header length beyond the body": infer(**{LENGTH: "9999"}),
    "a header length that is none": infer(**{LENGTH: "x"}),
    "raw": infer(body=bytes(8), **{LENGTH: "0"}),
    "raw, unknown model": infer("nobody", bytes(8), **{LENGTH: "0"}),
    "the largest": infer(body=JSON + b" " * (LIMIT - len(JSON))),
}
"""Requests that take the short way."""

OTHERS: Final = {
    "an empty body": infer(body=b""),
    "no body": post("/v2/models/echo/infer", b"", Content_Length=None),
    "too large": infer(body=b"x" * (LIMIT + 1)),
    "chunks": chunked(JSON, 20),
    "large chunks": chunked(JSON + b" " * 100_000, 50_000),
    "too many chunks": chunked(bytes(LIMIT + 1), 100_000),
    "an escaped letter": infer("%65cho"),
    "an escaped slash": infer("a%2Fb"),
    "a name beyond ascii": infer("mod%C3%A8le"),
    "dots": infer(".."),
    "no name": infer(""),
    "no version": infer("echo/versions/"),
    "a slash behind": post("/v2/models/echo/infer/"),
    "two slashes": post("/v2//models/echo/infer"),
    "a query": post("/v2/models/echo/infer?a=b"),
    "an absolute target": post("http://x/v2/models/echo/infer"),
    "GET": post("/v2/models/echo/infer", b"", line="GET {} HTTP/1.1"),
    "GET with a body": post("/v2/models/echo/infer", line="GET {} HTTP/1.1"),
    "HEAD": post("/v2/models/echo/infer", b"", line="HEAD {} HTTP/1.1", Content_Length=None),
    "PUT": post("/v2/models/echo/infer", line="PUT {} HTTP/1.1"),
    "OPTIONS": post("/v2/models/echo/infer", b"", line="OPTIONS {} HTTP/1.1"),
    "Expect": infer(Expect="100-continue"),
    "Expect, large": binary(LARGE, LARGE_HEADERS, Expect="100-continue"),
    "Expect something else": infer(Expect="miracles"),
    "an upgrade": infer(Connection="Upgrade", Upgrade="h2c"),
    "metadata": post("/v2/models/echo", b"", line="GET {} HTTP/1.1", Content_Length=None),
}

ENDS: Final = {
    "close": infer(Connection="close"),
    "close, large": binary(LARGE, LARGE_HEADERS, Connection="close"),
    "close, an error": infer("nobody", Connection="close"),
    "HTTP/1.0": infer(line="POST {} HTTP/1.0"),
    "HTTP/1.0, keep-alive": infer(line="POST {} HTTP/1.0", Connection="keep-alive"),
    "no HTTP": b"nonsense\r\n\r\n",
    "a length twice": infer(X="y\r\nContent-Length: 5"),
    "chunks and a length": infer(Transfer_Encoding="chunked"),
    "a length that is none": infer(Content_Length="five"),
    "a length with a sign": infer(Content_Length=f"+{len(JSON)}"),
    "a length beyond all": infer(Content_Length="9" * 30),
    "a line in a header": infer(X="a\nb"),
}
"""Those behind which the connection ends."""

ALL: Final = GOOD | OTHERS | ENDS
Outcome = tuple[bytes, "Mapping[tuple[str, str, str], float]"]


async def converse(front: Front, pieces: Sequence[bytes], *, at_once: bool) -> Outcome:
    """Send pieces and, if that does not end it, a last request; return what comes back, and what has been counted."""
    wire = front.connect()
    for piece in pieces:
        wire.send(piece)
        if not at_once:
            await wire.settle()
    await front.idle()
    wire.send(LAST)
    received = await wire.receive_all()
    await front.idle()
    return received, front.counts()


class Ways(NamedTuple):
    """What came of the same by the short way and by the general way, and how many requests took the short one."""

    short: Any
    general: Any
    taken: int


class Fronts:
    """Two fronts of one server, which differ in the short way alone."""

    def __init__(self, runner: asyncio.Runner, server: Server, **options: Any) -> None:
        self._runner = runner
        self._metrics = server.metrics
        self._faults: list[object] = []
        runner.get_loop().set_exception_handler(lambda _, context: self._faults.append(context))
        server.state.set_started()
        self._short, self._general = (Front(server, short=short, **options) for short in (True, False))

    def both(self, talk: Callable[[Front], Coroutine[Any, Any, Any]]) -> Ways:
        """Do the same with both."""
        before = self._short.taken
        short, general = (self._runner.run(self._one(talk, front)) for front in (self._short, self._general))
        assert "rest_server_requests_in_progress 0.0" in self._metrics.render().decode()
        assert not self._faults
        return Ways(short, general, self._short.taken - before)

    async def _one(self, talk: Callable[[Front], Coroutine[Any, Any, Any]], front: Front) -> Any:
        front.counts()
        return await talk(front)

    def same(self, *pieces: bytes, at_once: bool = False) -> Ways:
        """Say that pieces get the same answers from both, and return them."""
        ways = self.both(lambda front: converse(front, pieces, at_once=at_once))
        assert ways.short == ways.general
        return ways


@contextlib.contextmanager
def serving(settings: Settings = SETTINGS, **options: Any) -> Iterator[Fronts]:
    """Serve with both ways."""
    with asyncio.Runner() as runner:
        models = in_memory(settings)
        server = runner.run(models.__aenter__())
        try:
            yield Fronts(runner, server, **options)
        finally:
            runner.run(models.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def fronts() -> Iterator[Fronts]:
    """Return the fronts of one server for all tests."""
    with serving() as found:
        yield found


@pytest.mark.parametrize("request_", GOOD.values(), ids=GOOD)
def test_requests_for_inference_take_the_short_way_and_get_the_same_answer(fronts: Fronts, request_: bytes) -> None:
    """And the connection stays."""
    ways = fronts.same(request_)
    assert ways.taken == 1
    received, counts = ways.short
    assert received.endswith(LAST_ANSWER)
    answer = parse_answer(received)
    ((method, path, status),) = counts
    assert (method, path.endswith("/infer"), status) == ("POST", True, str(answer.status))


@pytest.mark.parametrize("request_", OTHERS.values(), ids=OTHERS)
def test_requests_that_something_is_special_about_get_the_same_answer(fronts: Fronts, request_: bytes) -> None:
    assert fronts.same(request_).short[0].endswith(LAST_ANSWER)


@pytest.mark.parametrize("request_", ENDS.values(), ids=ENDS)
def test_requests_that_end_the_connection_get_the_same_answer(fronts: Fronts, request_: bytes) -> None:
    received, _ = fronts.same(request_).short
    assert b'"live"' not in received


def cuts(request_: bytes) -> list[int]:
    """Return the places where a request may be cut in a way that matters."""
    head = request_.index(b"\r\n\r\n")
    body, end = head + 4, len(request_)
    places = {1, 5, 8, 20, request_.index(b" HTTP") - 2, request_.index(b"\r\n") + 1, request_.index(b"\r\n") + 2}
    places |= {head - 1, head, head + 1, head + 2, head + 3, body, body + 1, (body + end) // 2, end - 1}
    # So much of a body is received past the parser.
    places |= {end - (1 << 15) - 1, end - (1 << 15), end - (1 << 15) + 1}
    return sorted(place for place in places if 0 < place < end)


CUT: Final = {name: ALL[name] for name in ("json", "binary", "large", "a fault of the model", "close, large", "Expect")}


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
@pytest.mark.parametrize("request_", CUT.values(), ids=CUT)
def test_a_request_in_two_pieces_gets_the_same_answer(fronts: Fronts, request_: bytes, *, at_once: bool) -> None:
    """Cut at every interesting place, with the next request in the packet of the second piece."""
    places = cuts(request_)

    async def talk(front: Front) -> list[Outcome]:
        whole = request_ if b"close" in request_ else request_ + infer(body=JSON, X_Sent="b") + LARGE_REQUEST
        return [await converse(front, [whole[:cut], whole[cut:]], at_once=at_once) for cut in places]

    ways = fronts.both(talk)
    assert ways.short == ways.general
    received = {received for received, _ in ways.short}
    assert len(received) == 1


LARGE_REQUEST: Final = GOOD["large"]


@pytest.mark.parametrize("request_", [*ALL.values()], ids=[*ALL])
def test_a_request_byte_by_byte_gets_the_same_answer(fronts: Fronts, request_: bytes) -> None:
    head = request_.find(b"\r\n\r\n") + 4
    # As many as matter of a large body.
    edge = min(len(request_), head + 300)
    pieces = [request_[place : place + 1] for place in range(edge)]
    ways = fronts.same(*pieces, *([request_[edge:]] if request_[edge:] else []), at_once=True)
    assert ways.short[0] == fronts.same(request_).short[0]


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
@given(data=st.data())
def test_requests_in_any_order_and_pieces_get_the_same_answers(fronts: Fronts, data: st.DataObject, *, at_once: bool) -> None:
    """Whatever stands before and behind them, however it is cut."""
    names = data.draw(st.lists(st.sampled_from([*ALL]), min_size=1, max_size=5))
    whole = b"".join(ALL[name] for name in names)
    ends = np.cumsum([len(ALL[name]) for name in names]).tolist()
    near = st.builds(lambda end, by: end + by, st.sampled_from([0, *ends]), st.integers(-200, 200))
    places = data.draw(st.lists(st.one_of(near, st.integers(0, len(whole))), max_size=6))
    bounds = [0, *sorted(place for place in places if 0 < place < len(whole)), len(whole)]
    pieces = [whole[start:end] for start, end in zip(bounds, bounds[1:], strict=False)]
    fronts.same(*pieces, at_once=at_once)

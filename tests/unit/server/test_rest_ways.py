"""A request for inference gets the same answer past ASGI and routing as through them, however it comes."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
from collections import Counter
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pytest
from fronts import in_memory
from hypothesis import given
from hypothesis import strategies as st
from serving import PATIENCE, parse_answer
from tensors import binary_body, json_body
from wires import Front

from srv import Headers, MLModel, ModelSettings, Settings
from srv._settings import CORSSettings
from srv.types import InferenceResponse, Parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping, Sequence

    from srv._server import Server
    from srv.types import InferenceRequest

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


def post(path: str, body: bytes = JSON, *, line: str = "POST {} HTTP/1.1", **headers: Any) -> bytes:
    """Return a request; an underscore in a header's name stands for a dash, and ``None`` leaves a header out."""
    sent: dict[str, object] = {"Host": "x", "Content_Length": len(body), **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in sent.items() if value is not None]
    return "\r\n".join([line.format(path), *lines, "\r\n"]).encode("latin-1") + body


def infer(name: str = "echo", body: bytes = JSON, **headers: Any) -> bytes:
    """Return a request for inference."""
    return post(f"/v2/models/{name}/infer", body, **headers)


def binary(body: bytes, sizes: Mapping[str, Any], **headers: Any) -> bytes:
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
    "a header length beyond the body": infer(Inference_Header_Content_Length=9999),
    "a header length that is none": infer(Inference_Header_Content_Length="x"),
    "raw": infer(body=bytes(8), Inference_Header_Content_Length=0),
    "raw, unknown model": infer("nobody", bytes(8), Inference_Header_Content_Length=0),
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
    "an empty transfer encoding": infer(Transfer_Encoding=""),
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
Outcome = tuple[bytes, "Mapping[tuple[str, str, str], int]"]


def without_types(outcome: Outcome) -> Outcome:
    """Return an outcome whose routes have no types, which releases of Litestar write or leave out."""
    received, counts = outcome
    merged: Counter[tuple[str, str, str]] = Counter()
    for (method, path, status), count in counts.items():
        merged[method, path.replace(":str", ""), status] += count
    return received, merged


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
    return without_types((received, front.counts()))


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


class Odd(MLModel):
    """Does what the request's id says."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Do it."""
        return await ODDITIES[payload.id]()


async def leave() -> InferenceResponse:
    """End the process, as code that was written for a command may."""
    raise SystemExit(3)


async def cancel() -> InferenceResponse:
    """Cancel the task of the request."""
    asyncio.current_task().cancel()  # type: ignore[union-attr]  # there is one
    await asyncio.sleep(PATIENCE)
    return InferenceResponse()


async def cancelled() -> InferenceResponse:
    """Fail with somebody else's cancellation."""
    raise asyncio.CancelledError


async def sleep() -> InferenceResponse:
    """Take longer than any request may."""
    await asyncio.sleep(PATIENCE)
    return InferenceResponse()


async def send() -> InferenceResponse:
    """Send headers, some of which are the server's own."""
    headers = Headers([("X-Upper", "A"), ("x-two", "a, b"), ("content-type", "text/plain"), ("connection", "close")])
    return InferenceResponse(parameters=Parameters(headers=headers))


async def misspell() -> InferenceResponse:
    """Send a header that would be two."""
    return InferenceResponse(parameters=Parameters(headers=Headers([("x-a", "b\r\nx-c: d")])))


async def group() -> InferenceResponse:
    """Fail in two ways."""
    raise ExceptionGroup("both", [ValueError("a"), KeyError("b")])


async def nothing() -> InferenceResponse:
    """Answer with nothing."""
    return None  # type: ignore[return-value]  # as models do that forget to return


ODDITIES: Final = {each.__name__: each for each in (leave, cancel, cancelled, sleep, send, misspell, group, nothing)}


@contextlib.contextmanager
def serving(settings: Settings = SETTINGS, **options: Any) -> Generator[Fronts]:
    """Serve with both ways."""
    with asyncio.Runner() as runner:
        models = in_memory(settings)
        server = runner.run(models.__aenter__())
        runner.run(server.registry.load(ModelSettings(name="odd", implementation=Odd)))
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


WHOLE: Final = {name: request_ for name, request_ in ALL.items() if name != "an upgrade"}
"""All that may be cut anywhere: an upgrade is left out where it is in one piece, and refused where it is not."""


@pytest.mark.parametrize("request_", WHOLE.values(), ids=WHOLE)
def test_a_request_byte_by_byte_gets_the_same_answer(fronts: Fronts, request_: bytes) -> None:
    head = request_.find(b"\r\n\r\n") + 4
    # As many as matter of a large body.
    edge = min(len(request_), head + 300)
    pieces = [request_[place : place + 1] for place in range(edge)]
    ways = fronts.same(*pieces, *([request_[edge:]] if request_[edge:] else []), at_once=True)
    assert ways.short[0] == fronts.same(request_).short[0]


def test_an_upgrade_in_pieces_is_refused_alike(fronts: Fronts) -> None:
    """The parser takes the request for complete, without the body that its head announces."""
    request_ = ALL["an upgrade"]
    cut = request_.index(b"pgrade: h2c")
    ways = fronts.both(lambda front: begin(front, request_[:cut], request_[cut:]))
    assert ways.short == ways.general


async def begin(front: Front, *pieces: bytes) -> bytes:
    """Send pieces, and return what comes back at once, if the client leaves then."""
    wire = front.connect()
    for piece in pieces:
        wire.send(piece)
        await wire.settle()
    wire.leave()
    await front.idle()
    return wire.received


def test_requests_have_the_same_route_in_the_metrics(fronts: Fronts) -> None:
    async def talk(front: Front) -> Mapping[tuple[str, str, str], int]:
        for name in ("echo", "echo/versions/1"):
            wire = front.connect()
            wire.send(infer(name))
            await front.idle()
            wire.leave()
        return front.counts()

    ways = fronts.both(talk)
    assert ways.short == ways.general


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
@given(data=st.data())
def test_requests_in_any_order_and_pieces_get_the_same_answers(
    fronts: Fronts, data: st.DataObject, *, at_once: bool
) -> None:
    """Whatever stands before and behind them, however it is cut."""
    stay = [name for name in WHOLE if name not in ENDS]
    names = data.draw(st.lists(st.sampled_from(stay), max_size=5))
    # Nothing behind these: how much of it came in one piece would decide which of two refusals they get.
    names.append(data.draw(st.sampled_from([*WHOLE])))
    whole = b"".join(ALL[name] for name in names)
    ends = [0, *accumulate(len(ALL[name]) for name in names)]
    # Most cuts near the ends of requests, where their heads are too.
    places = [
        data.draw(st.sampled_from(ends)) + data.draw(st.integers(-200, 200))
        if data.draw(st.booleans())
        else data.draw(st.integers(0, len(whole)))
        for _ in range(data.draw(st.integers(0, 6)))
    ]
    bounds = [0, *sorted(place for place in places if 0 < place < len(whole)), len(whole)]
    pieces = [whole[start:end] for start, end in pairwise(bounds)]
    fronts.same(*pieces, at_once=at_once)


@pytest.mark.parametrize("settled", [True, False], ids=["after a while", "at once"])
@pytest.mark.parametrize("request_", CUT.values(), ids=CUT)
def test_a_client_that_leaves_anywhere_in_its_request_is_counted_alike(
    fronts: Fronts, request_: bytes, *, settled: bool
) -> None:
    """And leaves nothing behind."""

    async def talk(front: Front) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for cut in [*cuts(request_), len(request_)]:
            wire = front.connect()
            wire.send(request_[:cut])
            if settled:
                await wire.settle()
            wire.leave()
            await front.idle()
            outcomes.append(without_types((wire.received, front.counts())))
        return outcomes

    ways = fronts.both(talk)
    assert ways.short == ways.general


def test_a_client_that_leaves_with_its_answer_unread_is_counted_alike(fronts: Fronts) -> None:
    async def talk(front: Front) -> Outcome:
        wire = front.connect()
        wire.hesitant = True
        wire.send(GOOD["large"])
        await wire.settle()
        wire.leave()
        await front.idle()
        return without_types((b"", front.counts()))

    ways = fronts.both(talk)
    assert ways.short == ways.general


def test_the_next_answer_waits_until_the_one_before_is_read(fronts: Fronts) -> None:
    """At most one answer of a connection waits for a client that does not read."""

    async def talk(front: Front) -> list[int]:
        wire = front.connect()
        wire.hesitant = True
        wire.send(GOOD["large"] * 3)
        await wire.settle()
        seen = [wire.received.count(b"HTTP/1.1")]
        wire.leave()
        await front.idle()
        return seen

    ways = fronts.both(talk)
    assert ways.short == ways.general == [1]


def test_a_stop_in_the_middle_of_a_body_is_answered_alike(fronts: Fronts) -> None:
    """Both of a body that comes past the parser and of one that does not, and the connection ends."""

    async def talk(front: Front) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for request_ in (GOOD["json"], GOOD["large"]):
            wire = front.connect()
            wire.send(request_[:-5])
            await wire.settle()
            front.stop()
            outcomes.append(without_types((await wire.receive_all(), front.counts())))
        return outcomes

    ways = fronts.both(talk)
    assert ways.taken == 2
    assert ways.short == ways.general
    assert [parse_answer(received).status for received, _ in ways.short] == [500, 500]


@pytest.mark.parametrize("name", ODDITIES)
def test_whatever_a_model_does_gets_the_same_answer(fronts: Fronts, name: str) -> None:
    body = json_body({}, id=name, parameters={"timeout": 50_000} if name == "sleep" else {})
    assert fronts.same(infer("odd", body)).taken == 1


ORIGINS: Final = {
    "none": infer(),
    "one that may": infer(Origin="http://a.example"),
    "one that may not": infer(Origin="http://b.example"),
    "one that may, an error": infer("nobody", Origin="http://a.example"),
    "a question before": post(
        "/v2/models/echo/infer",
        b"",
        line="OPTIONS {} HTTP/1.1",
        Origin="http://a.example",
        Access_Control_Request_Method="POST",
    ),
}


def test_pages_of_other_origins_get_the_same_answers() -> None:
    """Whatever their origin may do."""
    cors = CORSSettings(allow_origins=["http://a.example"], allow_methods=["POST"])
    with serving(Settings(cors_settings=cors)) as fronts:
        allowed = [b"access-control-allow-origin" in fronts.same(each).short[0].lower() for each in ORIGINS.values()]
    assert allowed == [False, True, False, True, True]


def test_answers_that_may_not_be_compressed_are_not() -> None:
    with serving(Settings(gzip_enabled=False)) as fronts:
        received, _ = fronts.same(GOOD["gzip back"]).short
    assert b"content-encoding" not in received


def test_numbers_that_json_has_not_are_treated_alike() -> None:
    body, headers = binary_body({"x:FP32": np.array([np.nan], np.float32)}, parameters={"binary_data_output": False})
    for setting in ("error", "null"):
        with serving(Settings(json_nonfinite=setting)) as fronts:
            assert (b" 200 OK" in fronts.same(binary(body, headers)).short[0].split(b"\r\n")[0]) == (setting == "null")


FORWARDED: Final = infer(X_Forwarded_For="203.0.113.9", X_Forwarded_Proto="https")
LOGGED: Final = {
    "good": (infer(), ""),
    "an error": (infer("nobody"), ""),
    "a fault": (infer("broken"), ""),
    "a version": (infer("echo/versions/1"), ""),
    "forwarded": (FORWARDED, ""),
    "behind a proxy": (infer(), "/proxy"),
    "behind a proxy, a version": (infer("echo/versions/1"), "/proxy"),
    "behind a proxy, a fault": (infer("broken"), "/proxy"),
    "behind a proxy, forwarded": (FORWARDED, "/proxy"),
}


@pytest.mark.parametrize(
    ("request_", "root_path"),
    [pytest.param(*each, id=name) for name, each in LOGGED.items()],
)
def test_what_is_logged_is_the_same(caplog: pytest.LogCaptureFixture, request_: bytes, root_path: str) -> None:
    """Who has asked for what, and what was at fault, behind a proxy and without one."""
    caplog.set_level(logging.INFO, "uvicorn.access")

    async def talk(front: Front) -> list[tuple[str, str]]:
        caplog.clear()
        received, _ = await converse(front, [request_], at_once=False)
        return [*((each.name, each.getMessage()) for each in caplog.records), ("answer", received.decode())]

    with serving(root_path=root_path, access_log=True) as fronts:
        ways = fronts.both(talk)
    assert ways.short == ways.general
    assert any(name == "uvicorn.access" for name, _ in ways.short)

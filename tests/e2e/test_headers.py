"""Headers of requests and responses: one table for both protocols, unary and streamed."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_client import SERVICE, Grpc
from http2 import Http2, message
from serving import MODELS, Answer, Server, parse_answer, receive_all, send_raw
from tensors import grpc_outputs, pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from serving import Serve

Pairs = list[tuple[bytes, bytes]]


@pytest.fixture(scope="module")
def headers_server(serve_module: Serve) -> Server:
    """Return a server of models that show and send headers."""
    return serve_module(MODELS / "headers").wait_started()


@pytest.fixture(scope="module")
def client(headers_server: Server) -> Iterator[Grpc]:
    """Return a gRPC client."""
    with Grpc(headers_server) as made:
        yield made


# --- what a runtime sees ----------------------------------------------------------------------------------------


def post(server: Server, path: str, body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> Answer:
    """POST with headers that no proper client would send."""
    lines = [b"POST " + path.encode() + b" HTTP/1.1", b"Host: test", b"Connection: close"]
    lines += [name + b": " + value for name, value in (*headers, (b"Content-Length", b"%d" % len(body)))]
    return parse_answer(receive_all(send_raw(server.http_port, b"\r\n".join(lines) + b"\r\n\r\n" + body)))


def seen_rest(server: Server, model: str, headers: Pairs) -> Any:
    """Return what a model has seen of a REST request."""
    answer = post(server, f"/v2/models/{model}/infer", b'{"inputs": []}', headers)
    assert answer.status == 200, answer.body
    return json.loads(json.loads(answer.body)["outputs"][0]["data"][0])


def seen_sse(server: Server, model: str, headers: Pairs) -> Any:
    """Return what a model has seen of a REST request for a stream."""
    answer = post(server, f"/v2/models/{model}/infer_stream", b'{"inputs": []}', headers)
    assert answer.status == 200, answer.body
    return json.loads(json.loads(answer.body.removeprefix(b"data: "))["outputs"][0]["data"][0])


def seen_grpc(server: Server, model: str, headers: Pairs) -> Any:
    """Return what a model has seen of a gRPC call."""
    return _seen_http2(server, model, headers, "ModelInfer")


def seen_grpc_stream(server: Server, model: str, headers: Pairs) -> Any:
    """Return what a model has seen of a request of a gRPC stream."""
    return _seen_http2(server, model, headers, "ModelStreamInfer")


def _seen_http2(server: Server, model: str, headers: Pairs, method: str) -> Any:
    with Http2(server.ports["gRPC"]) as http2:
        stream = http2.open(SERVICE + method, [(name.lower(), value) for name, value in headers])
        http2.send(stream, message(pb.ModelInferRequest(model_name=model).SerializeToString()))
        assert http2.status(stream) == (0, "")
        data = bytes(http2.data[stream])[5:]
    if method == "ModelInfer":
        response = pb.ModelInferResponse.FromString(data)
    else:
        response = pb.ModelStreamInferResponse.FromString(data).infer_response
    return json.loads(grpc_outputs(response)["seen"].ravel()[0])


WAYS = [
    pytest.param(seen_rest, "seen", id="rest"),
    pytest.param(seen_rest, "seen_args", id="rest-decode_args"),
    pytest.param(seen_sse, "seen", id="rest-stream"),
    pytest.param(seen_grpc, "seen", id="grpc"),
    pytest.param(seen_grpc, "seen_args", id="grpc-decode_args"),
    pytest.param(seen_grpc_stream, "seen", id="grpc-stream"),
]

SEEN = {
    # what is sent -> what the runtime sees under x-h, over REST and over gRPC
    "one": ([(b"X-H", b"a b")], "a b", "a b"),
    "repeated": ([(b"x-h", b"a"), (b"X-H", b"b, c")], "a, b, c", "a, b, c"),
    "empty": ([(b"x-h", b"")], "", ""),
    "beyond ASCII": ([(b"x-h", b"caf\xe9")], "caf\xe9", "caf\xe9"),
    "UTF-8": ([(b"x-h", "é".encode())], "Ã©", "Ã©"),
}
SEEN_OF_NAME: dict[str, tuple[str, Pairs, str | None, str | None]] = {
    "cookies": ("cookie", [(b"cookie", b"a=1"), (b"cookie", b"b=2")], "a=1; b=2", "a=1; b=2"),
    "user-agent": ("user-agent", [(b"User-Agent", b"t/1")], "t/1", "t/1"),
    "binary": ("x-bin", [(b"x-bin", b"AP8=")], "AP8=", "AP8="),
    "binary without padding": ("x-bin", [(b"x-bin", b"AP8")], "AP8", "AP8="),
    "binary twice": ("x-bin", [(b"x-bin", b"AP8="), (b"x-bin", b"AQ==")], "AP8=, AQ==", "AP8=, AQ=="),
    "binary behind a comma": ("x-bin", [(b"x-bin", b"AP8=, AQ==")], "AP8=, AQ==", "AP8=, AQ=="),
    "binary without padding twice": ("x-bin", [(b"x-bin", b"AP8,AQ")], "AP8,AQ", "AP8=, AQ=="),
    "binary, empty": ("x-bin", [(b"x-bin", b"")], "", ""),
    "binary in base64's own signs": ("x-bin", [(b"x-bin", b"+/+/")], "+/+/", "+/+/"),
    "te": ("te", [], None, None),
    "grpc-timeout": ("grpc-timeout", [(b"grpc-timeout", b"60S")], "60S", None),
    ":path": (":path", [], None, None),
    "an event's": ("ce-specversion", [], None, None),
}


@pytest.mark.parametrize(("way", "model"), WAYS)
@pytest.mark.parametrize(("sent", "rest", "over_grpc"), SEEN.values(), ids=SEEN)
def test_a_header_is_seen(headers_server: Server, way: Any, model: str, sent: Pairs, rest: str, over_grpc: str) -> None:
    """Over both protocols, by every kind of runtime: MLServer gives the first value over REST, the last over gRPC."""
    found = way(headers_server, model, sent)
    assert found["x-h"] == (rest if way in {seen_rest, seen_sse} else over_grpc)
    assert found.keys() == {name.lower() for name in found}
    assert not [name for name in found if name.startswith("ce-")]


@pytest.mark.parametrize("way", [seen_rest, seen_grpc], ids=["rest", "grpc"])
@pytest.mark.parametrize(("name", "sent", "rest", "over_grpc"), SEEN_OF_NAME.values(), ids=SEEN_OF_NAME)
def test_a_header_of_a_certain_name_is_seen(
    headers_server: Server, way: Any, name: str, sent: Pairs, rest: str | None, over_grpc: str | None
) -> None:
    """What frames a gRPC call is no header of the request; nothing is made up, as MLServer does for CloudEvents."""
    assert way(headers_server, "seen", sent).get(name) == (rest if way is seen_rest else over_grpc)


def test_set_cookie_in_a_request_cannot_come_twice(headers_server: Server) -> None:
    """It means nothing there, and its values cannot be joined."""
    twice: Pairs = [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    answer = post(headers_server, "/v2/models/seen/infer", b'{"inputs": []}', twice)
    assert (answer.status, "set-cookie cannot be given twice" in answer.error()) == (400, True)
    with Http2(headers_server.ports["gRPC"]) as http2:
        status, text = http2.call(message(pb.ModelInferRequest(model_name="seen").SerializeToString()), extra=twice)
    assert (status, "set-cookie cannot be given twice" in text) == (3, True)


@pytest.mark.parametrize("path", ["infer", "infer_stream"])
def test_what_a_client_writes_into_the_field_is_replaced(headers_server: Server, path: str) -> None:
    """The runtime may trust what it sees."""
    body = json.dumps({"parameters": {"headers": {"x-user": "root", "x-h": "b"}}, "inputs": []}).encode()
    answer = post(headers_server, f"/v2/models/seen/{path}", body, [(b"x-h", b"a")])
    found = json.loads(json.loads(answer.body.removeprefix(b"data: "))["outputs"][0]["data"][0])
    assert (found["x-h"], "x-user" in found) == ("a", False)


def test_what_a_client_writes_into_a_parameter_is_no_header(client: Grpc) -> None:
    """Over gRPC, in a call and in a stream."""
    request = pb.ModelInferRequest(model_name="seen")
    request.parameters["headers"].string_param = "x-user: root"
    (streamed,) = client.stream([request])
    for response in (client.infer(request), streamed.infer_response):
        assert "x-user" not in grpc_outputs(response)["seen"][0].decode()


# --- what a runtime sends ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Got:
    """A response: its status, the text of an error, and the values of each header."""

    status: object
    text: str
    headers: dict[str, list[str]]


def body_of(items: object) -> bytes:
    return json.dumps({"parameters": {"items": json.dumps(items)}, "inputs": []}).encode()


def get_rest(server: Server, items: object, path: str = "infer") -> Got:
    answer = post(server, f"/v2/models/send/{path}", body_of(items))
    text = answer.error() if answer.status >= 400 else ""
    if not text:
        assert b"x-h" not in answer.body
    names = {name.lower() for name in answer.headers}
    return Got(answer.status, text, {name: answer.headers.get_all(name, []) for name in names})


def get_grpc(client: Grpc, items: object) -> Got:
    request = pb.ModelInferRequest(model_name="send")
    request.parameters["items"].string_param = json.dumps(items)
    return _finish(client.start(request))


def get_grpc_stream(client: Grpc, items: object, count: int = 1) -> Got:
    request = pb.ModelInferRequest(model_name="send")
    request.parameters["items"].string_param = json.dumps(items)
    call = client.stream([request] * count)
    texts = [each.error_message for each in call]
    return Got(call.code().name, "".join(texts), _metadata(call))


def _finish(call: Any) -> Got:
    try:
        call.result()
    except grpc.RpcError:
        return Got(call.code().name, call.details(), _metadata(call))
    return Got(call.code().name, "", _metadata(call))


def _metadata(call: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in call.trailing_metadata() or ():
        found.setdefault(name, []).append(base64.b64encode(value).decode() if isinstance(value, bytes) else value)
    return found


_SIGNS = "".join(map(chr, range(0x21, 0x7F)))
_COOKIE = "a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT"
_DATE = "Sun, 22 Nov 2026 12:00:00 GMT"

SENT: dict[str, tuple[str, str, list[str], list[str]]] = {
    # name, value -> the values of the header over REST, and over gRPC (bytes as base64)
    "one": ("x-h", "a b", ["a b"], ["a b"]),
    "in capitals": ("X-H", "v", ["v"], ["v"]),
    "spaces around": ("x-h", " v ", ["v"], ["v"]),
    "every sign": ("x-h", _SIGNS, [_SIGNS], [_SIGNS]),
    "empty": ("x-h", "", [""], []),
    "binary": ("x-h-bin", "AP8=", ["AP8="], ["AP8="]),
    "binary without padding": ("x-h-bin", "AP8", ["AP8"], ["AP8="]),
    "binary twice": ("x-h-bin", "AP8, AQ==", ["AP8, AQ=="], ["AP8=", "AQ=="]),
    "a cookie": ("set-cookie", _COOKIE, [_COOKIE], [_COOKIE]),
    "date": ("date", _DATE, [_DATE], [_DATE]),
    "server": ("server", "mine", ["mine"], ["mine"]),
    "nearly as large as may be": ("x-h", "v" * 7900, ["v" * 7900], ["v" * 7900]),
}


@pytest.mark.parametrize(("name", "value", "rest", "over_grpc"), SENT.values(), ids=SENT)
def test_a_header_is_sent(
    headers_server: Server, client: Grpc, name: str, value: str, rest: list[str], over_grpc: list[str]
) -> None:
    """In the head of an HTTP response, also of a stream's, and in a gRPC call's trailing metadata; not in the body."""
    items = [[[name, value]]]
    for path in ("infer", "infer_stream"):
        found = get_rest(headers_server, items, path)
        assert (found.status, found.headers.get(name.lower(), [])) == (200, rest)
    for found in (get_grpc(client, items), get_grpc_stream(client, items)):
        assert (found.status, found.text, found.headers.get(name.lower(), [])) == ("OK", "", over_grpc)


@pytest.mark.parametrize(
    "name",
    [
        "connection",
        "content-encoding",
        "content-length",
        "Content-Type",
        "grpc-message",
        "grpc-status",
        "inference-header-content-length",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ],
)
def test_what_frames_the_message_is_the_servers_own(headers_server: Server, client: Grpc, name: str) -> None:
    """It is left out, with a warning; MLServer lets a runtime put in another type."""
    items = [[[name, "7"], ["x-h", "v"]]]
    for found in (get_rest(headers_server, items), get_rest(headers_server, items, "infer_stream")):
        assert (found.status, found.headers["x-h"]) == (200, ["v"])
        assert "7" not in found.headers.get(name.lower(), [])
    for found in (get_grpc(client, items), get_grpc_stream(client, items)):
        assert (found.status, found.headers["x-h"], name.lower() in found.headers) == ("OK", ["v"], False)
    assert f"response header {name.lower()!r} is the server's own, and is left out" in headers_server.log


REFUSED: dict[str, list[list[str]]] = {
    "a line break": [["x-h", "a\r\nset-cookie: b"]],
    "a line feed": [["x-h", "a\nb"]],
    "NUL": [["x-h", "a\0b"]],
    "a tab": [["x-h", "a\tb"]],
    "beyond ASCII": [["x-h", "é"]],
    "no name": [["", "v"]],
    "a name with a space": [["x h", "v"]],
    "a name with a colon": [["x:h", "v"]],
    "a name with a line break": [["x-h: v\r\ny", "v"]],
    "a pseudo-header": [[":status", "200"]],
    "a name beyond ASCII": [["ä", "v"]],
    "binary that is no base64": [["x-h-bin", "%"]],
    "binary that is cut off": [["x-h-bin", "A"]],
    "too large": [["x-h", "v" * 8000]],
    "too large together": [[f"x-{number}", "v" * 1000] for number in range(8)],
    "too many": [[f"x-{number}", ""] for number in range(65)],
    "a megabyte": [["x-h", "v" * 1_000_000]],
}


@pytest.mark.parametrize("pairs", REFUSED.values(), ids=REFUSED)
def test_a_header_that_cannot_be_sent_is_the_runtimes_error(
    headers_server: Server, client: Grpc, pairs: list[list[str]]
) -> None:
    """Nothing is split, cut off or broken by it, and the server goes on."""
    for found in (get_rest(headers_server, [pairs]), get_rest(headers_server, [pairs], "infer_stream")):
        assert (found.status, "model 'send'" in found.text, "response header" in found.text) == (500, True, True)
        assert not {"x-h", "set-cookie", "y"} & found.headers.keys()
    found = get_grpc(client, [pairs])
    assert (found.status, "response header" in found.text, found.headers) == ("INTERNAL", True, {})
    streamed = get_grpc_stream(client, [pairs])
    assert (streamed.status, "response header" in streamed.text, streamed.headers) == ("OK", True, {})
    assert get_grpc(client, [[["x-h", "v"]]]).headers == {"x-h": ["v"]}


def test_the_headers_of_a_stream(headers_server: Server, client: Grpc) -> None:
    """Over REST those of the first response; over gRPC those of all: of a name the last."""
    items = [[["x-a", "1"], ["cache-control", "max-age=5"]], [["x-a", "2"], ["x-b", "3"]], []]
    rest = get_rest(headers_server, items, "infer_stream").headers
    assert (rest["x-a"], "x-b" in rest, rest["cache-control"]) == (["1"], False, ["max-age=5"])
    assert get_rest(headers_server, [[]], "infer_stream").headers["cache-control"] == ["no-cache"]
    assert get_grpc_stream(client, items, 2).headers == {"x-a": ["2"], "x-b": ["3"], "cache-control": ["max-age=5"]}


def test_the_headers_of_a_grpc_stream_are_bounded_together(client: Grpc) -> None:
    """The response that brings too many is an error, and those before it stand."""
    items = [[[f"x-{number}", "v" * 3000]] for number in range(3)]
    found = get_grpc_stream(client, items)
    assert (found.status, "expected at most 64, of 8000 bytes" in found.text) == ("OK", True)
    assert found.headers.keys() == {"x-0", "x-1"}


def test_the_headers_of_a_stream_in_mlservers_dialect(serve: Serve) -> None:
    """All of them, where MLServer sends those of the last response alone."""
    server = serve(MODELS / "headers", grpc_stream_dialect="mlserver").wait_started()
    request = pb.ModelInferRequest(model_name="send")
    request.parameters["items"].string_param = json.dumps([[["x-a", "1"], ["x-b", "2"]], [["x-a", "3"]]])
    with Grpc(server) as client:
        call = client.stream([request])
        list(call)
        assert _metadata(call) == {"x-a": ["3"], "x-b": ["2"]}


def test_two_cookies_are_refused_where_the_runtime_makes_them(serve: Serve) -> None:
    """A comma stands within their values, so that one header cannot hold two."""
    server = serve(MODELS / "headers").wait_started()
    server.faults_expected = True
    found = get_rest(server, [[["set-cookie", "a=1"], ["Set-Cookie", "b=2"]]])
    assert (found.status, found.text) == (500, "internal server error")
    assert "TypeError: headers: set-cookie cannot be given twice" in server.log

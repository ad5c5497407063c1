"""1.1: the endpoints of REST, and how they are found."""

from __future__ import annotations

import json
import shutil
import socket
from typing import TYPE_CHECKING

import pytest
import tritonclient.http as triton
from serving import MODELS, PATIENCE, Rest, parse_answer, receive_all, send_raw
from tensors import SAMPLES, json_body, rest_outputs, same

from srv import Settings
from srv.rest._http import HttpServer

if TYPE_CHECKING:
    from pathlib import Path

    from serving import Serve, Server

INFER = "/v2/models/identity/infer"
X = json_body({"x:INT32": SAMPLES["INT32"]})


@pytest.mark.parametrize(
    ("method", "path", "members"),
    [
        ("GET", "/v2/health/live", {"live", "ready"}),
        ("GET", "/v2/health/ready", {"live", "ready"}),
        ("GET", "/v2", {"name", "version", "extensions"}),
        ("GET", "/v2/models", {"models"}),
        ("GET", "/v2/models/declared", {"name", "versions", "platform", "inputs", "outputs"}),
        ("GET", "/v2/models/versions/versions/2", {"name", "versions", "platform", "inputs", "outputs"}),
        ("GET", "/v2/models/identity/ready", {"name", "ready"}),
        ("GET", "/v2/models/versions/versions/2/ready", {"name", "ready"}),
        ("POST", INFER, {"model_name", "outputs"}),
        ("POST", "/v2/models/versions/versions/2/infer", {"model_name", "model_version", "outputs"}),
        ("POST", "/v2/repository/models/same_two/load", {"name", "load"}),
    ],
)
def test_1_1_an_endpoint_answers_with_these_members(server: Server, method: str, path: str, members: set[str]) -> None:
    """The union of what OIP, Triton, KServe and MLServer have."""
    with server.rest() as rest:
        answer = rest.request(method, path, X if method == "POST" and path.endswith("infer") else b"")
    assert (answer.status, answer.type) == (200, "application/json")
    content = answer.json()
    assert isinstance(content, dict)
    assert set(content) == members


def test_1_1_the_index_is_a_list_and_needs_no_body(server: Server) -> None:
    """Tritonclient sends none, where MLServer would answer 422."""
    content = server.post("/v2/repository/index").json()
    assert isinstance(content, list)
    assert {"name": "identity", "state": "READY"} in content


def test_1_1_infer_stream_answers_with_events(server: Server) -> None:
    """MLServer's route; an event is one response."""
    answer = server.post("/v2/models/identity/infer_stream", X)
    assert (answer.status, (answer.type or "").partition(";")[0]) == (200, "text/event-stream")
    assert json.loads(answer.body.removeprefix(b"data: "))["model_name"] == "identity"


@pytest.mark.parametrize("path", ["", "/ready", "/config"])
def test_1_1_an_unknown_model_or_version_is_404(server: Server, path: str) -> None:
    """In Triton's words."""
    answer = server.get(f"/v2/models/nobody{path}")
    assert (answer.status, answer.error()) == (404, "Request for unknown model: 'nobody' is not found")
    answer = server.get(f"/v2/models/identity/versions/9{path}")
    assert (answer.status, answer.error()) == (404, "Request for unknown model: 'identity' version 9 is not found")


def test_1_1_a_server_with_a_model_that_failed_is_not_ready(serve: Serve, tmp_path: Path) -> None:
    """503, as in KServe; alive it is."""
    shutil.copytree(MODELS / "shared" / "identity", tmp_path / "identity")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "model-settings.json").write_text('{"name": "broken", "implementation": "x.Y"}', "utf-8")
    server = serve(tmp_path).wait_started()
    answer = server.get("/v2/health/ready")
    assert (answer.status, answer.error()) == (503, "the server is not ready")
    content = answer.json()
    assert isinstance(content, dict)
    assert content["ready"] is False
    assert server.get("/v2/health/live").status == 200
    assert server.get("/v2/models/broken/ready").status == 503


@pytest.mark.parametrize("path", ["index", "models/identity/load", "models/identity/unload"])
def test_1_1_a_repository_with_a_name_is_501(server: Server, path: str) -> None:
    """As in Triton: there is one repository."""
    answer = server.post(f"/v2/repository/mine/{path}", {})
    assert (answer.status, answer.error()) == (501, "'repository_name' specification is not supported")
    assert server.get("/v2/models/identity/ready").status == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", INFER, {"POST", "OPTIONS"}),
        ("PUT", INFER, {"POST", "OPTIONS"}),
        ("POST", "/v2", {"GET", "OPTIONS"}),
        ("DELETE", "/v2/models/identity", {"GET", "OPTIONS"}),
        ("GET", "/v2/repository/index", {"POST", "OPTIONS"}),
    ],
)
def test_1_1_another_verb_is_405_and_learns_the_right_one(
    server: Server, method: str, path: str, allowed: set[str]
) -> None:
    """With Triton's text."""
    with server.rest() as rest:
        answer = rest.request(method, path)
    assert (answer.status, answer.error()) == (405, "Method Not Allowed")
    assert set((answer.headers["allow"] or "").split(", ")) == allowed


def test_1_1_an_unknown_path_is_404(server: Server) -> None:
    """With Triton's text, whatever the verb."""
    for method in ("GET", "POST", "PATCH"):
        with server.rest() as rest:
            answer = rest.request(method, "/v2/nothing/of/the/kind")
        assert (answer.status, answer.error()) == (404, "Not Found")


def test_1_1_head_has_no_body_and_options_names_the_verbs(server: Server) -> None:
    """HEAD is refused as Triton does it; the connection stays in step."""
    with server.rest() as rest:
        answer = rest.request("HEAD", "/v2/health/live")
        assert (answer.status, answer.body) == (405, b"")
        answer = rest.request("OPTIONS", INFER)
        assert (answer.status, answer.body) == (204, b"")
        assert {each.strip() for each in answer.headers["allow"].split(",")} == {"OPTIONS", "POST"}
        assert rest.request("GET", "/v2/health/live").status == 200


@pytest.mark.parametrize("path", ["/v2/models/identity", "/v2/models/ident%69ty", "/v2/models/identity/"])
@pytest.mark.parametrize("query", ["", "?", "?a=1&a=2", "?name=nobody&version=9", "?%FF=%00"])
def test_1_1_escapes_are_undone_and_queries_are_ignored(server: Server, path: str, query: str) -> None:
    """The path alone says which model."""
    content = server.get(path + query).json()
    assert isinstance(content, dict)
    assert content["name"] == "identity"


@pytest.mark.parametrize(
    "path", ["a%2Fb", "a%2fb/ready", "identity%2Fready", "%2e%2e", "%252e%252e%252fetc", "identity%00", "%FF%FE", "%zz"]
)
def test_1_1_an_escape_never_leads_elsewhere(server: Server, path: str) -> None:
    """A slash in a name is no part of a route, and nothing is undone twice."""
    answer = server.get(f"/v2/models/{path}")
    assert answer.error()
    assert answer.status in {400, 404}


def test_1_1_a_name_with_a_space_is_found(serve: Serve, tmp_path: Path) -> None:
    """Tritonclient writes it as %20."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model-settings.json").write_text('{"name": "a b", "implementation": "models.Nothing"}', "utf-8")
    (folder / "models.py").write_text(
        "from srv import MLModel\nclass Nothing(MLModel):\n    async def predict(self, payload): ...\n", "utf-8"
    )
    server = serve(tmp_path).wait_started()
    with triton.InferenceServerClient(server.http_address) as client:
        assert client.get_model_metadata("a b")["name"] == "a b"
        assert client.is_model_ready("a b")


def test_1_1_a_body_may_come_in_chunks(server: Server) -> None:
    """Without a content-length, and with extensions and trailers of the chunks."""
    half = len(X) // 2
    chunks = b"".join(b"%x;a=b\r\n%b\r\n" % (len(piece), piece) for piece in (X[:half], X[half:]))
    head = (
        b"POST /v2/models/identity/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    data = head + chunks + b"0\r\nX-Trailer: 1\r\n\r\n"
    answer = parse_answer(receive_all(send_raw(server.http_port, data)))
    assert same(rest_outputs(answer)["x"], SAMPLES["INT32"])


def test_1_1_http_1_0_is_served(server: Server) -> None:
    """Old proxies speak it."""
    with Rest(server.http_port) as rest:
        rest.connection._http_vsn, rest.connection._http_vsn_str = 10, "HTTP/1.0"  # type: ignore[attr-defined]
        assert rest.request("POST", INFER, X).status == 200


def test_1_1_a_client_that_expects_100_is_told_to_continue(server: Server) -> None:
    """Curl asks before it sends a large body, and waits for the answer."""
    head = b"POST %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.http_port), PATIENCE) as connection:
        connection.sendall(head % (INFER.encode(), len(X)))
        interim = connection.recv(1 << 16)
        assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(X)
        answer = parse_answer(receive_all(connection))
    assert same(rest_outputs(answer)["x"], SAMPLES["INT32"])


def test_1_1_connections_are_kept_as_long_as_kserve_keeps_them() -> None:
    """65 seconds idle; and the default ports are those of MLServer, which KServe shares."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert HttpServer(lambda *_: None, listener).config.timeout_keep_alive == 65  # type: ignore[arg-type]  # never called
    settings = Settings()
    assert (settings.http_port, settings.grpc_port, settings.metrics_port) == (8080, 8081, 8082)


def test_1_1_metrics_have_a_port_of_their_own(server: Server) -> None:
    """As Triton's and MLServer's have."""
    with Rest(server.metrics_port) as rest:
        assert rest.request("GET", "/metrics").status == 200
    assert server.get("/metrics").status == 404

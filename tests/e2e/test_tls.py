"""TLS of both fronts: the settings ``ssl_…``."""

from __future__ import annotations

import http.client
import ssl
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
from certificates import PASSWORD, Certificates
from grpc_client import Grpc
from serving import MODELS, PATIENCE, Rest, Server, receive_all, send_raw
from tensors import binary_body, grpc_outputs, grpc_request, json_body, rest_outputs

if TYPE_CHECKING:
    from certificates import Pair
    from serving import Serve

INFER = "/v2/models/identity/infer"
SMALL = np.arange(4, dtype=np.int32)
# 16 MiB.
LARGE = np.arange(1 << 22, dtype=np.int32)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return an authority, and the server's certificate."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secure(loop: str, serve_module: Serve, certificates: Certificates) -> Server:
    """Return a server with TLS, on each event loop."""
    del loop
    return serve_module(MODELS / "shared", **certificates.settings(shutdown_timeout=3600)).wait_started()


@pytest.fixture(scope="module")
def mutual(serve_module: Serve, certificates: Certificates) -> Server:
    """Return a server whose clients need a certificate."""
    settings = certificates.settings(ssl_ca_certs=certificates.authority)
    return serve_module(MODELS / "shared", **settings).wait_started()


def credentials(certificates: Certificates, pair: Pair | None = None) -> Any:
    """Return what grpcio connects with."""
    own = (None, None) if pair is None else (pair.key.read_bytes(), pair.certificate.read_bytes())
    return grpc.ssl_channel_credentials(certificates.authority.read_bytes(), *own)


def test_rest_answers_small_and_large_bodies_on_one_connection(secure: Server, certificates: Certificates) -> None:
    """In both ways, and in both forms; a large body is received past the parser."""
    assert secure.urls["REST"] == f"https://127.0.0.1:{secure.http_port}"
    with certificates.rest(secure) as rest:
        for array in (SMALL, LARGE, SMALL, np.arange(1 << 16, dtype=np.int32)):
            body, headers = binary_body({"x:INT32": array})
            answer = rest.request("POST", INFER, body, headers)
            assert np.array_equal(rest_outputs(answer)["x"], array)
            part = array[: 1 << 20]
            answer = rest.request("POST", INFER, json_body({"x:INT32": part}))
            assert np.array_equal(rest_outputs(answer)["x"], part)
        body, headers = binary_body({"x:INT32": LARGE})
        # Through ASGI.
        answer = rest.request("POST", "/v2/models/%69dentity/infer", body, headers)
        assert np.array_equal(rest_outputs(answer)["x"], LARGE)


def test_what_comes_behind_a_large_body_is_the_next_request(secure: Server, certificates: Certificates) -> None:
    """Also when both come in one record, or a body ends within one."""
    body, headers = binary_body({"x:INT32": np.arange(100_000, dtype=np.int32)})
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"POST {INFER} HTTP/1.1\r\nHost: x\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body
    last = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    context = certificates.client_context()
    with context.wrap_socket(send_raw(secure.http_port, b""), server_hostname="localhost") as connection:
        connection.sendall(request * 3 + last)
        answers = receive_all(connection)
    assert answers.count(b"HTTP/1.1 200 OK") == 4
    assert answers.count(body[-4096:]) == 3


def test_grpc_answers_small_and_large_messages(secure: Server, certificates: Certificates) -> None:
    """With grpcio, unary and streamed."""
    with Grpc(secure, credentials=credentials(certificates)) as client:
        for array in (SMALL, LARGE):
            request = grpc_request("identity", {"x:INT32": array})
            assert np.array_equal(grpc_outputs(client.infer(request))["x"], array)
            (answer,) = client.stream([request])
            assert np.array_equal(grpc_outputs(answer.infer_response)["x"], array)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize(("front", "protocol"), [("REST", "http/1.1"), ("gRPC", "h2")])
def test_each_front_names_its_protocol(
    mutual: Server, certificates: Certificates, front: str, protocol: str, version: ssl.TLSVersion
) -> None:
    """To clients that ask (ALPN), in both versions of TLS."""
    client = certificates.make("client", "client")
    for offered, chosen in ((("h2", "http/1.1"), protocol), ((), None), (("spdy/3",), None)):
        context = certificates.client_context(client, *offered)
        context.minimum_version = context.maximum_version = version
        plain = send_raw(mutual.ports[front], b"")
        with context.wrap_socket(plain, server_hostname="localhost") as connection:
            assert connection.selected_alpn_protocol() == chosen


@pytest.mark.parametrize("front", ["REST", "gRPC"])
def test_what_is_no_tls_gets_no_answer(secure: Server, certificates: Certificates, front: str) -> None:
    """Plain text, and versions of TLS before 1.2; the server stays as it is."""
    assert not receive_all(send_raw(secure.ports[front], b"GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP")
    old = certificates.client_context()
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError), send_raw(secure.ports[front], b"") as plain:
        old.wrap_socket(plain, server_hostname="localhost")
    with certificates.rest(secure) as rest:
        assert rest.request("GET", "/v2/health/live").status == 200


def test_metrics_stay_plain(secure: Server) -> None:
    """They are scraped from within."""
    with Rest(secure.metrics_port) as rest:
        assert rest.request("GET", "/metrics").status == 200


def test_a_client_with_a_certificate_of_the_authority_is_served(mutual: Server, certificates: Certificates) -> None:
    """Over REST and gRPC."""
    client = certificates.make("client", "client")
    with certificates.rest(mutual, client) as rest:
        answer = rest.request("POST", INFER, json_body({"x:INT32": SMALL}))
        assert np.array_equal(rest_outputs(answer)["x"], SMALL)
    with Grpc(mutual, credentials=credentials(certificates, client)) as grpc_client:
        answer = grpc_client.infer(grpc_request("identity", {"x:INT32": SMALL}))
        assert np.array_equal(grpc_outputs(answer)["x"], SMALL)


@pytest.mark.parametrize("other", [False, True], ids=["without one", "with one of another authority"])
def test_a_client_without_a_certificate_of_the_authority_is_refused(
    mutual: Server, certificates: Certificates, tmp_path_factory: pytest.TempPathFactory, *, other: bool
) -> None:
    """Over REST and gRPC."""
    pair = Certificates(tmp_path_factory.mktemp("other")).make("client", "client") if other else None
    with certificates.rest(mutual, pair) as rest, pytest.raises((ssl.SSLError, OSError, http.client.HTTPException)):
        rest.request("GET", "/v2/health/live")
    with Grpc(mutual, credentials=credentials(certificates, pair)) as client:
        request = grpc_request("identity", {"x:INT32": SMALL})
        assert client.fails(request, timeout=PATIENCE)[0] == "UNAVAILABLE"


def test_an_encrypted_key_is_opened_with_its_password(serve: Serve, certificates: Certificates) -> None:
    """The setting ``ssl_keyfile_password``."""
    encrypted = certificates.settings(ssl_keyfile=certificates.server.encrypted, ssl_keyfile_password=PASSWORD)
    server = serve(MODELS / "shared", **encrypted).wait_started()
    with certificates.rest(server) as rest:
        assert rest.request("GET", "/v2/health/live").status == 200


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"ssl_keyfile_password": ""}, "ssl_keyfile_password: expected the password of the key in "),
        ({"ssl_keyfile": "/nowhere/key.pem"}, "ssl_keyfile: expected a readable file, got '/nowhere/key.pem'"),
    ],
    ids=["password", "key"],
)
def test_what_cannot_be_used_stops_the_start(certificates: Certificates, settings: dict[str, str], text: str) -> None:
    """With the name of the setting; nobody is asked for a password."""
    server = Server(
        MODELS / "shared", **certificates.settings(**{"ssl_keyfile": certificates.server.encrypted, **settings})
    )
    try:
        assert server.wait_exit() == 2
        assert text in server.log
        assert "Traceback" not in server.log
        assert PASSWORD not in server.log
    finally:
        server.kill()


def test_idle_clients_that_do_not_say_goodbye_do_not_hold_up_a_stop(
    serve: Serve, certificates: Certificates, loop: str
) -> None:
    """As pools of connections have them; the server would wait for an hour."""
    del loop
    server = serve(MODELS / "shared", **certificates.settings(shutdown_timeout=3600)).wait_started()
    with certificates.rest(server) as rest, Grpc(server, credentials=credentials(certificates)) as client:
        assert rest.request("GET", "/v2/health/live").status == 200
        client.infer(grpc_request("identity", {"x:INT32": SMALL}))
        server.signal()
        assert server.wait_exit() == 0

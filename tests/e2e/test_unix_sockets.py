"""Fronts on Unix sockets: the settings ``http_uds`` and ``grpc_uds``."""

from __future__ import annotations

import http.client
import os
import socket
import stat
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
from certificates import Certificates
from grpc_client import Grpc
from serving import MODELS, PATIENCE, Rest, Server
from tensors import binary_body, grpc_outputs, grpc_request, rest_outputs

if TYPE_CHECKING:
    from pathlib import Path

    from serving import Serve

INFER = "/v2/models/identity/infer"


class _Connection(http.client.HTTPConnection):
    """HTTP on a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock: Any = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(str(self._path))


def connect(path: Path) -> Rest:
    rest = Rest(0)
    rest.connection = _Connection(path)
    return rest


def check_rest(path: Path) -> None:
    with connect(path) as rest:
        for size in (4, 1 << 22, 4):
            body, headers = binary_body({"x:INT32": np.arange(size, dtype=np.int32)})
            answer = rest.request("POST", INFER, body, headers)
            assert np.array_equal(rest_outputs(answer)["x"], np.arange(size))
        assert rest.request("GET", "/v2").status == 200
        assert rest.request("GET", "/nowhere").status == 404


def test_both_fronts_on_unix_sockets(serve: Serve, loop: str, tmp_path: Path) -> None:
    """Small and large bodies, with access log; nothing listens on the ports, and the files are gone at the end."""
    del loop
    http_path, grpc_path = tmp_path / "http.sock", tmp_path / "grpc.sock"
    server = serve(MODELS / "shared", http_uds=http_path, grpc_uds=grpc_path, debug="true").wait_started()
    assert server.urls["REST"] == f"unix:{http_path}"
    assert server.urls["gRPC"] == f"unix:{grpc_path}"
    assert set(server.ports) == {"metrics"}
    check_rest(http_path)
    with Grpc(server) as client:
        for size in (4, 1 << 22):
            answer = client.infer(grpc_request("identity", {"x:INT32": np.arange(size, dtype=np.int32)}))
            assert np.array_equal(grpc_outputs(answer)["x"], np.arange(size))
        server.signal()
        assert server.wait_exit() == 0
    assert f'"POST {INFER} HTTP/1.1" 200' in server.log
    assert not list(tmp_path.iterdir())


def test_one_front_on_a_unix_socket_leaves_the_other_on_its_port(serve: Serve, tmp_path: Path) -> None:
    """A relative path counts from the current folder; the address shows all of it."""
    path = tmp_path / "http.sock"
    server = serve(MODELS / "shared", http_uds=os.path.relpath(path)).wait_started()
    check_rest(path)
    with Grpc(server) as client:
        client.infer(grpc_request("identity", {"x:INT32": np.zeros(1, np.int32)}))


def test_tls_on_unix_sockets(serve: Serve, tmp_path: Path) -> None:
    """The settings of TLS count for every front."""
    certificates = Certificates(tmp_path)
    path = tmp_path / "grpc.sock"
    server = serve(MODELS / "shared", **certificates.settings(grpc_uds=path)).wait_started()
    credentials = grpc.ssl_channel_credentials(certificates.authority.read_bytes())
    # A path says nothing of the name that the certificate should have.
    with Grpc(server, ("grpc.ssl_target_name_override", "localhost"), credentials=credentials) as client:
        client.infer(grpc_request("identity", {"x:INT32": np.zeros(1, np.int32)}))


def test_the_umask_decides_who_may_connect(tmp_path: Path) -> None:
    """The file has no mode of our own."""
    path = tmp_path / "http.sock"
    before = os.umask(0o117)
    try:
        server = Server(MODELS / "shared", http_uds=path)
    finally:
        os.umask(before)
    try:
        server.wait_started()
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        server.close()
    finally:
        server.kill()


def test_the_file_of_a_server_that_was_killed_is_replaced(serve: Serve, tmp_path: Path) -> None:
    """And that of one that runs is not."""
    path = tmp_path / "http.sock"
    killed = Server(MODELS / "shared", http_uds=path)
    try:
        killed.wait_started()
    finally:
        killed.kill()
    assert path.is_socket()

    serve(MODELS / "shared", http_uds=path).wait_started()
    check_rest(path)
    second = Server(MODELS / "shared", http_uds=path)
    try:
        assert second.wait_exit() == 2
        assert f"REST cannot listen on unix:{path} (http_uds): another server listens there" in second.log
        assert "Traceback" not in second.log
    finally:
        second.kill()
    check_rest(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [("taken", "there is a file of this name, and it is no socket"), ("x" * 200, "AF_UNIX path too long")],
    ids=["a file", "too long"],
)
def test_a_path_that_cannot_be_used_is_named(tmp_path: Path, name: str, text: str) -> None:
    """The file stays, and that of the other front goes."""
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    server = Server(MODELS / "shared", http_uds=tmp_path / "http.sock", grpc_uds=tmp_path / name)
    try:
        assert server.wait_exit() == 2
        assert f"gRPC cannot listen on unix:{tmp_path / name} (grpc_uds): {text}" in server.log
        assert "Traceback" not in server.log
    finally:
        server.kill()
    assert [each.name for each in tmp_path.iterdir()] == ["taken"]
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "mine"

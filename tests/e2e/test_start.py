"""What ``srv start`` makes of models that do not load, of ports that are taken, and of an empty folder."""

from __future__ import annotations

import json
import shutil
import socket
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from grpc_client import Grpc
from serving import MODELS, Server
from tensors import grpc_request, json_body, pb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from serving import Serve

RUNTIME = "from srv import MLModel\nclass Runtime(MLModel):\n    async def load(self):\n        {}\n"

BROKEN: dict[str, tuple[str, str]] = {
    "syntax": ("class Runtime(MLModel:\n", "SyntaxError"),
    "load_raises": (RUNTIME.format("raise RuntimeError('no weights')"), "RuntimeError: no weights"),
    "load_returns_false": (RUNTIME.format("return False"), "load() returned False"),
    "load_exits": (RUNTIME.format("raise SystemExit(3)"), "SystemExit"),
    "import_exits": ("raise SystemExit('no way')\n", "SystemExit"),
    "dependency": ("import no_such_package_anywhere\n", "No module named 'no_such_package_anywhere'"),
    "no_class": ("x = 1\n", "no 'Runtime' in module"),
    "no_model": ("class Runtime: pass\n", "expected a subclass of MLModel"),
}
SETTINGS: dict[str, tuple[str, str]] = {
    "no_json": ("{", "model-settings.json"),
    "no_object": ("[]", "model-settings.json"),
    "no_implementation": ('{"name": "no_implementation"}', "implementation"),
    "bad_type": (
        '{"name": "bad_type", "implementation": "models.Runtime", "max_batch_size": "many"}',
        "max_batch_size",
    ),
    "bad_datatype": (
        '{"implementation": "models.Runtime", "inputs": [{"name": "x", "datatype": "FLOAT", "shape": [1]}]}',
        "FLOAT",
    ),
}


def write_model(root: Path, name: str, code: str, settings: str | None = None) -> None:
    """Write a model's folder."""
    folder = root / name
    folder.mkdir(parents=True)
    default = {"name": name, "implementation": "models.Runtime"}
    (folder / "model-settings.json").write_text(settings or json.dumps(default), encoding="utf-8")
    (folder / "models.py").write_text(code, encoding="utf-8")


def test_broken_models_are_reported_and_stop_no_other(serve: Serve, tmp_path: Path) -> None:
    """Each stands in the report and in the index with its reason; the server is not ready, and the others serve."""
    shutil.copytree(MODELS / "shared" / "identity", tmp_path / "identity")
    for name, (code, _) in BROKEN.items():
        write_model(tmp_path, name, code)
    for name, (settings, _) in SETTINGS.items():
        write_model(tmp_path, name, RUNTIME.format("pass"), settings)
    server = serve(tmp_path)
    server.faults_expected = True
    server.wait_started()
    reasons = {name: reason for name, (_, reason) in {**BROKEN, **SETTINGS}.items()}

    index: Any = server.post("/v2/repository/index").json()
    found = {entry["name"]: entry for entry in index}
    assert set(found) == {"identity", *reasons}
    assert found.pop("identity")["state"] == "READY"
    for name, entry in found.items():
        assert entry["state"] == "UNAVAILABLE", entry
        assert reasons[name] in entry["reason"]
        assert str(tmp_path) not in entry["reason"]
        assert f"{name}: " in server.log
    ready: Any = server.post("/v2/repository/index", {"ready": True}).json()
    assert [entry["name"] for entry in ready] == ["identity"]

    answer = server.get("/v2/health/ready")
    assert (answer.status, answer.type) == (503, "application/json")
    assert answer.json() == {"live": True, "ready": False, "error": "the server is not ready"}
    assert server.get("/v2/health/live").status == 200
    assert server.get("/v2/models/dependency/ready").status == 503
    answer = server.post("/v2/models/dependency/infer", json_body({"x:INT32": np.zeros(1, np.int32)}))
    assert "dependency" in answer.error()
    assert server.post("/v2/models/identity/infer", json_body({"x:INT32": np.zeros(1, np.int32)})).status == 200
    with Grpc(server) as grpc:
        assert not pb.ServerReadyResponse.FromString(grpc.call("ServerReady", b"")).ready
        grpc.infer(grpc_request("identity", {"x:INT32": np.zeros(1, np.int32)}))
        models = pb.RepositoryIndexResponse.FromString(grpc.call("RepositoryIndex", b"")).models
        assert {entry.name: entry.reason for entry in models if entry.reason} == {
            name: entry["reason"] for name, entry in found.items()
        }

    # What was mended can be loaded, after which the server is ready.
    for name in BROKEN:
        (tmp_path / name / "models.py").write_text(RUNTIME.format("pass"), encoding="utf-8")
        assert server.post(f"/v2/repository/models/{name}/load").status == 200
    for name in SETTINGS:
        assert server.post(f"/v2/repository/models/{name}/load").status == 400
        assert server.post(f"/v2/repository/models/{name}/unload").status == 200
    assert server.get("/v2/health/ready").status == 200


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda _: None, "there is no model-settings.json"),
        (lambda root: write_model(root, "only", "import no_such_package_anywhere\n"), "no model could be loaded"),
        (lambda root: write_model(root, "only", "", "{"), "no model could be loaded"),
    ],
    ids=["empty", "no model loads", "no settings"],
)
def test_with_nothing_to_serve_the_command_fails(tmp_path: Path, make: Callable[[Path], None], text: str) -> None:
    """The exit status is not 0, and the log says why."""
    make(tmp_path)
    server = Server(tmp_path)
    try:
        assert server.wait_exit() == 1
        assert text in server.log
        assert "Traceback" not in server.log
    finally:
        server.kill()


@pytest.mark.parametrize("front", ["http_port", "grpc_port", "metrics_port"])
def test_a_port_that_is_taken_is_named(front: str) -> None:
    """With its setting, and the exit status is not 0."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = Server(MODELS / "shared", **{front: port})
        try:
            assert server.wait_exit() != 0
            assert f"cannot listen on 127.0.0.1:{port} ({front})" in server.log
            assert "Traceback" not in server.log
        finally:
            server.kill()


@pytest.mark.parametrize(
    ("settings", "text"),
    [({"http_port": "many"}, "SRV_HTTP_PORT"), ({"max_request_size": -1}, "SRV_MAX_REQUEST_SIZE")],
)
def test_a_wrong_setting_is_named(settings: dict[str, object], text: str) -> None:
    """With its variable, and the exit status is not 0."""
    server = Server(MODELS / "shared", **settings)
    try:
        assert server.wait_exit() != 0
        assert text in server.log
        assert "Traceback" not in server.log
    finally:
        server.kill()


def test_without_loading_at_startup_the_server_is_ready_and_loads_on_demand(serve: Serve) -> None:
    """As a control plane of models wants it."""
    server = serve(MODELS / "shared", load_models_at_startup="false").wait_started()
    assert server.get("/v2/health/ready").status == 200
    assert server.get("/v2/models").json() == {"models": []}
    assert server.get("/v2/models/identity").status == 404
    assert server.post("/v2/repository/models/identity/load").status == 200
    assert server.get("/v2/models").json() == {"models": ["identity"]}
    assert server.post("/v2/repository/models/identity/unload").status == 200
    assert server.get("/v2/models/identity/ready").status == 503
    assert server.get("/v2/health/ready").status == 200

"""What clients may bring with a load request, and what they may not do with it."""

from __future__ import annotations

import base64
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from grpc_client import Grpc
from serving import MODELS, eventually
from tensors import json_body, pb, rest_outputs

if TYPE_CHECKING:
    from pathlib import Path

    from serving import Gate, Serve, Server

CODE = """
import socket
from srv import MLModel
from srv.types import InferenceResponse, ResponseOutput


def wait():
    with socket.create_connection(("127.0.0.1", {port})) as connection:
        connection.recv(1)


class Runtime(MLModel):
    def load(self):
        wait()

    def unload(self):
        wait()

    async def predict(self, payload):
        return InferenceResponse(outputs=[ResponseOutput("from", "BYTES", [1], data=["{text}"])])
"""
QUICK = CODE.replace("        wait()", "        pass")
SETTINGS = '{"implementation": "models.Runtime"}'


def write(folder: Path, code: str) -> None:
    folder.mkdir()
    (folder / "model-settings.json").write_text(SETTINGS, encoding="utf-8")
    (folder / "models.py").write_text(code, encoding="utf-8")


def load(server: Server, name: str, config: object = None, files: dict[str, bytes] | None = None) -> tuple[int, str]:
    """Load a model over REST, and return the status and the error."""
    parameters: dict[str, object] = {} if config is None else {"config": json.dumps(config)}
    parameters |= {f"file:{path}": base64.b64encode(content).decode() for path, content in (files or {}).items()}
    answer = server.post(f"/v2/repository/models/{name}/load", {"parameters": parameters})
    return answer.status, "" if answer.status == 200 else answer.error()


def state(server: Server, name: str) -> tuple[str, str]:
    index: Any = server.post("/v2/repository/index").json()
    return next((each["state"], each.get("reason", "")) for each in index if each["name"] == name)


def says(server: Server, name: str) -> object:
    return rest_outputs(server.post(f"/v2/models/{name}/infer", json_body({})))["from"].tolist()


def test_a_model_that_loads_or_unloads_says_so(serve: Serve, tmp_path: Path, gate: Gate) -> None:
    """Also in words that clients compare, and without being ready."""
    write(tmp_path / "slow", CODE.format(port=gate.port, text="slow"))
    server = serve(tmp_path, load_models_at_startup="false").wait_started()
    with ThreadPoolExecutor() as pool:
        loading = pool.submit(load, server, "slow")
        visit = gate.wait()
        assert state(server, "slow") == ("LOADING", "")
        assert server.get("/v2/models/slow/ready").status == 503
        assert server.get("/v2/models/slow/config").status == 503
        visit.release()
        assert loading.result() == (200, "")
        assert state(server, "slow") == ("READY", "")

        unloading = pool.submit(server.post, "/v2/repository/models/slow/unload")
        visit = gate.wait()
        assert state(server, "slow") == ("UNLOADING", "")
        assert server.get("/v2/models/slow/ready").status == 503
        visit.release()
        assert unloading.result().status == 200
        assert state(server, "slow") == ("UNAVAILABLE", "unloaded")


def test_files_go_with_their_load_and_none_outlives_the_server(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replaced, failed, unloaded or stopped; the code of the repository comes back with the next load."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    (tmp_path / "repository").mkdir()
    write(tmp_path / "repository" / "model", QUICK.format(port=0, text="the repository"))
    server = serve(tmp_path / "repository", allow_file_override="true").wait_started()
    code = QUICK.format(port=0, text="the request").encode()

    def folders() -> list[Path]:
        return [folder for root in temporary.iterdir() for folder in root.iterdir()]

    for _ in range(2):
        assert load(server, "model", {}, {"models.py": code}) == (200, "")
        assert says(server, "model") == [b"the request"]
    # The one that was replaced goes after its last request, behind the answer to the load.
    eventually(lambda: len(folders()) == 1, folders)
    status, error = load(server, "model", {}, {"models.py": b"import no_such_package\n"})
    assert (status, str(temporary) in error) == (400, False)
    assert says(server, "model") == [b"the request"]
    eventually(lambda: len(folders()) == 1, folders)

    assert load(server, "model") == (200, "")
    assert says(server, "model") == [b"the repository"]
    eventually(lambda: not folders(), folders)

    assert load(server, "new", {}, {"models.py": code, "model-settings.json": SETTINGS.encode()}) == (200, "")
    assert len(folders()) == 1
    server.faults_expected = True  # the traceback of the code that failed
    server.close()
    assert not list(temporary.iterdir())


PATHS = [
    "../escaped",
    "/etc/escaped",
    "a/../../escaped",
    "..\\escaped",
    "a/./escaped",
    "a//escaped",
    "escaped\0",
    "",
    "x" * 256,
]


@pytest.fixture(scope="module")
def open_to_files(serve_module: Serve) -> Server:
    """Return a server that takes files with its load requests, and few bytes at once."""
    return serve_module(MODELS / "shared", allow_file_override="true", max_request_size=1 << 20).wait_started()


@pytest.mark.parametrize("path", PATHS, ids=[*PATHS[:-3], "NUL", "empty", "long"])
def test_a_file_cannot_leave_its_folder(open_to_files: Server, path: str) -> None:
    """Over either front; the model stays as it was."""
    status, error = load(open_to_files, "identity", {}, {"models.py": b"", path: b"x"})
    assert (status, ": Invalid file path 'file:" in error) == (400, True)
    request = pb.RepositoryModelLoadRequest(model_name="identity")
    request.parameters["config"].string_param = "{}"
    request.parameters[f"file:{path}"].bytes_param = b"x"
    with Grpc(open_to_files) as client:
        assert client.fails(request, "RepositoryModelLoad")[0] == "INVALID_ARGUMENT"
    assert open_to_files.get("/v2/models/identity/ready").status == 200


@pytest.mark.parametrize(
    "name",
    ["..%2fidentity", "%2e%2e%2fidentity", "%2e%2e", "%252e%252e%252fidentity", "%2e", "..%5cidentity", "%00", "%20"],
)
@pytest.mark.parametrize("action", ["load", "unload"])
def test_a_name_cannot_leave_the_repository(open_to_files: Server, name: str, action: str) -> None:
    """Percent-encoded once it is refused or another route's; twice, it is a strange name that no model has."""
    body = {"parameters": {"config": "{}", "file:models.py": ""}} if action == "load" else {}
    answer = open_to_files.post(f"/v2/repository/models/{name}/{action}", body)
    assert answer.status in {400, 404, 501}
    assert answer.error()


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ("", "config is no valid JSON"),
        ("null", "config: expected `object`, got `null`"),
        ('{"input":' * 50_000, "config is no valid JSON: it is nested too deeply"),
        ('{"name":' + "[" * 900 + "]" * 900 + "}", "config.name: expected text, got an array"),
        ('{"max_batch_size": 1e300}', "config.max_batch_size: expected an integer"),
        (json.dumps({"x" * 500_000: 1}), "ModelConfig has no field"),
    ],
    ids=["empty", "null", "deep", "deep in a field", "huge number", "huge name"],
)
def test_a_strange_configuration_is_refused(open_to_files: Server, config: str, error: str) -> None:
    """Over either front, in a text of bounded length."""
    answer = open_to_files.post("/v2/repository/models/identity/load", {"parameters": {"config": config}})
    assert (answer.status, error in answer.error()) == (400, True)
    assert len(answer.error()) < 1000
    request = pb.RepositoryModelLoadRequest(model_name="identity")
    request.parameters["config"].string_param = config
    with Grpc(open_to_files) as client:
        status, text = client.fails(request, "RepositoryModelLoad")
    assert (status, error in text) == ("INVALID_ARGUMENT", True)
    assert open_to_files.get("/v2/models/identity/ready").status == 200


def test_a_load_request_has_the_size_of_any_other(open_to_files: Server) -> None:
    """It is refused by its size, before anything in it is decoded."""
    files = {"models.py": bytes(1 << 20)}
    status, error = load(open_to_files, "identity", {}, files)
    assert (status, "max_request_size" in error) == (413, True)
    request = pb.RepositoryModelLoadRequest(model_name="identity")
    request.parameters["file:models.py"].bytes_param = files["models.py"]
    with Grpc(open_to_files) as client:
        assert client.fails(request, "RepositoryModelLoad")[0] == "RESOURCE_EXHAUSTED"


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [("int64_param", "config", "string_param"), ("string_param", "file:a", "bytes_param")],
)
def test_the_oneof_of_a_parameter_must_be_the_right_one(
    open_to_files: Server, kind: str, name: str, expected: str
) -> None:
    request = pb.RepositoryModelLoadRequest(model_name="identity")
    request.parameters["config"].string_param = "{}"
    setattr(request.parameters[name], kind, 1 if kind == "int64_param" else "x")
    with Grpc(open_to_files) as client:
        assert client.fails(request, "RepositoryModelLoad") == (
            "INVALID_ARGUMENT",
            f"invalid value type for load parameter '{name}', expected {expected}.",
        )


def test_a_model_behind_a_link_is_loaded_with_files(serve: Serve, tmp_path: Path) -> None:
    """They are written beside it, and never where the link leads."""
    shutil.copytree(MODELS / "shared" / "identity", tmp_path / "elsewhere")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    server = serve(tmp_path / "root", allow_file_override="true").wait_started()
    before = (tmp_path / "elsewhere" / "models.py").read_bytes()
    code = QUICK.format(port=0, text="the request").replace("Runtime", "Identity").encode()

    assert load(server, "identity", {}, {"models.py": code}) == (200, "")
    assert says(server, "identity") == [b"the request"]
    assert (tmp_path / "elsewhere" / "models.py").read_bytes() == before


@pytest.mark.parametrize("path", ["r/index", "r/models/identity/load", "r/models/identity/unload"])
def test_other_repositories_are_not_implemented(open_to_files: Server, path: str) -> None:
    answer = open_to_files.post(f"/v2/repository/{path}", {})
    assert (answer.status, answer.error()) == (501, "'repository_name' specification is not supported")


@pytest.mark.parametrize("ready", ["true", 1, [], {}])
def test_ready_of_an_index_request_is_a_boolean(open_to_files: Server, ready: object) -> None:
    answer = open_to_files.post("/v2/repository/index", {"ready": ready})
    assert (answer.status, answer.error()) == (400, "Invalid value for 'ready': expected a boolean")


@pytest.mark.parametrize("body", [b"", b"{}", b'{"parameters":null}', b'{"parameters":{}}', b'{"ready":null}'])
def test_bodies_of_the_repository_may_be_empty(open_to_files: Server, body: bytes) -> None:
    for path in ("index", "models/raw/load"):
        assert open_to_files.post(f"/v2/repository/{path}", body).status == 200


@pytest.mark.parametrize("action", ["load", "unload"])
@pytest.mark.parametrize("parameters", [[], "x", 1, True])
def test_parameters_are_an_object(open_to_files: Server, action: str, parameters: object) -> None:
    answer = open_to_files.post(f"/v2/repository/models/identity/{action}", {"parameters": parameters})
    assert (answer.status, "parameters: expected `object" in answer.error()) == (400, True)
    assert open_to_files.get("/v2/models/identity/ready").status == 200

"""tritonclient's calls of the model repository."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.grpc.aio as triton_grpc_aio
import tritonclient.http as triton_http
import tritonclient.http.aio as triton_http_aio
from serving import MODELS
from tritonclient.utils import InferenceServerException

if TYPE_CHECKING:
    from serving import Serve, Server


@pytest.fixture(scope="module")
def own(serve_module: Serve) -> Server:
    """Return a server whose models' states belong to these tests."""
    return serve_module(MODELS / "shared").wait_started()


@pytest.fixture(scope="module")
def open_to_files(serve_module: Serve) -> Server:
    """Return a server that takes files with its load requests."""
    return serve_module(MODELS / "shared", allow_file_override="true").wait_started()


def _address(server: Server, triton: Any) -> str:
    return server.http_address if "http" in triton.__name__ else server.grpc_address


def _state(index: Any, name: str) -> tuple[str, str]:
    entries = index if isinstance(index, list) else index.models
    for entry in entries:
        if isinstance(entry, dict) and entry["name"] == name:
            return entry["state"], entry.get("reason", "")
        if not isinstance(entry, dict) and entry.name == name:
            return entry.state, entry.reason
    raise AssertionError(name)


@pytest.mark.parametrize("triton", [triton_http, triton_grpc], ids=["http", "grpc"])
def test_unload_and_load(own: Server, triton: Any) -> None:
    """What was unloaded is not ready and says so; it can be loaded again; the server is ready all the while."""
    with triton.InferenceServerClient(_address(own, triton)) as client:
        client.unload_model("identity")
        assert not client.is_model_ready("identity")
        assert client.is_server_ready()
        assert _state(client.get_model_repository_index(), "identity") == ("UNAVAILABLE", "unloaded")
        with pytest.raises(InferenceServerException, match="Request for unknown model: 'identity'"):
            client.get_model_metadata("identity")
        client.load_model("identity")
        assert client.is_model_ready("identity")
        assert _state(client.get_model_repository_index(), "identity") == ("READY", "")


@pytest.mark.parametrize("triton", [triton_http_aio, triton_grpc_aio], ids=["http", "grpc"])
def test_unload_and_load_with_asyncio(own: Server, triton: Any) -> None:
    """The asyncio clients do the same."""

    async def run() -> None:
        async with triton.InferenceServerClient(_address(own, triton)) as client:
            await client.unload_model("identity")
            assert not await client.is_model_ready("identity")
            await client.load_model("identity")
            assert await client.is_model_ready("identity")
            assert _state(await client.get_model_repository_index(), "identity") == ("READY", "")

    asyncio.run(run())


@pytest.mark.parametrize("triton", [triton_http, triton_grpc], ids=["http", "grpc"])
def test_what_cannot_be_loaded(own: Server, triton: Any) -> None:
    """The error has the words that Triton's own tests look for."""
    with triton.InferenceServerClient(_address(own, triton)) as client:
        with pytest.raises(
            InferenceServerException, match="failed to load 'nobody', failed to poll from model repository"
        ):
            client.load_model("nobody")
        with pytest.raises(InferenceServerException, match="Request for unknown model: 'nobody' is not found"):
            client.unload_model("nobody")
        with pytest.raises(InferenceServerException, match="failed to load 'identity': config is no valid JSON"):
            client.load_model("identity", config="")
        assert client.is_model_ready("identity")


@pytest.mark.parametrize("triton", [triton_http, triton_grpc], ids=["http", "grpc"])
def test_a_configuration_lasts_until_the_next_load(own: Server, triton: Any) -> None:
    """Numbers may be text, as protobuf's own JSON has them."""
    tensor = {"name": "x", "dataType": "TYPE_FP32", "dims": ["2"]}
    config = json.dumps({"max_batch_size": "16", "input": [tensor], "version_policy": {"all": {}}})
    with triton.InferenceServerClient(_address(own, triton)) as client:
        client.load_model("identity", config=config)
        shown = _config(client, "identity")
        assert (shown["max_batch_size"], shown["input"][0]["name"]) == (16, "x")
        metadata = client.get_model_metadata("identity", **({} if triton is triton_http else {"as_json": True}))
        assert [[int(size) for size in each["shape"]] for each in metadata["inputs"]] == [[-1, 2]]

        client.load_model("identity")
        shown = _config(client, "identity")
        assert (shown.get("max_batch_size", 0), shown.get("input", [])) == (0, [])


def _config(client: Any, model: str) -> Any:
    if type(client).__module__.startswith("tritonclient.http"):
        return client.get_model_config(model)
    return client.get_model_config(model, as_json=True)["config"]


@pytest.mark.parametrize("triton", [triton_http, triton_grpc], ids=["http", "grpc"])
@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({"colour": 1}, "ModelConfig has no field 'colour'"),
        ({"ensemble_scheduling": {"step": []}}, "config.ensemble_scheduling: not supported"),
        ({"name": "other"}, "config.name: expected 'identity', got 'other'"),
        ({"version_policy": {"specific": {"versions": [7]}}}, "version 7 is not in the model repository"),
    ],
    ids=["unknown", "ensemble", "name", "version"],
)
def test_a_configuration_that_cannot_be_honoured_is_an_error(own: Server, triton: Any, config: Any, error: str) -> None:
    """The model that was loaded before answers on."""
    with triton.InferenceServerClient(_address(own, triton)) as client:
        with pytest.raises(InferenceServerException) as raised:
            client.load_model("identity", config=json.dumps(config))
        assert "failed to load 'identity': " in str(raised.value)
        assert error in str(raised.value)
        assert client.is_model_ready("identity")


SETTINGS = b'{"implementation": "parts.main.Runtime"}'
MODEL = b"""
from srv import MLModel
from srv.types import InferenceResponse, ResponseOutput


class Runtime(MLModel):
    async def predict(self, payload):
        return InferenceResponse(outputs=[ResponseOutput("from", "BYTES", [1], data=["the request"])])
"""


@pytest.mark.parametrize("triton", [triton_http, triton_grpc], ids=["http", "grpc"])
def test_a_model_that_comes_with_its_load_request(open_to_files: Server, triton: Any) -> None:
    """It answers, and goes with its unload."""
    files = {"file:model-settings.json": SETTINGS, "file:parts/main.py": MODEL}
    name = f"new_{triton.__name__.rpartition('.')[2]}"
    with triton.InferenceServerClient(_address(open_to_files, triton)) as client:
        with pytest.raises(InferenceServerException, match=f"failed to load '{name}', failed to poll from model repos"):
            client.load_model(name, files=files)
        with pytest.raises(InferenceServerException, match=f"failed to load '{name}'.*Invalid file path"):
            client.load_model(name, config="{}", files={"file:../../escape/main.py": MODEL})
        with pytest.raises(InferenceServerException, match=f"failed to load '{name}'.*load failed for model '{name}'"):
            client.load_model(name, config="{}", files={"file:model-settings.json": SETTINGS})
        client.load_model(name, config="{}", files=files)
        tensor = triton.InferInput("x", [1], "INT32")
        tensor.set_data_from_numpy(np.zeros(1, np.int32))
        assert client.infer(name, [tensor]).as_numpy("from").tolist() == [b"the request"]
        client.unload_model(name, unload_dependents=True)
        assert not client.is_model_ready(name)


@pytest.mark.parametrize("triton", [triton_http, triton_grpc], ids=["http", "grpc"])
def test_files_are_refused_by_default(own: Server, triton: Any) -> None:
    with triton.InferenceServerClient(_address(own, triton)) as client:
        with pytest.raises(InferenceServerException, match="allow_file_override"):
            client.load_model("identity", config="{}", files={"file:models.py": MODEL})
        assert client.is_model_ready("identity")


@pytest.mark.parametrize("triton", [triton_http, triton_grpc], ids=["http", "grpc"])
def test_the_index_names_models_that_were_never_loaded(serve: Serve, triton: Any) -> None:
    """Without a state, as in Triton."""
    server = serve(MODELS / "shared", load_models_at_startup="false").wait_started()
    with triton.InferenceServerClient(_address(server, triton)) as client:
        client.load_model("raw")
        index = client.get_model_repository_index(**({} if triton is triton_http else {"as_json": True}))
        models = {each["name"]: each for each in (index if triton is triton_http else index["models"])}
        assert models["raw"] == {"name": "raw", "state": "READY"}
        assert models["identity"] == {"name": "identity"}

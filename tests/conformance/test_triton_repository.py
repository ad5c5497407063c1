"""tritonclient's calls of the model repository."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

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
        with pytest.raises(InferenceServerException, match="failed to load 'nobody'"):
            client.load_model("nobody")
        with pytest.raises(InferenceServerException, match="Request for unknown model: 'nobody' is not found"):
            client.unload_model("nobody")
        with pytest.raises(InferenceServerException, match="unrecognized load parameter 'config'"):
            client.load_model("identity", config="{}")
        assert client.is_model_ready("identity")

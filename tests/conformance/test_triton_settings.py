"""tritonclient's calls of trace and log settings; the values are those of Triton's own tests."""

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
    from collections.abc import Iterator

    from serving import Serve, Server

BOTH = pytest.mark.parametrize("triton", [triton_http, triton_grpc], ids=["http", "grpc"])
AIO = pytest.mark.parametrize("triton", [triton_http_aio, triton_grpc_aio], ids=["http", "grpc"])

KEYS = ("trace_level", "trace_rate", "trace_count", "log_frequency")
LOG = {
    "log_file": "",
    "log_info": True,
    "log_warning": True,
    "log_error": True,
    "log_verbose_level": 0,
    "log_format": "default",
}


@pytest.fixture(scope="module")
def own(serve_module: Serve, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """Return a server whose settings belong to these tests."""
    folder = tmp_path_factory.mktemp("traces")
    return serve_module(MODELS / "shared", trace_file=folder / "t.json").wait_started()


@pytest.fixture(autouse=True)
def _reset(own: Server) -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    yield
    with triton_http.InferenceServerClient(own.http_address) as client:
        for model in ("identity", None):
            client.update_trace_settings(model_name=model, settings=dict.fromkeys(KEYS))
        client.update_log_settings({key: value for key, value in LOG.items() if key != "log_file"})


def _address(server: Server, triton: Any) -> str:
    return server.http_address if "http" in triton.__name__ else server.grpc_address


def _traces(settings: Any) -> dict[str, Any]:
    """Return trace settings as REST has them, but for the file."""
    if not isinstance(settings, dict):
        values = {key: list(each.value) for key, each in settings.settings.items()}
        settings = {key: each if key == "trace_level" else each[0] for key, each in values.items()}
    assert settings["trace_file"].endswith("t.json")
    return {key: value for key, value in settings.items() if key != "trace_file"}


def _logs(settings: Any) -> dict[str, Any]:
    if isinstance(settings, dict):
        return settings
    return {key: getattr(each, each.WhichOneof("parameter_choice")) for key, each in settings.settings.items()}


def _expected(level: list[str], rate: str, count: str, frequency: str) -> dict[str, Any]:
    return {**dict(zip(KEYS, (level, rate, count, frequency), strict=True)), "trace_mode": "triton"}


@BOTH
def test_clearing_trace_settings(own: Server, triton: Any) -> None:
    """A clear for all goes back to the start, one for a model to the settings of all."""
    with triton.InferenceServerClient(_address(own, triton)) as client:
        start = _expected(["OFF"], "1000", "-1", "0")
        assert _traces(client.get_trace_settings()) == start
        assert _traces(client.get_trace_settings(model_name="identity")) == start
        client.update_trace_settings(model_name="identity", settings={"trace_rate": "12", "log_frequency": "34"})
        changed = client.update_trace_settings(
            settings={"trace_rate": "56", "trace_count": "78", "trace_level": ["TIMESTAMPS", "TENSORS"]}
        )
        assert _traces(changed) == _expected(["TIMESTAMPS", "TENSORS"], "56", "78", "0")
        cleared = client.update_trace_settings(settings={"trace_rate": None, "trace_count": None})
        assert _traces(cleared) == _expected(["TIMESTAMPS", "TENSORS"], "1000", "-1", "0")
        of_model = client.get_trace_settings(model_name="identity")
        assert _traces(of_model) == _expected(["TIMESTAMPS", "TENSORS"], "12", "-1", "34")
        cleared = client.update_trace_settings(
            model_name="identity", settings={"trace_rate": None, "trace_level": None}
        )
        assert _traces(cleared) == _expected(["TIMESTAMPS", "TENSORS"], "1000", "-1", "34")


@BOTH
def test_trace_settings_that_are_refused(own: Server, triton: Any) -> None:
    """The errors have Triton's words."""
    with triton.InferenceServerClient(_address(own, triton)) as client:
        for settings, text in (
            ({"trace_file": "model.log"}, "trace file location can not be updated through network protocol"),
            ({"trace_rate": "x"}, "Unable to parse 'trace_rate', got: x"),
            ({"trace_count": "-3"}, "Unable to parse 'trace_count'. Expecting value >= -1, got: -3"),
            ({"trace_level": ["OFF", "TENSORS"]}, "Expect only one trace level 'OFF' is specified"),
        ):
            with pytest.raises(InferenceServerException) as raised:
                client.update_trace_settings(settings=settings)
            assert text in raised.value.message()
        with pytest.raises(InferenceServerException, match="Request for unknown model: 'does-not-exist'"):
            client.get_trace_settings(model_name="does-not-exist")
        with pytest.raises(InferenceServerException, match="Request for unknown model: 'does-not-exist'"):
            client.update_trace_settings(model_name="does-not-exist", settings={"trace_rate": "2"})


@BOTH
def test_log_settings(own: Server, triton: Any) -> None:
    """Every answer has all six."""
    with triton.InferenceServerClient(_address(own, triton)) as client:
        assert _logs(client.get_log_settings()) == LOG
        expected = dict(LOG)
        changes: dict[str, Any] = {
            "log_info": False,
            "log_warning": False,
            "log_error": False,
            "log_verbose_level": 1,
            "log_format": "ISO8601",
        }
        for key, value in changes.items():
            expected[key] = value
            assert _logs(client.update_log_settings(settings={key: value})) == expected
        assert _logs(client.get_log_settings()) == expected
        with pytest.raises(
            InferenceServerException, match="log file location can not be updated through network protocol"
        ):
            client.update_log_settings(settings={"log_info": True, "log_file": "log_file.log"})
        assert _logs(client.get_log_settings()) == expected


@BOTH
def test_none_as_a_log_setting(own: Server, triton: Any) -> None:
    """As in Triton, it changes nothing over REST, and is an error over gRPC."""
    with triton.InferenceServerClient(_address(own, triton)) as client:
        if triton is triton_http:
            assert _logs(client.update_log_settings(settings={"log_info": None})) == LOG
        else:
            with pytest.raises(InferenceServerException, match="expected bool_param, uint32_param or string_param"):
                client.update_log_settings(settings={"log_info": None})


@AIO
def test_both_with_asyncio(own: Server, triton: Any) -> None:
    """The asyncio clients do the same."""

    async def run() -> None:
        async with triton.InferenceServerClient(_address(own, triton)) as client:
            changed = await client.update_trace_settings(model_name="identity", settings={"trace_rate": "3"})
            assert _traces(changed)["trace_rate"] == "3"
            assert _traces(await client.get_trace_settings())["trace_rate"] == "1000"
            cleared = await client.update_trace_settings(model_name="identity", settings={"trace_rate": None})
            assert _traces(cleared)["trace_rate"] == "1000"
            changed = await client.update_log_settings(settings={"log_verbose_level": 2})
            assert _logs(changed) == _logs(await client.get_log_settings()) == {**LOG, "log_verbose_level": 2}

    asyncio.run(run())


@BOTH
def test_the_extensions_are_announced(own: Server, triton: Any) -> None:
    """Clients ask for the settings of a server only then."""
    with triton.InferenceServerClient(_address(own, triton)) as client:
        metadata = client.get_server_metadata()
        extensions = metadata["extensions"] if isinstance(metadata, dict) else list(metadata.extensions)
        assert {"trace", "logging"} <= set(extensions)

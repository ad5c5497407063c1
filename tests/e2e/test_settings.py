"""Settings that clients change while the server runs: of traces, and of its log."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Final

import pytest
from grpclib.client import Channel
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from serving import MODELS, Rest

from srv_protocol.inference import (
    LogSettingsRequest,
    LogSettingsRequestSettingValue,
    TraceSettingRequest,
    TraceSettingRequestSettingValue,
)
from srv_protocol.inference_grpc import GRPCInferenceServiceStub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from serving import Serve, Server

TRACE: Final = "/v2/trace/setting"
LOGGING: Final = "/v2/logging"
TALKER: Final = """
import logging
from srv import MLModel
from srv.types import InferenceResponse


class Runtime(MLModel):
    async def predict(self, payload):
        for level in ("debug", "info", "warning", "error"):
            getattr(logging.getLogger(__name__), level)("%s of %s", level, payload.id)
        return InferenceResponse(outputs=[])
"""


@pytest.fixture(scope="module")
def own(serve_module: Serve, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """Return a server whose settings belong to these tests, with models that talk and that do not."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("talker", "silent"):
        (folder / name).mkdir()
        settings = {"name": name, "implementation": "models.Runtime"}
        (folder / name / "model-settings.json").write_text(json.dumps(settings), "utf-8")
        (folder / name / "models.py").write_text(TALKER, "utf-8")
    return serve_module(folder, trace_file=tmp_path_factory.mktemp("traces") / "t.json").wait_started()


@pytest.fixture(autouse=True)
def _reset(own: Server) -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    yield
    keys = ("trace_level", "trace_rate", "trace_count", "log_frequency")
    for path in (TRACE, "/v2/models/talker/trace/setting"):
        assert own.post(path, dict.fromkeys(keys)).status == 200
    start = {"log_info": True, "log_warning": True, "log_error": True, "log_verbose_level": 0, "log_format": "default"}
    assert own.post(LOGGING, start).status == 200


# ---- The log


def test_the_level_changes_while_the_server_runs(own: Server) -> None:
    """Over REST, line by line: standard output is written before the answer is."""
    assert own.get(LOGGING).body == (
        b'{"log_file":"","log_info":true,"log_warning":true,"log_error":true,'
        b'"log_verbose_level":0,"log_format":"default"}'
    )
    seen: dict[str, list[str]] = {}
    for number, (change, last) in enumerate(
        [
            ({}, "error"),
            ({"log_verbose_level": 1}, "error"),
            ({"log_info": False, "log_error": False}, "warning"),
            ({"log_verbose_level": 0, "log_warning": False, "log_error": True}, "error"),
        ]
    ):
        assert own.post(LOGGING, change).status == 200
        request = f"request-{number}"
        assert own.post("/v2/models/talker/infer", {"id": request, "inputs": []}).status == 200
        own.wait_for_line(f"{last} of {request}")
        seen[request] = re.findall(rf"(\w+) of {request}$", own.log, re.MULTILINE)

    assert seen == {
        "request-0": ["info", "warning", "error"],
        "request-1": ["debug", "info", "warning", "error"],
        "request-2": ["debug", "warning"],
        "request-3": ["error"],
    }


def test_the_form_of_the_time_changes(own: Server) -> None:
    answer = own.post(LOGGING, {"log_format": "ISO8601"})
    assert answer.status == 200
    assert own.post("/v2/models/talker/infer", {"id": "iso", "inputs": []}).status == 200
    own.wait_for_line("error of iso")

    (line,) = [line for line in own.log.splitlines() if line.endswith("error of iso")]
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \[srv_models\.", line)


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b'{"log_info":false,"log_file":"x"}', 501, "log file location can not be updated through network protocol"),
        (b'{"log_info":false,"log_error":"x"}', 400, "expect boolean for 'log_error', got 'x'"),
        (b'{"log_info":false,"log_format":"x"}', 400, "invalid argument for log_format, got: x"),
        (b'{"log_info":false,"log_warnings":true}', 400, "unknown log setting 'log_warnings'"),
        (b"[1]", 400, "the request body: expected `object`, got `array`"),
        (b'{"log_info":false', 400, "the request body is no valid JSON"),
        (b"[" * 100_000, 400, "the request body"),
    ],
)
def test_a_wrong_change_of_the_log_changes_nothing(own: Server, body: bytes, status: int, text: str) -> None:
    before = own.get(LOGGING).body
    answer = own.post(LOGGING, body)

    assert answer.status == status
    assert text in answer.error()
    assert own.get(LOGGING).body == own.post(LOGGING).body == before


# ---- Traces


def test_trace_settings_for_all_and_for_a_model(own: Server) -> None:
    """The bodies are Triton's; a model follows the settings of all where it has none of its own."""
    file = json.loads(own.get(TRACE).body)["trace_file"]
    assert file.endswith("t.json")

    def body(level: str, rate: int, count: int, frequency: int) -> bytes:
        return (
            f'{{"trace_level":[{level}],"trace_rate":"{rate}","trace_count":"{count}","log_frequency":"{frequency}",'
            f'"trace_file":"{file}","trace_mode":"triton"}}'
        ).encode()

    model = "/v2/models/talker/trace/setting"
    assert own.get(TRACE).body == own.post(TRACE).body == own.get(model).body == body('"OFF"', 1000, -1, 0)
    change = b'{"trace_rate":"5","trace_level":["TIMESTAMPS"],"trace_count":null}'
    assert own.post(TRACE, change).body == body('"TIMESTAMPS"', 5, -1, 0)
    assert own.post(model, b'{"trace_rate":"7","log_frequency":"3"}').body == body('"TIMESTAMPS"', 7, -1, 3)
    assert own.post(TRACE, b'{"trace_level":["TENSORS","TIMESTAMPS"],"trace_count":"9"}').status == 200
    assert own.get(model).body == body('"TIMESTAMPS","TENSORS"', 7, 9, 3)
    assert own.post(model, b'{"trace_rate":null}').body == body('"TIMESTAMPS","TENSORS"', 5, 9, 3)
    assert own.get("/v2/models/silent/trace/setting").body == body('"TIMESTAMPS","TENSORS"', 5, 9, 0)


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        (TRACE, {"trace_rate": "2", "trace_file": "x"}, 501, "trace file location can not be updated through network"),
        (TRACE, {"trace_rate": "2", "trace_file": None}, 501, "trace file location can not be updated through network"),
        (TRACE, {"trace_rate": "2", "rate": "1"}, 400, "unknown trace setting 'rate'"),
        (TRACE, {"trace_rate": 2}, 400, "trace_rate: expected a string, got 2"),
        (TRACE, {"trace_rate": ["2"]}, 400, "trace_rate: expected a string, got ['2']"),
        (TRACE, {"trace_level": "OFF"}, 400, "trace_level: expected a list of strings, got 'OFF'"),
        (TRACE, {"trace_level": []}, 400, "trace_level: expected at least one level, got none"),
        (TRACE, {"trace_level": ["MIN"]}, 400, "Unsupported trace level 'MIN'"),
        (TRACE, {"trace_count": "-2"}, 400, "Unable to parse 'trace_count'. Expecting value >= -1, got: -2"),
        ("/v2/models/nobody/trace/setting", {}, 404, "Request for unknown model: 'nobody' is not found"),
        (
            "/v2/models/talker/versions/1/trace/setting",
            {},
            404,
            "Request for unknown model: 'talker' version 1 is not found",
        ),
    ],
)
def test_a_wrong_change_of_traces_changes_nothing(
    own: Server, path: str, body: dict[str, object], status: int, text: str
) -> None:
    before = own.get(TRACE).body
    answer = own.post(path, body)

    assert answer.status == status
    assert text in answer.error()
    assert own.get(TRACE).body == before


def test_the_model_of_a_read_must_exist_too(own: Server) -> None:
    assert own.get("/v2/models/nobody/trace/setting").status == 404


# ---- gRPC


def test_the_rpcs_change_the_same_settings(own: Server) -> None:
    """Lists of text, where REST has text; no values are its null."""

    async def run() -> None:
        value, log_value = TraceSettingRequestSettingValue, LogSettingsRequestSettingValue
        host, _, port = own.grpc_address.rpartition(":")
        async with Channel(host, int(port)) as channel:
            stub = GRPCInferenceServiceStub(channel)
            settings = {"trace_rate": value(value=["4"]), "trace_level": value(value=["TENSORS", "TIMESTAMPS"])}
            traces = await stub.TraceSetting(TraceSettingRequest(settings=settings))
            assert {key: each.value for key, each in traces.settings.items() if key != "trace_file"} == {
                "trace_level": ["TIMESTAMPS", "TENSORS"],
                "trace_rate": ["4"],
                "trace_count": ["-1"],
                "log_frequency": ["0"],
                "trace_mode": ["triton"],
            }
            cleared = TraceSettingRequest(settings={"trace_level": value()}, model_name="talker")
            assert (await stub.TraceSetting(cleared)).settings["trace_rate"].value == ["4"]

            changes = {"log_info": log_value(bool_param=False), "log_verbose_level": log_value(uint32_param=0)}
            logs = await stub.LogSettings(LogSettingsRequest(settings=changes))
            assert logs == await stub.LogSettings(LogSettingsRequest())
            assert {key: each.to_dict() for key, each in logs.settings.items()} == {
                "log_file": {"stringParam": ""},
                "log_info": {"boolParam": False},
                "log_warning": {"boolParam": True},
                "log_error": {"boolParam": True},
                "log_verbose_level": {"uint32Param": 0},
                "log_format": {"stringParam": "default"},
            }
            for request, text in (
                (LogSettingsRequest({"log_info": log_value(uint32_param=1)}), "expect boolean for 'log_info', got 1"),
                (LogSettingsRequest({"log_info": log_value()}), "settings['log_info']: expected bool_param, uint32"),
            ):
                with pytest.raises(GRPCError) as raised:
                    await stub.LogSettings(request)
                assert raised.value.status is Status.INVALID_ARGUMENT
                assert text in (raised.value.message or "")

    asyncio.run(run())
    assert json.loads(own.get(LOGGING).body)["log_info"] is False


# ---- The start


def test_a_trace_file_in_no_folder_stops_the_server(serve: Serve, tmp_path: Path) -> None:
    server = serve(MODELS / "shared", trace_file=tmp_path / "missing" / "t.json")

    assert server.wait_exit() == 2
    assert "srv: trace_file: expected a file in a folder that exists, got " in server.log


def test_without_a_trace_file_a_warning_says_that_nothing_is_traced(serve: Serve) -> None:
    server = serve(MODELS / "shared" / "identity").wait_started()

    assert json.loads(server.post(TRACE, {"trace_level": ["TIMESTAMPS"]}).body)["trace_file"] == ""
    server.wait_for_line("trace_level is on, and nothing is traced: the setting trace_file names no file")


def test_a_server_that_was_started_to_debug_says_so(serve: Serve) -> None:
    server = serve(MODELS / "shared" / "identity", debug=True).wait_started()

    assert json.loads(server.get(LOGGING).body)["log_verbose_level"] == 1


def test_a_server_that_was_started_to_debug_logs_each_rest_request(serve: Serve) -> None:
    """But not whoever reads the metrics, again and again."""
    server = serve(MODELS / "shared" / "identity", debug=True).wait_started()
    with Rest(server.metrics_port) as metrics:
        assert metrics.request("GET", "/metrics").status == 200
    server.get("/v2/models/identity?%0a")

    server.wait_for_line('"GET /v2/models/identity?%0a HTTP/1.1" 200')
    assert "/metrics HTTP" not in server.log

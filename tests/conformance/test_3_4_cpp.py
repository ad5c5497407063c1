"""3.4: Triton's C++ client: perf_analyzer where it is installed, and its forms of a request where it is not."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tritonclient.grpc as triton
from serving import PATIENCE
from tensors import binary_body, rest_outputs, same

if TYPE_CHECKING:
    from serving import Server

HEADER = "Inference-Header-Content-Length"
PERF_ANALYZER = shutil.which("perf_analyzer")
X = np.arange(32, dtype=np.int32).reshape(2, 16)
needs_perf_analyzer = pytest.mark.skipif(PERF_ANALYZER is None, reason="perf_analyzer is not installed")


@needs_perf_analyzer
@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("simple", []),
        ("simple", ["-b", "8"]),
        ("simple_string", ["--string-data", "12"]),
        ("identity_fp32", ["--shape", "INPUT0:7"]),
        ("simple_sequence", ["--shape", "INPUT:1,1", "--async", "--sequence-length", "5"]),
    ],
    ids=["simple", "batch", "strings", "variable", "sequences"],
)
def test_3_4_perf_analyzer_measures_a_model(
    triton_server: Server, protocol: str, model: str, options: list[str]
) -> None:
    """It reads metadata, configuration and statistics, and every one of its requests succeeds."""
    assert PERF_ANALYZER is not None
    address = triton_server.http_address if protocol == "http" else triton_server.grpc_address
    command = [PERF_ANALYZER, "-m", model, "-i", protocol, "-u", address, "--concurrency-range", "2", *options]
    windows = ["--measurement-mode", "count_windows", "--measurement-request-count", "50", "-r", "3", "-s", "1000"]
    done = subprocess.run([*command, *windows], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"Request count: (\d+)", done.stdout)
    assert found is not None, done.stdout
    assert int(found[1]) >= 50
    assert "Successful request count:" in done.stdout


def test_3_4_the_version_in_statistics_is_a_number(triton_server: Server) -> None:
    """perf_analyzer ends at any other, also where the model has no version."""
    found = json.loads(triton_server.get("/v2/models/simple/stats").body)["model_stats"]
    assert [(each["name"], each["version"]) for each in found] == [("simple", "1")]
    with triton.InferenceServerClient(triton_server.grpc_address) as client:
        answer: Any = client.get_inference_statistics("simple")
    assert [each.version for each in answer.model_stats] == ["1"]


def test_3_4_the_header_is_always_there_and_the_id_may_be_empty(triton_server: Server) -> None:
    """As ``perf_analyzer`` sends it: outputs as binary data, and ``"id":""``."""
    arrays = {"INPUT0:INT32": X, "INPUT1:INT32": X}
    outputs = [{"name": f"OUTPUT{index}", "parameters": {"binary_data": True}} for index in range(2)]
    body, headers = binary_body(arrays, outputs=outputs, id="")
    headers |= {"Content-Type": "application/octet-stream", "User-Agent": "libcurl-agent/1.0", "Accept": "*/*"}
    answer = triton_server.post("/v2/models/simple/infer", body, headers)
    found = rest_outputs(answer)
    assert same(found["OUTPUT0"], X * 2)
    assert same(found["OUTPUT1"], X * 0)
    assert "id" not in json.loads(answer.body[: int(answer.headers[HEADER])])


def test_3_4_parameters_of_an_output_mean_binary_data(triton_server: Server) -> None:
    """The client fails on an output whose parameters have no ``binary_data_size``, so others have none at all."""
    arrays = {"INPUT0:INT32": X, "INPUT1:INT32": X}
    outputs = [{"name": "OUTPUT0", "parameters": {"binary_data": True}}, {"name": "OUTPUT1"}]
    body, headers = binary_body(arrays, outputs=outputs)
    answer = triton_server.post("/v2/models/simple/infer", body, headers)
    first, second = json.loads(answer.body[: int(answer.headers[HEADER])])["outputs"]
    assert first["parameters"]["binary_data_size"] == 128
    assert "parameters" not in second


@pytest.mark.parametrize("body", [b"", b"{}", b'{"parameters":{}}'])
def test_3_4_control_calls_are_json_under_the_type_of_a_form(server: Server, body: bytes) -> None:
    """Curl's default type says nothing about what it carries."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert server.post("/v2/repository/index", body, headers).status == 200
    assert server.post("/v2/repository/models/same_two/load", body, headers).status == 200

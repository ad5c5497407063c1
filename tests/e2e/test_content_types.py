"""Content types of requests, inputs and outputs; codecs of packages; and a runtime's own readiness."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from grpc_client import Grpc
from serving import MODELS, Server, eventually
from tensors import grpc_outputs, grpc_request, pb, rest_outputs

if TYPE_CHECKING:
    from pathlib import Path

    from serving import Gate, Serve


@pytest.fixture(scope="module")
def content(serve_module: Serve) -> Server:
    """Return a server of models that decode."""
    return serve_module(MODELS / "content").wait_started()


def text_input(name: str, text: str, content_type: str | None = None) -> dict[str, object]:
    parameters = {} if content_type is None else {"content_type": content_type}
    return {"name": name, "datatype": "BYTES", "shape": [1], "data": [text], "parameters": parameters}


def test_inputs_are_decoded_before_the_request(content: Server) -> None:
    """By the metadata or by themselves; the request as the model's settings say."""
    inputs = [text_input("when", "2026-11-22T12:00:00Z"), text_input("cell", '{"a": [1]}', "pd_json")]
    answer = content.post("/v2/models/frame/infer", {"inputs": inputs})
    (text,) = rest_outputs(answer)["columns"]
    assert text == b"{'when': ['2026-11-22 12:00:00+00:00'], 'cell': [\"{'a': [1]}\"]}"


def test_a_models_own_codec_counts(content: Server) -> None:
    """For its own requests alone."""
    inputs = [text_input("x", "abc", "reversed")]
    (text,) = rest_outputs(content.post("/v2/models/own/infer", {"inputs": inputs}))["text"]
    assert text == b"cba"
    error = content.post("/v2/models/moody/infer", {"inputs": inputs}).error()
    assert "no input codec for content type 'reversed'; there are 'arrow', 'base64', 'datetime'" in error


UNKNOWN = {
    # of request, input and requested output -> the error
    "request": ("nope", "", "", "parameters.content_type: no request codec for content type 'nope'; there are 'arrow'"),
    "input": ("", "nope", "", "inputs[0].parameters.content_type: no input codec for content type 'nope'; there are"),
    "output": ("", "", "nope", "outputs[0].parameters.content_type: no input codec for content type 'nope'; there are"),
    "an input's for a request": ("base64", "", "", "'base64', which is one of single tensors; there are 'arrow'"),
    "a request's for an input": ("", "pd", "", "'pd', which is one of whole requests; there are 'arrow'"),
    "a request's for an output": ("", "", "pd", "'pd', which is one of whole requests; there are 'arrow'"),
}


@pytest.mark.parametrize(("of_request", "of_input", "of_output", "text"), UNKNOWN.values(), ids=UNKNOWN)
def test_a_content_type_that_nobody_knows_is_an_error(
    server: Server, of_request: str, of_input: str, of_output: str, text: str
) -> None:
    """Over both protocols, in streams too, and of runtimes that never decode: MLServer passes over it in silence."""
    request = grpc_request("identity", {"x:INT32": np.zeros(1, np.int32)})
    body: Any = {"inputs": [{"name": "x", "datatype": "INT32", "shape": [1], "data": [1]}]}
    if of_request:
        request.parameters["content_type"].string_param = of_request
        body["parameters"] = {"content_type": of_request}
    if of_input:
        request.inputs[0].parameters["content_type"].string_param = of_input
        body["inputs"][0]["parameters"] = {"content_type": of_input}
    if of_output:
        request.outputs.add(name="x").parameters["content_type"].string_param = of_output
        body["outputs"] = [{"name": "x", "parameters": {"content_type": of_output}}]
    for path in ("infer", "infer_stream"):
        answer = server.post(f"/v2/models/identity/{path}", body)
        assert (answer.status, text in answer.error()) == (400, True)
    with Grpc(server) as client:
        status, found = client.fails(request)
        assert (status, text in found) == ("INVALID_ARGUMENT", True)
        (streamed,) = client.stream([request])
        assert text in streamed.error_message


@pytest.mark.parametrize("where", ["request", "input", "output"])
def test_a_content_type_that_is_no_text_is_an_error(server: Server, where: str) -> None:
    """With its place."""
    parameters = {"content_type": 5}
    body: Any = {"inputs": [{"name": "x", "datatype": "INT32", "shape": [1], "data": [1]}], "outputs": [{"name": "x"}]}
    place = {"request": body, "input": body["inputs"][0], "output": body["outputs"][0]}[where]
    place["parameters"] = parameters
    prefix = {"request": "", "input": "inputs[0].", "output": "outputs[0]."}[where]
    answer = server.post("/v2/models/identity/infer", body)
    assert (answer.status, answer.error()) == (400, f"{prefix}parameters.content_type: expected a string, got 5")


def test_known_content_types_say_nothing_to_runtimes_that_do_not_decode(server: Server) -> None:
    """A presentation that does not fit the tensor is an error only where somebody asks for it."""
    inputs = [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1], "parameters": {"content_type": "str"}}]
    body = {"inputs": inputs, "parameters": {"content_type": "np"}}
    assert server.post("/v2/models/identity/infer", body).status == 200


PACKAGE = """
from srv.codecs import InputCodec
from srv.types import ResponseOutput

class Money:
    def __init__(self, cents):
        self.cents = cents

class MoneyCodec(InputCodec):
    ContentType = "money"
    TypeHint = Money

    @classmethod
    def can_encode(cls, payload):
        return isinstance(payload, Money)

    @classmethod
    def encode_output(cls, name, payload, **kwargs):
        return ResponseOutput(name=name, datatype="INT64", shape=[1], data=[payload.cents])

    @classmethod
    def decode_input(cls, request_input):
        return Money(request_input.data[0])
"""
RUNTIMES = """
from srv import MLModel, decode_args
from srv.types import InferenceResponse
from offered_money import Money

class ByHint(MLModel):
    @decode_args
    def predict(self, x: Money) -> Money:
        return Money(x.cents * 2)

class ByName(MLModel):
    def predict(self, payload):
        money = self.decode(payload.inputs[0])
        return InferenceResponse(outputs=[self.encode(Money(money.cents * 2), payload.outputs[0])])
"""


def test_a_codec_of_an_installed_package_is_found(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By content type and by hint; one that is broken stops nobody."""
    site = tmp_path / "site"
    info = site / "offered_money-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "offered_money.py").write_text(PACKAGE, encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offered-money\nVersion: 1.0\n", encoding="utf-8")
    entries = "[srv.input_codecs]\nmoney = offered_money:MoneyCodec\nbroken = offered_money:Nothing\n"
    (info / "entry_points.txt").write_text(entries, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])]))
    models = tmp_path / "models"
    for name in ("ByHint", "ByName"):
        folder = models / name
        folder.mkdir(parents=True)
        (folder / "models.py").write_text(RUNTIMES, encoding="utf-8")
        settings = {"name": name, "implementation": f"models.{name}"}
        (folder / "model-settings.json").write_text(json.dumps(settings), encoding="utf-8")
    server = serve(models).wait_started()
    server.faults_expected = True  # the warning of the broken one has a traceback
    tensor: dict[str, Any] = {"name": "x", "datatype": "INT64", "shape": [1], "data": [21]}
    answer = server.post("/v2/models/ByHint/infer", {"inputs": [tensor]})
    assert rest_outputs(answer)["output-0"] == [42]
    typed = {**tensor, "parameters": {"content_type": "money"}}
    answer = server.post("/v2/models/ByName/infer", {"inputs": [typed], "outputs": [{"name": "y"}]})
    assert rest_outputs(answer)["y"] == [42]
    broken = {**tensor, "parameters": {"content_type": "broken"}}
    answer = server.post("/v2/models/ByName/infer", {"inputs": [broken], "outputs": [{"name": "y"}]})
    assert answer.error() == (
        "input 'x': the input codec for content type 'broken', offered_money:Nothing of offered-money, "
        "cannot be loaded (AttributeError)"
    )
    assert server.get("/v2/health/ready").status == 200


def test_a_model_of_an_unknown_content_type_is_unavailable_with_the_reason(serve: Serve, tmp_path: Path) -> None:
    """And stops no other."""
    code = "from srv import MLModel\nclass M(MLModel):\n    def predict(self, payload): ...\n"
    for name, parameters in (("good", {}), ("bad", {"content_type": "nope"})):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "models.py").write_text(code, encoding="utf-8")
        settings = {"name": name, "implementation": "models.M", "parameters": parameters}
        (folder / "model-settings.json").write_text(json.dumps(settings), encoding="utf-8")
    server = serve(tmp_path).wait_started()
    index: Any = server.post("/v2/repository/index").json()
    states = {each["name"]: (each["state"], each.get("reason", "")) for each in index}
    assert states["good"] == ("READY", "")
    state, reason = states["bad"]
    text = "parameters.content_type: no request codec for content type 'nope'; there are 'arrow'"
    assert (state, text in reason) == ("UNAVAILABLE", True)


def test_a_runtime_may_say_that_it_is_not_ready(content: Server, gate: Gate) -> None:
    """Then readiness, requests and the index follow, over both protocols; and when it is ready again."""
    body = {"parameters": {"port": gate.port}, "inputs": []}
    assert content.post("/v2/models/moody/infer", body).status == 200
    visit = gate.wait()
    assert content.get("/v2/models/moody/ready").status == 503
    assert content.get("/v2/health/ready").status == 503
    answer = content.post("/v2/models/moody/infer", body)
    assert (answer.status, answer.error()) == (503, "model 'moody' is not ready: its runtime says so")
    index: Any = content.post("/v2/repository/index").json()
    assert [each for each in index if each["name"] == "moody"] == [
        {"name": "moody", "state": "UNAVAILABLE", "reason": "its runtime is not ready"}
    ]
    with Grpc(content) as client:
        request = pb.ModelInferRequest(model_name="moody")
        assert client.fails(request)[0] == "UNAVAILABLE"
        assert content.post("/v2/models/own/infer", {"inputs": [text_input("x", "ab")]}).status == 200
        visit.release()
        eventually(lambda: content.get("/v2/models/moody/ready").status == 200, lambda: content.log)
        assert content.get("/v2/health/ready").status == 200
        request.parameters["port"].int64_param = gate.port
        assert not grpc_outputs(client.infer(request))
    gate.wait().release()

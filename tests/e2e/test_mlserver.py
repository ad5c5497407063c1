"""MLServer's example folders, runtimes that import mlserver from installed packages, and its errors' statuses."""

from __future__ import annotations

import importlib.util
import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from calling import call, call_stream
from serving import MODELS

from srv_protocol.inference import InferInputTensor, InferRequestedOutputTensor, InferTensorContents, ModelInferRequest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from serving import Serve, Server

FOLDERS = MODELS / "mlserver"
EXAMPLES = ("custom", "custom-json", "content-type", "streaming")


@pytest.fixture(scope="module")
def examples(serve_module: Serve) -> Mapping[str, Server]:
    """Return a server of each example folder, with the folder's own settings but for the metrics' address."""
    servers = {name: serve_module(FOLDERS / name, metrics_endpoint="/metrics") for name in EXAMPLES}
    return {name: server.wait_started() for name, server in servers.items()}


def text_request(model: str, name: str, *texts: str, **parameters: str) -> ModelInferRequest:
    contents = InferTensorContents(bytes_contents=[each.encode() for each in texts])
    return ModelInferRequest(
        model, inputs=[InferInputTensor(name, "BYTES", [len(texts)], parameters, contents=contents)]
    )


# ---- custom


def test_the_custom_example_over_rest(examples: Mapping[str, Server]) -> None:
    """Inputs of `Optional[np.ndarray]` may be left out; what it answers is a 0-d array."""
    body = {"inputs": [{"name": "marriage", "shape": [1], "datatype": "FP32", "data": [2.0]}]}

    answer = examples["custom"].post("/v2/models/numpyro-divorce/infer", body)

    assert answer.json() == {
        "model_name": "numpyro-divorce",
        "outputs": [{"name": "output-0", "shape": [1], "datatype": "FP64", "data": [0.625]}],
    }


def test_the_custom_example_over_grpc(examples: Mapping[str, Server]) -> None:
    contents = InferTensorContents(fp32_contents=[2.0])
    tensors = [InferInputTensor(each, "FP32", [1], contents=contents) for each in ("marriage", "age")]

    response, _ = call(examples["custom"].grpc_address, ModelInferRequest("numpyro-divorce", inputs=tensors))

    assert response.outputs[0].contents is not None
    assert list(response.outputs[0].contents.fp64_contents) == [-0.125]


# ---- custom-json


HELLO = {"name": "Foo Bar", "message": "Hello from Client (REST)!"}


def test_the_custom_json_example_over_rest(examples: Mapping[str, Server]) -> None:
    """Its request and its answer are one string as long as the shape says."""
    text = json.dumps(HELLO)
    tensor = {"name": "echo_request", "shape": [len(text)], "datatype": "BYTES", "data": [text]}

    answer: Any = examples["custom-json"].post("/v2/models/json-hello-world/infer", {"inputs": [tensor]}).json()

    (output,) = answer["outputs"]
    assert (answer["model_name"], output["name"]) == ("json-hello-world", "echo_response")
    assert json.loads(output["data"][0]) == {
        "request": {"echo_request": HELLO},
        "server_response": "Got your request. Hello from the server.",
    }


def test_the_custom_json_example_over_grpc(examples: Mapping[str, Server]) -> None:
    text = json.dumps(HELLO).encode()
    contents = InferTensorContents(bytes_contents=[text])
    tensor = InferInputTensor("echo_request", "BYTES", [len(text)], contents=contents)

    response, _ = call(examples["custom-json"].grpc_address, ModelInferRequest("json-hello-world", inputs=[tensor]))

    assert response.outputs[0].contents is not None
    assert json.loads(response.outputs[0].contents.bytes_contents[0])["request"] == {"echo_request": HELLO}


# ---- content-type


def test_the_content_type_example_over_rest(examples: Mapping[str, Server]) -> None:
    """It prints each input as MLServer's `dict()` gives it, and as its content type presents it."""
    server = examples["content-type"]
    tensors = [
        {"name": "n", "datatype": "INT32", "shape": [2, 2], "parameters": {"content_type": "np"}, "data": [1, 2, 3, 4]},
        {"name": "s", "datatype": "BYTES", "shape": [11], "parameters": {"content_type": "str"}, "data": "hello world"},
    ]
    body = {"parameters": {"content_type": "pd"}, "inputs": tensors}

    answer: Any = server.post("/v2/models/content-type-example/infer", body).json()

    assert [each["data"] for each in answer["outputs"]] == [[1, 2, 3, 4], ["hello world"]]
    server.wait_for_line("------ Decoded input (s) ------")
    server.wait_for_line("['hello world']")
    server.wait_for_line('    "content_type": "np"')
    assert "[[1 2]" in server.log


def test_the_content_type_example_over_grpc(examples: Mapping[str, Server]) -> None:
    x = np.arange(4, dtype="<i4").reshape(2, 2)
    request = ModelInferRequest(
        "content-type-example",
        inputs=[InferInputTensor("x", "INT32", [2, 2], {"content_type": "np"})],
        raw_input_contents=[x.tobytes()],
    )

    response, _ = call(examples["content-type"].grpc_address, request)

    assert response.raw_output_contents == [x.tobytes()]


# ---- streaming


WORDS = ["What", " is", " the", " capital", " of", " France?"]
PROMPT = "".join(WORDS)


@pytest.mark.parametrize("verb", ["infer_stream", "generate_stream"])
def test_the_streaming_example_over_rest(examples: Mapping[str, Server], verb: str) -> None:
    """Each word is an event of its own."""
    tensor = {"name": "prompt", "shape": [1], "datatype": "BYTES", "data": [PROMPT]}
    body = {"inputs": [tensor | {"parameters": {"content_type": "str"}}], "outputs": [{"name": "output"}]}

    answer = examples["streaming"].post(f"/v2/models/text-model/{verb}", body)

    events = [json.loads(each.removeprefix("data: ")) for each in answer.body.decode().split("\n\n") if each]
    assert [each["outputs"][0]["data"] for each in events] == [[word] for word in WORDS]


def test_the_streaming_example_over_grpc(examples: Mapping[str, Server]) -> None:
    responses = call_stream(
        examples["streaming"].grpc_address, text_request("text-model", "prompt", PROMPT, content_type="str")
    )

    raw = [each.infer_response.raw_output_contents[0] for each in responses if each.infer_response is not None]
    assert [bytes(each[4:]).decode() for each in raw] == WORDS


# ---- sklearn, model-repository: MLServer's own runtime, from its package


needs_sklearn_runtime = pytest.mark.skipif(
    importlib.util.find_spec("mlserver_sklearn") is None, reason="the package mlserver-sklearn is not installed"
)
ROWS = [[0.0, 0.0], [9.0, 9.0]]
INPUT = {"name": "predict", "shape": [2, 2], "datatype": "FP32", "data": ROWS}


def train(path: Path, *labels: int) -> None:
    joblib = pytest.importorskip("joblib")
    tree = pytest.importorskip("sklearn.tree")
    joblib.dump(tree.DecisionTreeClassifier().fit(ROWS, labels), path)


@needs_sklearn_runtime
def test_the_sklearn_example(serve: Serve, tmp_path: Path) -> None:
    """The model is the file that `uri` names; one of the requested outputs that there is not is the client's fault."""
    folder = shutil.copytree(FOLDERS / "sklearn", tmp_path / "sklearn")
    train(folder / "mnist-svm.joblib", 0, 8)
    server = serve(folder).wait_started()

    answer: Any = server.post("/v2/models/mnist-svm/versions/v0.1.0/infer", {"inputs": [INPUT]}).json()
    assert (answer["model_version"], answer["outputs"][0]["name"]) == ("v0.1.0", "predict")
    assert answer["outputs"][0]["data"] == [0, 8]

    asked = {"inputs": [INPUT], "outputs": [{"name": "predict_proba"}]}
    answer = server.post("/v2/models/mnist-svm/infer", asked).json()
    assert (answer["outputs"][0]["name"], answer["outputs"][0]["data"]) == ("predict_proba", [1, 0, 0, 1])

    refused = server.post("/v2/models/mnist-svm/infer", {"inputs": [INPUT], "outputs": [{"name": "guess"}]})
    assert (refused.status, "SKLearnModel only supports" in refused.error()) == (400, True)

    raw = np.array(ROWS, "<f4").tobytes()
    request = ModelInferRequest(
        "mnist-svm",
        inputs=[InferInputTensor("predict", "FP32", [2, 2])],
        outputs=[InferRequestedOutputTensor("predict")],
        raw_input_contents=[raw],
    )
    response, _ = call(server.grpc_address, request)
    assert np.frombuffer(response.raw_output_contents[0], "<i8").tolist() == [0, 8]


@needs_sklearn_runtime
def test_the_model_repository_example(serve: Serve, tmp_path: Path) -> None:
    """Several models and versions, each with its artefact under a well-known name; unload and load while serving."""
    folder = shutil.copytree(FOLDERS / "model-repository", tmp_path / "model-repository")
    for name, labels in (("mnist-svm", (0, 8)), ("mnist-svm-v2", (1, 2)), ("mushroom-tree", (0, 1))):
        train(folder / "models" / name / "model.joblib", *labels)
    server = serve(folder).wait_started()

    index: Any = server.post("/v2/repository/index", {}).json()
    assert [(each["name"], each.get("version"), each["state"]) for each in index] == [
        ("mnist-svm", "v0.1.0", "READY"),
        ("mnist-svm", "v0.2.0", "READY"),
        ("mushroom-tree", None, "READY"),
    ]
    found: Any = [
        server.post(path, {"inputs": [INPUT]}).json()
        for path in (
            "/v2/models/mnist-svm/versions/v0.1.0/infer",
            "/v2/models/mnist-svm/infer",
            "/v2/models/mushroom-tree/infer",
        )
    ]
    assert [each["outputs"][0]["data"] for each in found] == [[0, 8], [1, 2], [1, 0, 0, 1]]

    assert server.post("/v2/repository/models/mushroom-tree/unload").status == 200
    assert server.post("/v2/models/mushroom-tree/infer", {"inputs": [INPUT]}).status == 404
    assert server.post("/v2/repository/models/mushroom-tree/load").status == 200
    assert server.post("/v2/models/mushroom-tree/infer", {"inputs": [INPUT]}).status == 200


# ---- Installed packages


def write_model(folder: Path, implementation: str, source: str = "") -> Path:
    folder.mkdir(parents=True)
    settings = {"name": folder.name, "implementation": implementation}
    (folder / "model-settings.json").write_text(json.dumps(settings), encoding="utf-8")
    if source:
        # A server of which no model could be loaded ends with another status.
        write_model(folder.parent / "good", "srv.MLModel")
        (folder / "models.py").write_text(source, encoding="utf-8")
    return folder


PACKAGED = """
from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.codecs.decorator import decode_args
from typing import List

class Shout(MLModel):
    @decode_args
    async def predict(self, text: List[str]) -> List[str]:
        return [each.upper() for each in text]
"""


def test_an_installed_package_may_import_mlserver(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "acme_runtime.py").write_text(PACKAGED, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"), prepend=":")
    write_model(tmp_path / "models" / "shout", "acme_runtime.Shout")
    server = serve(tmp_path / "models").wait_started()

    response, _ = call(server.grpc_address, text_request("shout", "text", "a", "b"))

    assert response.outputs[0].contents is not None
    assert response.outputs[0].contents.bytes_contents == [b"A", b"B"]


def test_a_runtime_of_the_real_mlserver_does_not_load_and_is_told_why(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installed MLServer is what `import mlserver` finds."""
    real = tmp_path / "site" / "mlserver"
    real.mkdir(parents=True)
    (real / "__init__.py").write_text("class MLModel: pass\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"), prepend=":")
    write_model(tmp_path / "models" / "m", "models.M", "from mlserver import MLModel\nclass M(MLModel): pass\n")
    server = serve(tmp_path / "models").wait_started()

    error = server.post("/v2/repository/models/m/load").error()

    assert "expected a subclass of srv's MLModel, got one of MLServer's own, which is installed" in error
    assert "uninstall mlserver" in error


def test_what_srv_does_not_have_says_so(serve: Serve, tmp_path: Path) -> None:
    write_model(tmp_path / "models" / "m", "models.M", "from mlserver.parallel import InferencePool\n")
    server = serve(tmp_path / "models").wait_started()

    error = server.post("/v2/repository/models/m/load").error()

    assert "srv has no counterpart of mlserver.parallel" in error


# ---- Errors

RAISES = """
from mlserver import MLModel, errors

class Mine(errors.MLServerError):
    def __init__(self):
        super().__init__("of mine", 409)

ERRORS = {
    "plain": lambda: errors.MLServerError("plain"),
    "status": lambda: errors.MLServerError("status", 422),
    "keyword": lambda: errors.MLServerError("keyword", status_code=404),
    "server": lambda: errors.MLServerError("server", status_code=500),
    "odd": lambda: errors.MLServerError("odd", status_code=418),
    "nonsense": lambda: errors.MLServerError("nonsense", status_code=200),
    "own": Mine,
    "not-found": lambda: errors.ModelNotFound("other", "v2"),
    "inference": lambda: errors.InferenceError("not like this"),
    "uri": lambda: errors.InvalidModelURI("m", "nowhere"),
}

class M(MLModel):
    async def predict(self, payload):
        raise ERRORS[payload.inputs[0].data[0] if isinstance(payload.inputs[0].data[0], str)
                     else payload.inputs[0].data[0].decode()]()
"""
STATUSES = {
    "plain": (400, "INVALID_ARGUMENT", "plain"),
    "status": (422, "FAILED_PRECONDITION", "status"),
    "keyword": (404, "NOT_FOUND", "keyword"),
    "server": (500, "INTERNAL", "server"),
    "odd": (418, "UNKNOWN", "odd"),
    "nonsense": (500, "INTERNAL", "nonsense"),
    "own": (409, "ABORTED", "of mine"),
    "not-found": (404, "NOT_FOUND", "Request for unknown model: 'other' version v2 is not found"),
    "inference": (400, "INVALID_ARGUMENT", "not like this"),
    "uri": (422, "FAILED_PRECONDITION", "Invalid URI specified for model m (nowhere)"),
}


@pytest.fixture(scope="module")
def raising(serve_module: Serve, tmp_path_factory: pytest.TempPathFactory) -> Server:
    folder = tmp_path_factory.mktemp("models")
    write_model(folder / "m", "models.M", RAISES)
    return serve_module(folder).wait_started()


@pytest.mark.parametrize("case", STATUSES)
def test_the_status_that_a_runtime_names_is_the_answers(raising: Server, case: str) -> None:
    from grpclib.exceptions import GRPCError

    http, status, text = STATUSES[case]
    tensor = {"name": "case", "shape": [1], "datatype": "BYTES", "data": [case]}

    answer = raising.post("/v2/models/m/infer", {"inputs": [tensor]})
    with pytest.raises(GRPCError) as caught:
        call(raising.grpc_address, text_request("m", "case", case))

    assert (answer.status, answer.error()) == (http, text)
    assert (caught.value.status.name, caught.value.message) == (status, text)

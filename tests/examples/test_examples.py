"""Every example answers over JSON, over binary REST where it has numbers, and over gRPC."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from calling import call, call_stream
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from srv_protocol.inference import (
    InferInputTensor,
    InferRequestedOutputTensor,
    InferTensorContents,
    ModelInferRequest,
    Parameters,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray
    from serving import Answer, Server

EXAMPLES = Path(__file__).parents[2] / "examples"
X = np.array([[1, 2, 3], [4, 5, 6]], "<f4")
FLOWERS = np.array([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]], "<f8")
QUESTIONS = ["When does the ferry leave?", "Who bakes the bread?"]
CONTEXT = ["The ferry leaves at seven.", "Rye bread comes from the bakery."]

WITHOUT_SKLEARN = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name == "sklearn":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
"""


def raw(model: str, **inputs: NDArray[np.generic]) -> ModelInferRequest:
    """Return a request with raw tensors."""
    datatypes = {"<f4": "FP32", "<f8": "FP64", "<i8": "INT64"}
    return ModelInferRequest(
        model_name=model,
        inputs=[InferInputTensor(name, datatypes[array.dtype.str], array.shape) for name, array in inputs.items()],
        raw_input_contents=[array.tobytes() for array in inputs.values()],
    )


def text_tensor(name: str, texts: list[str]) -> dict[str, object]:
    return {"name": name, "datatype": "BYTES", "shape": [len(texts)], "data": texts}


def infer(server: Server, model: str, *inputs: Mapping[str, object]) -> Answer:
    """Send a request as JSON."""
    return server.post(f"/v2/models/{model}/infer", {"inputs": inputs})


def content(answer: Answer) -> Any:
    return json.loads(answer.body)


def post_binary(server: Server, model: str, header: Mapping[str, object], *tail: bytes) -> Answer:
    """Send JSON with binary tensors behind it."""
    encoded = json.dumps(header).encode()
    return server.post(
        f"/v2/models/{model}/infer",
        b"".join((encoded, *tail)),
        {"Inference-Header-Content-Length": str(len(encoded))},
    )


def split_binary(answer: Answer) -> tuple[Any, bytes]:
    assert answer.status == 200, answer.body
    size = int(answer.headers["Inference-Header-Content-Length"])
    return json.loads(answer.body[:size]), answer.body[size:]


def test_every_example_is_ready(examples: Server) -> None:
    folders = sorted(path.parent.name for path in EXAMPLES.glob("*/model-settings.json"))

    assert folders == ["echo-headers", "iris", "stream", "sum-model", "text-match"]
    assert {"models": folders} == content(examples.get("/v2/models"))
    assert content(examples.get("/v2/health/ready")) == {"live": True, "ready": True}


def test_every_example_has_its_own_readme() -> None:
    for folder in EXAMPLES.glob("*/"):
        if not folder.name.startswith(("_", ".")):
            assert (folder / "README.md").is_file()


# ---- sum-model


def test_sum_model_over_json(examples: Server) -> None:
    answer = infer(
        examples, "sum-model", {"name": "x", "datatype": "FP32", "shape": [2, 3], "data": [[1, 2, 3], [4, 5, 6]]}
    )

    assert answer.status == 200
    (output,) = content(answer)["outputs"]
    assert (output["datatype"], output["shape"], output["data"]) == ("FP32", [2, 1], [6.0, 15.0])


def test_sum_model_over_binary_rest(examples: Server) -> None:
    header = {
        "inputs": [
            {"name": "x", "datatype": "FP32", "shape": X.shape, "parameters": {"binary_data_size": X.nbytes}},
        ],
        "parameters": {"binary_data_output": True},
    }

    described, tail = split_binary(post_binary(examples, "sum-model", header, X.tobytes()))

    assert described["outputs"][0]["shape"] == [2, 1]
    assert np.frombuffer(tail, "<f4").tolist() == [6.0, 15.0]


def test_sum_model_over_grpc_raw(examples: Server) -> None:
    response, _ = call(examples.grpc_address, raw("sum-model", x=X))

    assert np.frombuffer(response.raw_output_contents[0], "<f4").tolist() == [6.0, 15.0]


def test_sum_model_over_grpc_typed(examples: Server) -> None:
    """A client that sends typed contents gets typed contents."""
    contents = InferTensorContents(fp32_contents=[1, 2, 3])

    response, _ = call(
        examples.grpc_address,
        ModelInferRequest("sum-model", inputs=[InferInputTensor("x", "FP32", [1, 3], contents=contents)]),
    )

    assert not response.raw_output_contents
    assert response.outputs[0].contents is not None
    assert list(response.outputs[0].contents.fp32_contents) == [6.0]


# ---- text-match


def test_text_match_over_json(examples: Server) -> None:
    answer = infer(examples, "text-match", text_tensor("questions", QUESTIONS), text_tensor("context", CONTEXT))

    assert answer.status == 200
    (output,) = content(answer)["outputs"]
    scores = np.array(output["data"]).reshape(output["shape"])
    assert scores.shape == (2, 2)
    assert scores.argmax(axis=1).tolist() == [0, 1]


def test_text_match_over_binary_rest(examples: Server) -> None:
    tails = [b"".join(struct.pack("<I", len(text)) + text.encode() for text in texts) for texts in (QUESTIONS, CONTEXT)]
    header = {
        "inputs": [
            {"name": name, "datatype": "BYTES", "shape": [2], "parameters": {"binary_data_size": len(tail)}}
            for name, tail in zip(("questions", "context"), tails, strict=True)
        ],
        "parameters": {"binary_data_output": True},
    }

    _, tail = split_binary(post_binary(examples, "text-match", header, *tails))

    assert np.frombuffer(tail, "<f8").reshape(2, 2).argmax(axis=1).tolist() == [0, 1]


def test_text_match_over_grpc(examples: Server) -> None:
    inputs = [
        InferInputTensor(name, "BYTES", [2], contents=InferTensorContents(bytes_contents=[t.encode() for t in texts]))
        for name, texts in (("questions", QUESTIONS), ("context", CONTEXT))
    ]

    response, _ = call(examples.grpc_address, ModelInferRequest("text-match", inputs=inputs))

    (output,) = response.outputs
    assert output.contents is not None
    assert np.array(output.contents.fp64_contents).reshape(output.shape).argmax(axis=1).tolist() == [0, 1]


def test_an_input_that_is_missing_is_named(examples: Server) -> None:
    answer = infer(examples, "text-match", text_tensor("questions", QUESTIONS))

    assert answer.status == 400
    assert "'context'" in content(answer)["error"]


# ---- iris


def test_iris_metadata(examples: Server) -> None:
    metadata = content(examples.get("/v2/models/iris"))

    assert (metadata["name"], metadata["versions"], metadata["platform"]) == ("iris", ["1"], "sklearn")
    assert metadata["inputs"] == [{"name": "measurements", "datatype": "FP64", "shape": [-1, 4]}]
    assert [each["name"] for each in metadata["outputs"]] == ["label", "probabilities", "species"]


def test_iris_over_json(examples: Server) -> None:
    answer = infer(
        examples, "iris", {"name": "measurements", "datatype": "FP64", "shape": [2, 4], "data": FLOWERS.tolist()}
    )

    assert answer.status == 200
    outputs = {each["name"]: each for each in content(answer)["outputs"]}
    declared = {each["name"]: each for each in content(examples.get("/v2/models/iris"))["outputs"]}
    assert declared.keys() == outputs.keys()
    assert outputs["label"]["data"] == [0, 2]
    assert outputs["species"]["data"] == ["setosa", "virginica"]
    assert outputs["probabilities"]["shape"] == [2, 3]
    for name, output in outputs.items():
        assert declared[name]["datatype"] == output["datatype"]
        assert len(declared[name]["shape"]) == len(output["shape"])
        assert all(size in (-1, got) for size, got in zip(declared[name]["shape"], output["shape"], strict=True))


def test_iris_gives_only_the_outputs_that_were_asked_for(examples: Server) -> None:
    """Here over binary REST, one output as binary data and one as JSON."""
    header = {
        "inputs": [
            {
                "name": "measurements",
                "datatype": "FP64",
                "shape": FLOWERS.shape,
                "parameters": {"binary_data_size": FLOWERS.nbytes},
            }
        ],
        "outputs": [{"name": "species"}, {"name": "label", "parameters": {"binary_data": True}}],
    }

    described, tail = split_binary(post_binary(examples, "iris", header, FLOWERS.tobytes()))

    species, label = described["outputs"]
    assert species["data"] == ["setosa", "virginica"]
    assert label["parameters"]["binary_data_size"] == 16
    assert np.frombuffer(tail, "<i8").tolist() == [0, 2]


def test_iris_over_grpc(examples: Server) -> None:
    request = raw("iris", measurements=FLOWERS)
    request.outputs = [InferRequestedOutputTensor("label")]

    response, _ = call(examples.grpc_address, request)

    assert (response.model_name, response.model_version) == ("iris", "1")
    assert np.frombuffer(response.raw_output_contents[0], "<i8").tolist() == [0, 2]


def test_iris_says_which_shape_it_expects(examples: Server) -> None:
    answer = infer(examples, "iris", {"name": "measurements", "datatype": "FP64", "shape": [1, 3], "data": [1, 2, 3]})

    assert answer.status == 400
    assert "Expected [-1,4], got [1,3]" in content(answer)["error"]


def test_iris_refuses_what_it_cannot_classify(examples: Server) -> None:
    answer = infer(examples, "iris", {"name": "measurements", "datatype": "FP64", "shape": [1, 4], "data": [None] * 4})

    assert answer.status == 400
    assert content(answer) == {"error": "measurements: expected finite numbers"}


# ---- echo-headers


def test_echo_headers_over_rest(examples: Server) -> None:
    body = {"id": "a", "inputs": [{"name": "x", "datatype": "INT64", "shape": [3], "data": [1, 2, 3]}]}

    answer = examples.post("/v2/models/echo-headers/infer", body, {"X-Tenant": "north"})

    assert answer.status == 200
    assert answer.headers["x-tenant"] == "north"
    assert content(answer) == {
        "model_name": "echo-headers",
        "id": "a",
        "outputs": [{"name": "x", "datatype": "INT64", "shape": [3], "data": [1, 2, 3]}],
    }


def test_echo_headers_over_binary_rest(examples: Server) -> None:
    header = {
        "inputs": [{"name": "x", "datatype": "FP32", "shape": X.shape, "parameters": {"binary_data_size": X.nbytes}}],
        "parameters": {"binary_data_output": True},
    }

    _, tail = split_binary(post_binary(examples, "echo-headers", header, X.tobytes()))

    assert X.tobytes() == tail


def test_echo_headers_over_grpc(examples: Server) -> None:
    response, metadata = call(examples.grpc_address, raw("echo-headers", x=X), {"x-tenant": "south"})

    assert X.tobytes() == bytes(response.raw_output_contents[0])
    assert metadata["x-tenant"] == "south"


# ---- stream


def test_stream_over_rest(examples: Server) -> None:
    body = {"id": "7", "inputs": [text_tensor("prompt", ["The fox"])]}

    answer = examples.post("/v2/models/stream/infer_stream", body)

    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(event.removeprefix("data: ")) for event in answer.body.decode().split("\n\n") if event]
    assert {"7"} == {event["id"] for event in events}
    words = [event["outputs"][0]["data"][0] for event in events]
    assert " ".join(words) == "who lived near the ferry took no foxes."


def test_stream_over_grpc(examples: Server) -> None:
    prompt = InferInputTensor("prompt", "BYTES", [1], contents=InferTensorContents(bytes_contents=[b"The fox"]))
    request = ModelInferRequest("stream", parameters=Parameters(max_tokens=3), inputs=[prompt])

    responses = call_stream(examples.grpc_address, request)

    tokens: list[bytes] = []
    for each in responses:
        assert not each.error_message
        assert each.infer_response is not None
        (token,) = each.infer_response.raw_output_contents
        tokens.append(bytes(token)[4:])
    assert tokens == [b"who", b"lived", b"near"]


def test_stream_has_no_single_answer(examples: Server) -> None:
    answer = infer(examples, "stream", text_tensor("prompt", ["The fox"]))

    assert answer.status == 501
    assert "decoupled" in content(answer)["error"]


def test_an_error_before_the_first_token_has_a_status_of_its_own(examples: Server) -> None:
    answer = examples.post("/v2/models/stream/infer_stream", {"inputs": [text_tensor("prompt", ["zebra"])]})

    assert answer.status == 400
    assert content(answer) == {"error": "prompt: expected to end with a word of tale.txt, got 'zebra'"}


# ---- A dependency that is missing


def test_without_scikit_learn_only_its_models_are_unavailable(
    serve: Callable[[Path], Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They say what to install, and the others answer."""
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_SKLEARN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    served = serve(EXAMPLES).wait_started()

    index = {each["name"]: each for each in content(served.post("/v2/repository/index"))}
    for name in ("iris", "text-match"):
        assert index[name]["state"] == "UNAVAILABLE"
        assert index[name]["reason"].endswith("No module named 'sklearn'; install it: pip install scikit-learn")
        assert f"failed to load '{name}'" in served.log
    assert infer(served, "iris").status == 404
    assert served.get("/v2/health/ready").status == 503
    for name in ("sum-model", "echo-headers", "stream"):
        assert index[name]["state"] == "READY"
    assert infer(served, "sum-model", {"name": "x", "datatype": "FP32", "shape": [1], "data": [1]}).status == 200
    with pytest.raises(GRPCError) as caught:
        call(served.grpc_address, raw("iris", measurements=FLOWERS))
    assert caught.value.status is Status.NOT_FOUND

"""The runtimes of the page "Custom Inference Runtimes" in MLServer's documentation, as they stand there.

Their model stands in for the page's placeholder; signatures, hints, ``model`` for ``name`` and file names are its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from calling import call

from srv_protocol.inference import InferInputTensor, InferTensorContents, ModelInferRequest

if TYPE_CHECKING:
    from serving import Server

QUESTIONS = ["when does it rain", "who sings"]
CONTEXT = ["it does not rain today", "birds fly"]


def test_folders_with_the_same_module_and_class_are_models_of_their_own(documented: Server) -> None:
    assert documented.get("/v2/models").json() == {"models": ["advanced", "headers", "simplified"]}


def test_the_advanced_interface_over_rest(documented: Server) -> None:
    tensor = {"name": "x", "datatype": "INT64", "shape": [2, 2], "data": [1, 2, 3, 4]}

    answer = documented.post("/v2/models/advanced/infer", {"id": "1", "inputs": [tensor]})

    assert answer.json() == {
        "model_name": "advanced",
        "id": "1",
        "outputs": [{"name": "sum-x", "shape": [1], "datatype": "INT64", "data": [10]}],
    }


def test_the_advanced_interface_over_grpc(documented: Server) -> None:
    contents = InferTensorContents(int64_contents=[1, 2, 3, 4])
    tensor = InferInputTensor("x", "INT64", [2, 2], contents=contents)

    response, _ = call(documented.grpc_address, ModelInferRequest("advanced", inputs=[tensor]))

    (output,) = response.outputs
    assert (output.name, output.shape) == ("sum-x", [1])
    assert output.contents is not None
    assert list(output.contents.int64_contents) == [10]


def test_the_simplified_interface_over_rest(documented: Server) -> None:
    tensors = [
        {"name": name, "datatype": "BYTES", "shape": [2], "data": texts}
        for name, texts in (("questions", QUESTIONS), ("context", CONTEXT))
    ]

    answer = documented.post("/v2/models/simplified/infer", {"inputs": tensors})

    assert answer.json() == {
        "model_name": "simplified",
        "outputs": [{"name": "output-0", "shape": [2, 1], "datatype": "INT64", "data": [3, 0]}],
    }


def test_the_simplified_interface_over_grpc(documented: Server) -> None:
    tensors = [
        InferInputTensor(name, "BYTES", [2], contents=InferTensorContents(bytes_contents=[t.encode() for t in texts]))
        for name, texts in (("questions", QUESTIONS), ("context", CONTEXT))
    ]

    response, _ = call(documented.grpc_address, ModelInferRequest("simplified", inputs=tensors))

    (output,) = response.outputs
    assert (output.name, output.datatype, output.shape) == ("output-0", "INT64", [2, 1])
    assert output.contents is not None
    assert list(output.contents.int64_contents) == [3, 0]


def test_the_simplified_interface_over_grpc_with_raw_contents(documented: Server) -> None:
    raw: list[bytes | memoryview] = [
        b"".join(len(t).to_bytes(4, "little") + t.encode() for t in texts) for texts in (QUESTIONS, CONTEXT)
    ]
    tensors = [InferInputTensor(name, "BYTES", [2]) for name in ("questions", "context")]

    response, _ = call(documented.grpc_address, ModelInferRequest("simplified", inputs=tensors, raw_input_contents=raw))

    assert np.frombuffer(response.raw_output_contents[0], "<i8").tolist() == [3, 0]


def test_headers_over_rest(documented: Server) -> None:
    answer = documented.post("/v2/models/headers/infer", {"inputs": []}, {"X-Request": "a"})

    assert answer.json() == {"model_name": "headers", "outputs": []}
    assert (answer.headers["foo"], answer.headers["seen"]) == ("bar", "a")


def test_headers_over_grpc(documented: Server) -> None:
    _, metadata = call(documented.grpc_address, ModelInferRequest("headers"), {"x-request": "b"})

    assert (metadata["foo"], metadata["seen"]) == ("bar", "b")

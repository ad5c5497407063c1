"""The msgspec views: what V2 JSON says of each message."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from srv_protocol._gen import inference_json as views
from srv_protocol.inference import (
    InferInputTensor,
    InferOutputTensor,
    InferRequestedOutputTensor,
    ModelIndex,
    ModelInferRequest,
    ModelInferResponse,
    ModelMetadataResponse,
    Parameters,
    ServerMetadataResponse,
    TensorMetadata,
)


def test_minimal_request() -> None:
    """Only inputs must be there; null is the same as missing."""
    text = b'{"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1.0, 2]}],"id":null,"parameters":null}'
    view = msgspec.json.decode(text, type=views.ModelInferRequestView)
    assert view.inputs[0].data == msgspec.Raw(b"[1.0, 2]")
    assert view.to_message() == ModelInferRequest(inputs=[InferInputTensor("x", "FP32", [2])])


def test_whole_request() -> None:
    """Every member arrives in the message; members that V2 does not know are ignored."""
    text = b"""{"id": "7", "parameters": {"a": 1, "headers": {"X": "1"}}, "unknown": {"x": [1]},
        "inputs": [{"name": "x", "shape": [], "datatype": "BYTES", "parameters": {"content_type": "str"}}],
        "outputs": [{"name": "y", "parameters": {"binary_data": true}}], "model_name": "ignored"}"""
    view = msgspec.json.decode(text, type=views.ModelInferRequestView)
    assert view.inputs[0].data is msgspec.UNSET
    message = view.to_message()
    assert message == ModelInferRequest(
        id="7",
        parameters=Parameters({"a": 1}, headers={"x": "1"}),
        inputs=[InferInputTensor("x", "BYTES", [], {"content_type": "str"})],
        outputs=[InferRequestedOutputTensor("y", {"binary_data": True})],
    )
    assert message.inputs[0].shape is view.inputs[0].shape


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{}", "missing required field `inputs`"),
        ('{"inputs": null}', r"Expected `array`, got `null` - at `\$.inputs`"),
        ('{"inputs": [{"shape": [1], "datatype": "FP32"}]}', r"missing required field `name` - at `\$.inputs\[0\]`"),
        ('{"inputs": [{"name": "x", "datatype": "FP32"}]}', "missing required field `shape`"),
        ('{"inputs": [{"name": "x", "shape": [1]}]}', "missing required field `datatype`"),
        ('{"inputs": [{"name": "x", "shape": [-1], "datatype": "FP32"}]}', r">= 0 - at `\$.inputs\[0\].shape\[0\]`"),
        ('{"inputs": [{"name": "x", "shape": [1.5], "datatype": "FP32"}]}', "Expected `int`, got `float`"),
        ('{"inputs": [{"name": "x", "shape": ["1"], "datatype": "FP32"}]}', "Expected `int`, got `str`"),
        ('{"inputs": [], "outputs": [{}]}', r"missing required field `name` - at `\$.outputs\[0\]`"),
        ('{"inputs": [], "parameters": []}', r"Expected `object \| null`, got `array` - at `\$.parameters`"),
        ('{"inputs": [], "id": 7}', r"Expected `str \| null`, got `int` - at `\$.id`"),
    ],
)
def test_refused_requests(text: str, error: str) -> None:
    """What is wrong is an error that names its place."""
    with pytest.raises(msgspec.ValidationError, match=error):
        msgspec.json.decode(text, type=views.ModelInferRequestView)


CASES: list[tuple[Any, Any, str]] = [
    (
        views.ServerMetadataResponseView,
        ServerMetadataResponse("srv", "1", []),
        '{"name":"srv","version":"1","extensions":[]}',
    ),
    (
        views.ModelMetadataResponseView,
        ModelMetadataResponse("m", [], "", [TensorMetadata("x", "FP32", [-1, 3])], []),
        '{"name":"m","versions":[],"platform":"","inputs":[{"name":"x","datatype":"FP32","shape":[-1,3]}],"outputs":[]}',
    ),
    (
        views.ModelInferResponseView,
        ModelInferResponse("m", outputs=[InferOutputTensor("y", "FP32", [0], {"a": False})]),
        '{"model_name":"m","outputs":[{"name":"y","shape":[0],"datatype":"FP32","parameters":{"a":false}}]}',
    ),
    (
        views.ModelInferResponseView,
        ModelInferResponse("m", "2", "7", Parameters({"a": 1}, headers={"x": "1"})),
        '{"model_name":"m","outputs":[],"model_version":"2","id":"7","parameters":{"a":1}}',
    ),
    (views.ModelIndexView, ModelIndex("m"), '{"name":"m"}'),
    (
        views.ModelIndexView,
        ModelIndex("m", "1", "READY", "r"),
        '{"name":"m","version":"1","state":"READY","reason":"r"}',
    ),
]


@pytest.mark.parametrize(
    ("view", "message", "text"), CASES, ids=[f"{i}-{case[0].__name__}" for i, case in enumerate(CASES)]
)
def test_written(view: Any, message: Any, text: str) -> None:
    """Required members are always there; others are left out when they say nothing."""
    assert msgspec.json.encode(view.from_message(message)).decode() == text


def test_metadata_in_both_directions() -> None:
    """Model settings hold tensors in the same form as metadata shows them."""
    text = b'{"name":"x","datatype":"FP32","shape":[-1,3],"parameters":{"content_type":"np"}}'
    message = msgspec.json.decode(text, type=views.TensorMetadataView).to_message()
    assert message == TensorMetadata("x", "FP32", [-1, 3], {"content_type": "np"})
    assert msgspec.json.encode(views.TensorMetadataView.from_message(message)) == text
    with pytest.raises(msgspec.ValidationError, match=">= -1"):
        msgspec.json.decode(b'{"name":"x","datatype":"FP32","shape":[-2]}', type=views.TensorMetadataView)

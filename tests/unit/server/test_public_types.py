"""What type checkers see of the public API around runtimes: this file is checked by mypy and pyright, and run."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, assert_type

import numpy as np
from numpy.typing import NDArray

import srv
from srv import Headers, MLModel, ModelParameters, ModelSettings, custom_handler
from srv.codecs import (
    Base64Codec,
    InputCodec,
    NumpyCodec,
    NumpyRequestCodec,
    StringCodec,
    register_input_codec,
)
from srv.metrics import CounterMetric, GaugeMetric, HistogramMetric, counter, gauge, histogram
from srv.types import (
    InferenceRequest,
    InferenceResponse,
    MetadataModelResponse,
    MetadataTensor,
    Parameters,
    RequestInput,
    ResponseOutput,
    TensorData,
)
from srv_codecs.content_types import input_codecs

if TYPE_CHECKING:
    import pytest


class Handled(MLModel):
    """A handler keeps the signature that it has."""

    @custom_handler(rest_path="/sum")
    def add(self, numbers: list[float]) -> float:
        return sum(numbers)

    @custom_handler(rest_path="/later", rest_method="GET")
    async def later(self, seconds: int = 1) -> str:
        return f"in {seconds} s"


def test_a_handler_is_the_method_that_it_was() -> None:
    model = Handled(ModelSettings(name="m", implementation=Handled, parameters=ModelParameters(uri="/x")))

    assert assert_type(model.add([1.0, 2.0]), float) == 3.0
    assert_type(model.name, str)
    assert_type(model.version, str | None)
    assert_type(model.settings, ModelSettings)
    assert_type(model.settings.parameters, ModelParameters)
    assert_type(model.settings.parameters.uri, str | None)
    assert_type(model.inputs, list[MetadataTensor])
    assert_type(model.ready, bool)


def test_messages_have_the_types_of_their_fields() -> None:
    tensor = RequestInput(name="x", shape=[2], datatype="INT64", data=[1, 2], parameters=Parameters(content_type="np"))
    request = InferenceRequest(id="1", inputs=[tensor], parameters=Parameters(headers={"a": "b"}))
    response = InferenceResponse(
        model_name="m", outputs=[ResponseOutput(name="y", shape=[1], datatype="BOOL", data=[True])]
    )

    assert_type(request.inputs, list[RequestInput])
    assert_type(tensor.data, TensorData)
    assert_type(tensor.shape, list[int])
    assert_type(request.parameters.headers, Headers | None)
    assert_type(request.parameters.content_type, str | None)
    assert_type(response.outputs, list[ResponseOutput])
    assert_type(response.model_dump_json(), str)
    assert assert_type(InferenceRequest.model_validate(request.model_dump()), InferenceRequest) == request
    assert_type(MetadataModelResponse(name="m").inputs, list[MetadataTensor])


def test_codecs_know_what_they_encode() -> None:
    tensor = NumpyCodec.encode_input("x", np.zeros(2))

    assert_type(tensor, RequestInput)
    assert_type(NumpyCodec.encode_output("x", np.zeros(2)), ResponseOutput)
    assert_type(NumpyCodec.decode_input(tensor), NDArray[np.generic])
    assert_type(StringCodec.decode_input(StringCodec.encode_input("x", ["a"])), list[str])
    assert_type(Base64Codec.decode_input(Base64Codec.encode_input("x", [b"a"])), list[bytes])
    assert_type(NumpyRequestCodec.encode_request(np.zeros(2)), InferenceRequest)
    assert_type(NumpyRequestCodec.encode_response("m", np.zeros(2)), InferenceResponse)


def test_a_registered_codec_is_the_class_that_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    # What is registered here is for this test alone.
    monkeypatch.setattr(input_codecs, "_codecs", dict(input_codecs._codecs))

    class Point(InputCodec[tuple[int, int]]):
        """Two numbers."""

        ContentType = "point-of-this-test"

        @classmethod
        def decode_input(cls, request_input: RequestInput) -> tuple[int, int]:
            x, y = NumpyCodec.decode_input(request_input).ravel().tolist()
            return int(x), int(y)

    registered = register_input_codec(Point)

    assert_type(registered, type[Point])
    point = assert_type(registered.decode_input(NumpyCodec.encode_input("x", np.array([1, 2]))), tuple[int, int])
    assert point == (1, 2)


def test_metrics_have_types_of_their_own() -> None:
    assert_type(srv.register("types_seconds", "Seconds"), HistogramMetric)
    assert_type(counter("types_things", "Things"), CounterMetric)
    assert_type(gauge("types_level", "A level"), GaugeMetric)
    assert_type(histogram("types_sizes", "Sizes", buckets=[1.0, 2.0]), HistogramMetric)


def test_the_modules_are_there_behind_the_package_alone() -> None:
    code = "import srv; print(srv.metrics.counter.__name__, srv.types.Parameters.__name__, hasattr(srv, 'nothing'))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert shown.split() == ["counter", "Parameters", "False"]

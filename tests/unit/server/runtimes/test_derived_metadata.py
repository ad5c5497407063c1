"""What a model's metadata takes from its signature."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from srv import Headers, MLModel, ModelSettings, Output, decode_args
from srv._custom_metrics import ModelMetrics
from srv.controlplane._model_config import model_config
from srv.runtimes._calls import Caller
from srv.runtimes._loaded import LoadedModel
from srv.runtimes._runner import LocalRunner
from srv.types import InferenceRequest, InferenceResponse, MetadataTensor
from srv_protocol.model_config import DataType


class Everything(MLModel):
    @decode_args
    def predict(
        self,
        any_array: np.ndarray,
        floats: NDArray[np.floating],
        rows: np.ndarray[tuple[int, Literal[4]], np.dtype[np.float32]],
        texts: list[str],
        prompt: str,
        files: list[bytes],
        when: datetime,
        numbers: list[int],
        temperature: float,
        flag: bool,  # a hint
        scalar: np.int16,
        frame: pd.DataFrame | None,
        headers: Headers,
        maybe: list[str] | None,
        limit: int = 5,
    ) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        raise NotImplementedError


class Typed(MLModel):
    @decode_args
    def predict(
        self, x: np.ndarray[tuple[int, Literal[4]], np.dtype[np.float32]], prompt: str, n: int = 5
    ) -> tuple[
        Annotated[list[str], Output("texts")], list[int], float, NDArray[np.int8], np.ndarray, dict[str, np.ndarray]
    ]:
        raise NotImplementedError

    @decode_args
    async def predict_stream(self, other: str) -> AsyncIterator[str]:
        yield other


class Stream(MLModel):
    @decode_args
    async def predict_stream(self, prompt: str) -> AsyncIterator[str]:
        yield prompt


class Untyped(MLModel):
    def predict(self, payload: InferenceRequest) -> InferenceResponse:
        raise NotImplementedError


def make(runtime: type[MLModel], **settings: Any) -> MLModel:
    return runtime(ModelSettings(name="m", implementation=runtime, **settings))


def show(tensors: list[MetadataTensor]) -> list[tuple[str, str, list[int], dict[str, Any]]]:
    return [
        (
            each.name,
            each.datatype,
            each.shape,
            dict(each.parameters)
            | ({"content_type": each.parameters.content_type} if each.parameters.content_type else {}),
        )
        for each in tensors
    ]


def metadata(model: MLModel) -> Any:
    made: Any = model.metadata()
    return asyncio.run(made)


TEXT, BASE64, TIME, ARRAY = ({"content_type": each} for each in ("str", "base64", "datetime", "np"))
OPTIONAL = {"optional": True}


def test_inputs_are_those_of_the_signature() -> None:
    """Parts of the request and tables add none."""
    found = metadata(make(Everything))
    assert show(found.inputs) == [
        ("any_array", "", [-1], ARRAY),
        ("floats", "", [-1], ARRAY),
        ("rows", "FP32", [-1, 4], ARRAY),
        ("texts", "BYTES", [-1], TEXT),
        ("prompt", "BYTES", [1], TEXT),
        ("files", "BYTES", [-1], BASE64),
        ("when", "BYTES", [1], TIME),
        ("numbers", "", [-1], {}),
        ("temperature", "", [1], {}),
        ("flag", "BOOL", [1], {}),
        ("scalar", "INT16", [1], ARRAY),
        ("maybe", "BYTES", [-1], {**TEXT, **OPTIONAL}),
        ("limit", "", [1], OPTIONAL),
    ]
    assert show(found.outputs) == [("output-0", "FP64", [-1, 1], ARRAY)]


def test_outputs_are_as_they_go_out() -> None:
    assert show(metadata(make(Typed)).outputs) == [
        ("texts", "BYTES", [-1, 1], TEXT),
        ("output-1", "INT64", [-1, 1], {}),
        ("output-2", "FP64", [1], {}),
        ("output-3", "INT8", [-1], ARRAY),
        ("output-4", "", [-1], ARRAY),
    ]


def test_a_stream_says_it_where_there_is_no_predict() -> None:
    found = metadata(make(Stream))
    assert show(found.inputs) == [("prompt", "BYTES", [1], TEXT)]
    assert show(found.outputs) == [("output-0", "BYTES", [1], TEXT)]
    assert [each.name for each in metadata(make(Typed)).inputs] == ["x", "prompt", "n"]


def test_what_is_declared_stands_and_the_properties_have_nothing_else() -> None:
    declared = [MetadataTensor("x", "FP64", [2])]
    model = make(Typed, inputs=declared)
    assert show(metadata(model).inputs) == [("x", "FP64", [2], {})]
    assert len(metadata(model).outputs) == 5
    model = make(Typed)
    assert (model.inputs, model.outputs) == ([], [])
    model.outputs = declared
    assert show(metadata(model).outputs) == [("x", "FP64", [2], {})]
    assert (metadata(make(Untyped)).inputs, metadata(make(Untyped)).outputs) == ([], [])


def test_the_configuration_has_the_same_tensors() -> None:
    """Not where there are batches: a signature does not say which dimension is theirs."""

    def config(**settings: Any) -> Any:
        caller = Caller("m")
        try:
            return model_config(
                LoadedModel(LocalRunner(make(Typed, **settings), caller, None, ModelMetrics("m", None)))
            )
        finally:
            caller.close()

    found = config()
    assert [(each.name, each.data_type, each.dims, each.optional) for each in found.input] == [
        ("x", DataType.TYPE_FP32, [-1, 4], False),
        ("prompt", DataType.TYPE_STRING, [1], False),
        ("n", DataType.TYPE_INVALID, [1], True),
    ]
    assert [(each.name, each.data_type) for each in found.output][:2] == [
        ("texts", DataType.TYPE_STRING),
        ("output-1", DataType.TYPE_INT64),
    ]
    assert config(max_batch_size=4).input == []

"""What the server knows of a runtime in a worker is what it would know of one of its own."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING

import numpy as np  # noqa: TC002  # hints are read at run time
import pytest

from srv import Headers, MLModel, ModelParameters, ModelSettings, decode_args
from srv.runtimes._loaded import LoadedModel
from srv.runtimes._loading import Loading
from srv.workers._facts import make_runtime, pack_facts
from srv.workers._frames import decode_header, encode_header
from srv.workers._settings import pack_settings, unpack_settings
from srv_codecs.hints import SignatureSummary
from srv_protocol.inference import Parameters, TensorMetadata

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from srv.types import InferenceRequest, InferenceResponse


class Plain(MLModel):
    def predict(self, payload: InferenceRequest) -> InferenceResponse:
        raise NotImplementedError


class Async(MLModel):
    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        raise NotImplementedError

    async def predict_stream(self, payloads: AsyncIterator[InferenceRequest]) -> AsyncIterator[InferenceResponse]:  # noqa: ARG002  # only its kind counts
        raise NotImplementedError
        yield


class PlainStream(MLModel):
    stateful = True

    def predict_stream(self, payloads: Iterator[InferenceRequest]) -> Iterator[InferenceResponse]:  # noqa: ARG002  # only its kind counts
        raise NotImplementedError
        yield


class Decoded(MLModel):
    @decode_args
    def predict(self, x: np.ndarray, text: list[str] | None = None, *, headers: Headers) -> np.ndarray:
        raise NotImplementedError


class Silent(MLModel):
    pass


def summary_of(signature: SignatureSummary | None) -> dict[str, object] | None:
    if signature is None:
        return None
    return {each.name: getattr(signature, each.name) for each in dataclasses.fields(SignatureSummary)}


@pytest.mark.parametrize("cls", [Plain, Async, PlainStream, Decoded, Silent])
def test_a_model_looks_the_same_from_outside(cls: type[MLModel]) -> None:
    settings = ModelSettings(
        name="model",
        implementation=cls,
        inputs=[TensorMetadata("x", "FP32", [-1, 2], Parameters(content_type="np"))],
        parameters=ModelParameters(version="3"),
    )

    async def run() -> None:
        runner = await Loading(None, None, lambda: None, lambda _: None).start(settings, None)
        facts = decode_header(encode_header(pack_facts(runner)))
        inside = LoadedModel(runner)
        remote = make_runtime(settings, facts)
        assert type(remote).__name__ == cls.__name__
        assert (remote.name, remote.version) == (inside.name, inside.version)
        assert remote.inputs == inside.runtime.inputs
        assert remote.outputs == inside.runtime.outputs
        runner.runtime = remote
        outside = LoadedModel(runner)
        for member in ("streams", "decoupled", "max_batch_size"):
            assert getattr(outside, member) == getattr(inside, member), member
        assert summary_of(outside.signature) == summary_of(inside.signature)
        assert summary_of(outside.stream_signature) == summary_of(inside.stream_signature)
        assert type(remote).stateful == cls.stateful

    asyncio.run(run())


def test_settings_arrive_as_they_were(tmp_path: Path) -> None:
    settings = ModelSettings(
        name="model",
        implementation="models.Model",
        platform="p",
        versions=["1", "2"],
        inputs=[TensorMetadata("x", "FP32", [-1], Parameters({"a": 1, "b": True, "c": 0.5}))],
        outputs=[TensorMetadata("y", "BYTES", [1])],
        source=tmp_path / "model-settings.json",
        max_batch_size=4,
        max_batch_time=0.5,
        parameters=ModelParameters(
            uri="./model.bin", version="7", format="f", content_type="np", extra={"a": [1, {"b": None}]}
        ),
    )
    arrived = unpack_settings(decode_header(encode_header(pack_settings(settings))))
    assert pack_settings(arrived) == pack_settings(settings)
    assert arrived.parameters.extra == {"a": [1, {"b": None}]}
    assert arrived.source == settings.source
    assert arrived.inputs == settings.inputs

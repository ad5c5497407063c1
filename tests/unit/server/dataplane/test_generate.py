"""One response, or a stream of them, from any kind of model."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from srv import MLModel, ModelSettings, Settings, decode_args
from srv._server import Server
from srv.controlplane._repository import FolderRepository
from srv.dataplane._dataplane import DataPlane
from srv.dataplane._generate import generate
from srv.dataplane._timeline import Timeline
from srv.errors import InferenceError, InvalidInput, ModelNotFound
from srv.types import InferenceRequest, InferenceResponse, Parameters, ResponseOutput
from srv_protocol.inference import Headers, TensorMetadata

LAST = Parameters(triton_final_response=True)


def numbered(number: int, **parameters: Any) -> InferenceResponse:
    return InferenceResponse(
        outputs=[ResponseOutput("n", "INT32", [1], data=[number])], parameters=Parameters(parameters)
    )


class Streaming(MLModel):
    """Yields what a test has put there."""

    given: tuple[InferenceResponse | Exception, ...] = ()
    closed_after = 0

    async def predict_stream(self, payloads: AsyncIterator[InferenceRequest]) -> AsyncIterator[InferenceResponse]:
        """Yield or raise each."""
        async for _ in payloads:
            try:
                for each in self.given:
                    type(self).closed_after += 1
                    if isinstance(each, Exception):
                        raise each
                    yield each
            finally:
                type(self).closed_after = -type(self).closed_after


class Both(MLModel):
    """Answers at once or in a stream."""

    @decode_args
    async def predict(self, x: np.ndarray, text: list[str] | None) -> np.ndarray:
        """Return the array."""
        del text
        return x

    async def predict_stream(self, payloads: AsyncIterator[InferenceRequest]) -> AsyncIterator[InferenceResponse]:
        """Yield two responses."""
        async for _ in payloads:
            yield numbered(1)
            yield numbered(2)


@contextlib.asynccontextmanager
async def serving(**models: type[MLModel]) -> AsyncGenerator[DataPlane]:
    server = Server(Settings(), FolderRepository(Path(), {}))
    for name, runtime in models.items():
        await server.registry.load(ModelSettings(name=name, implementation=runtime))
    try:
        yield server.backend.dataplane
    finally:
        await server.registry.close()


def streaming(*given: InferenceResponse | Exception) -> type[Streaming]:
    """Return a model that yields these."""
    return type("Given", (Streaming,), {"given": given})


async def one(dataplane: DataPlane, model: str, **inputs: Any) -> InferenceResponse:
    return await generate(dataplane, InferenceRequest(model, **inputs), Headers(), Timeline(), same)


def same(response: InferenceResponse) -> InferenceResponse:
    return response


def stream(dataplane: DataPlane, model: str) -> AsyncGenerator[InferenceResponse]:
    return dataplane.infer_stream(InferenceRequest(model), Headers(), Timeline(), same)


@pytest.mark.parametrize(
    "given",
    [(numbered(1),), (numbered(1), InferenceResponse(parameters=LAST)), (numbered(1, triton_final_response=True),)],
)
def test_a_stream_of_one_response_is_an_answer(given: tuple[InferenceResponse, ...]) -> None:
    """Whether its end is marked or not."""

    async def run() -> None:
        async with serving(m=streaming(*given)) as dataplane:
            response = await one(dataplane, "m")
            assert response.outputs[0].data.root == [1]

    asyncio.run(run())


@pytest.mark.parametrize(
    "given", [(), (InferenceResponse(parameters=LAST),), (numbered(1), numbered(2)), (numbered(1), InferenceResponse())]
)
def test_any_other_number_of_responses_is_an_error(given: tuple[InferenceResponse, ...]) -> None:
    """In the words that Triton has for it; a response without outputs counts unless it marks the end."""

    async def run() -> None:
        async with serving(m=streaming(*given)) as dataplane:
            with pytest.raises(
                InferenceError,
                match=r"^generate expects model to produce exactly 1 response, use generate stream for model that "
                r"generates various number of responses$",
            ):
                await one(dataplane, "m")

    asyncio.run(run())


def test_the_second_response_ends_the_work() -> None:
    async def run() -> None:
        model = streaming(numbered(1), numbered(2), numbered(3), numbered(4))
        async with serving(m=model) as dataplane:
            with pytest.raises(InferenceError):
                await one(dataplane, "m")
            assert model.closed_after == -2

    asyncio.run(run())


def test_an_error_of_the_stream_is_that_of_the_request() -> None:
    async def run() -> None:
        async with serving(m=streaming(numbered(1), InvalidInput("too late"))) as dataplane:
            with pytest.raises(InvalidInput, match="too late"):
                await one(dataplane, "m")
            with pytest.raises(ModelNotFound):
                await one(dataplane, "nobody")

    asyncio.run(run())


def test_predict_answers_where_there_is_one() -> None:
    """Although the model streams too."""

    async def run() -> None:
        async with serving(m=Both) as dataplane:
            with pytest.raises(InvalidInput, match=r"missing required input\(s\) \['x'\]"):
                await one(dataplane, "m")
            numbers = [response.outputs[0].data.root async for response in stream(dataplane, "m")]
            assert numbers == [[1], [2]]

    asyncio.run(run())


def test_the_mark_of_the_end_is_no_event() -> None:
    async def run() -> None:
        given = (numbered(1), numbered(2), InferenceResponse(parameters=LAST))
        async with serving(m=streaming(*given)) as dataplane:
            found = [each async for each in stream(dataplane, "m")]
            assert [each.outputs[0].data.root for each in found] == [[1], [2]]

    asyncio.run(run())


def test_declared_inputs_count_more_than_the_signature() -> None:
    async def run() -> None:
        class Declared(Both):
            async def load(self) -> bool:
                self.inputs = [TensorMetadata("x", "FP32", [-1, 2])]
                return True

        async with serving(implied=Both, declared=Declared, bare=Streaming) as dataplane:
            implied, batched = dataplane.expected_inputs("implied")
            assert [(each.name, each.datatype, list(each.shape)) for each in implied] == [
                ("x", None, [-1]),
                ("text", "BYTES", [-1]),
            ]
            assert not batched
            declared, _ = dataplane.expected_inputs("declared")
            assert [(each.name, each.datatype, each.shape) for each in declared] == [("x", "FP32", [-1, 2])]
            with pytest.raises(InvalidInput, match="model 'bare' declares no inputs"):
                dataplane.expected_inputs("bare")

    asyncio.run(run())

"""What type checkers see of runtimes: this file is checked by mypy and pyright, and run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, NamedTuple, assert_type

import numpy as np
from numpy.typing import NDArray  # noqa: TC002  # decode_args resolves the hints

from srv import Headers, MLModel, ModelSettings, Output, decode_args
from srv.types import InferenceRequest, InferenceResponse, Parameters, RequestInput


class Answer(NamedTuple):
    score: NDArray[np.float64]
    label: Annotated[str, Output("name")]


class Plain(MLModel):
    """Overrides methods of the base class in their plain forms."""

    @decode_args
    def predict(self, x: NDArray[np.float64], times: int = 1, headers: Headers | None = None) -> Answer:
        assert not headers
        return Answer(x * times, "a")

    @decode_args
    def predict_stream(self, count: int) -> Iterator[int]:
        yield from range(count)


class Async(MLModel):
    """Overrides them in their asynchronous ones."""

    @decode_args
    async def predict(self, text: str, parameters: Parameters) -> list[str]:
        return [text] * len(parameters)

    @decode_args
    async def predict_stream(self, text: str) -> AsyncIterator[str]:
        for word in text.split():
            yield word


class Advanced(MLModel):
    """Has no decode_args."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        return InferenceResponse(id=payload.id)

    async def predict_stream(self, payloads: AsyncIterator[InferenceRequest]) -> AsyncIterator[InferenceResponse]:
        async for payload in payloads:
            yield await self.predict(payload)


class AdvancedPlain(MLModel):
    """Likewise."""

    def predict(self, payload: InferenceRequest) -> InferenceResponse:
        return InferenceResponse(id=payload.id)

    def predict_stream(self, payloads: Iterator[InferenceRequest]) -> Iterator[InferenceResponse]:
        for payload in payloads:
            yield self.predict(payload)


class Wrong(MLModel):
    """A signature that is not the wire's needs decode_args: both checkers say so."""

    def predict(self, x: int) -> InferenceResponse:  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride]
        raise NotImplementedError


def settings(runtime: type[MLModel]) -> ModelSettings:
    return ModelSettings(name="m", implementation=runtime)


COUNT = RequestInput("count", "INT64", [1], data=[2])
TEXT = RequestInput("text", "BYTES", [1], data=["a b"])


def test_a_plain_method_has_the_functions_form_and_the_wires() -> None:
    model = Plain(settings(Plain))
    x = np.ones(2)

    answer = model.predict(x=x, times=3)
    assert_type(answer, Answer)
    assert answer.score.tolist() == [3.0, 3.0]
    assert_type(model.predict(x), Answer)

    response = model.predict(InferenceRequest(inputs=[RequestInput("x", "FP64", [2], data=x)]))
    assert_type(response, InferenceResponse)
    assert [(each.name, each.datatype) for each in response.outputs] == [("score", "FP64"), ("name", "BYTES")]

    assert_type(model.predict_stream(count=2), Iterator[int])
    assert list(model.predict_stream(2)) == [0, 1]
    stream = model.predict_stream(iter([InferenceRequest(inputs=[COUNT])] * 2))
    assert_type(stream, Iterator[InferenceResponse])
    assert [each.outputs[0].data.root for each in stream] == [[0], [1], [0], [1]]


def test_an_asynchronous_method_has_both_forms_too() -> None:
    async def use() -> None:
        model = Async(settings(Async))
        parameters = Parameters(one=1, two=2)

        texts = await model.predict(text="a", parameters=parameters)
        assert_type(texts, list[str])
        assert texts == ["a", "a"]
        response = await model.predict(InferenceRequest(inputs=[TEXT], parameters=parameters))
        assert_type(response, InferenceResponse)
        assert response.outputs[0].data.root == [b"a b", b"a b"]

        assert_type(model.predict_stream("a"), AsyncIterator[str])
        assert [each async for each in model.predict_stream(text="a b")] == ["a", "b"]
        stream = model.predict_stream(requests(InferenceRequest(inputs=[TEXT])))
        assert_type(stream, AsyncIterator[InferenceResponse])
        assert [each.outputs[0].data.root async for each in stream] == [[b"a"], [b"b"]]

    asyncio.run(use())


async def requests(*given: InferenceRequest) -> AsyncIterator[InferenceRequest]:
    for each in given:
        yield each


def test_methods_without_decode_args_have_the_form_that_they_have() -> None:
    request = InferenceRequest(id="7")
    plain = AdvancedPlain(settings(AdvancedPlain))

    assert_type(plain.predict(request), InferenceResponse)
    assert [each.id for each in plain.predict_stream(iter([request]))] == ["7"]
    response = asyncio.run(Advanced(settings(Advanced)).predict(request))
    assert_type(response, InferenceResponse)
    assert response.id == "7"


def unsound(model: Plain) -> Any:
    """Wrong arguments are errors to both checkers; the ignores would be, too, if they were not."""
    model.predict(y=3)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    return model.predict(x="a")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]

"""A typed ``predict_stream``."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Generator, Iterable, Iterator
from contextlib import aclosing
from typing import Annotated, Any

import numpy as np
import pytest

from srv_codecs.hints import Output, decode_args, signature_of
from srv_protocol.errors import CodecError, CodecNotFound, InferenceError, InputsNotFound, SrvError
from srv_protocol.inference import InferInputTensor, ModelInferRequest, ModelInferResponse


def request(text: str) -> ModelInferRequest:
    return ModelInferRequest("asked", "7", inputs=[InferInputTensor("text", "BYTES", [1], data=[text])])


async def arriving(*requests: ModelInferRequest) -> AsyncIterator[ModelInferRequest]:
    for each in requests:
        yield each


class Model:
    """Splits text in every way in which a stream can be written."""

    name = "model"
    version = "3"

    def __init__(self) -> None:
        self.closed = 0

    @decode_args
    async def async_generator(self, text: str) -> AsyncIterator[Annotated[str, Output("word")]]:
        try:
            for word in text.split():
                yield word
        finally:
            self.closed += 1

    @decode_args
    def generator(self, text: str) -> Iterator[Annotated[str, Output("word")]]:
        try:
            yield from text.split()
        finally:
            self.closed += 1

    @decode_args
    def iterator(self, text: str) -> Iterator[Annotated[str, Output("word")]]:
        return iter(text.split())

    @decode_args
    def async_iterator(self, text: str) -> AsyncIterator[Annotated[str, Output("word")]]:
        async def words() -> AsyncIterator[str]:
            for word in text.split():
                yield word

        return words()


def words(responses: list[ModelInferResponse]) -> list[str]:
    assert all((each.model_name, each.model_version) == ("model", "3") for each in responses)
    return [str(each.outputs[0].data.root[0], "ascii") for each in responses if each.outputs[0].name == "word"]  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]


@pytest.mark.parametrize("method", ["async_generator", "async_iterator"])
def test_each_item_of_an_asynchronous_stream_is_a_response(method: str) -> None:
    """Its arguments come from each request in turn."""

    async def collect() -> list[ModelInferResponse]:
        stream = getattr(Model(), method)(arriving(request("a b"), request("c")))
        return [each async for each in stream]

    assert inspect.isasyncgenfunction(getattr(Model, method))
    assert words(asyncio.run(collect())) == ["a", "b", "c"]


@pytest.mark.parametrize("method", ["generator", "iterator"])
def test_each_item_of_a_plain_stream_is_a_response(method: str) -> None:
    stream = getattr(Model(), method)(iter([request("a b"), request("c")]))
    assert words(list(stream)) == ["a", "b", "c"]


def test_the_functions_generator_is_closed_with_the_stream() -> None:
    model = Model()

    async def leave() -> None:
        generator: Any = model.async_generator(arriving(request("a b")))
        async with aclosing(generator) as stream:
            async for _ in stream:
                break

    asyncio.run(leave())
    assert model.closed == 1
    stream: Any = model.generator(iter([request("a b")]))
    next(stream)
    stream.close()
    assert model.closed == 2


def test_the_functions_own_form_gives_its_own_items() -> None:
    async def collect() -> list[str]:
        return [each async for each in Model().async_generator(text="a b")]

    assert asyncio.run(collect()) == ["a", "b"]
    assert list(Model().generator("a b")) == ["a", "b"]


def test_a_request_or_item_that_does_not_fit_is_an_error_there() -> None:
    @decode_args
    def predict_stream(self: object, text: str) -> Iterator[int]:
        del self
        yield 1
        yield text  # type: ignore[misc]  # pyright: ignore[reportReturnType]

    bound: Any = predict_stream
    responses = bound(object(), iter([request("a"), ModelInferRequest()]))
    assert next(responses).outputs[0].data.root == [1]
    with pytest.raises(InferenceError, match=r"^output 'output-0': expected int, got str$"):
        next(responses)
    with pytest.raises(InputsNotFound):
        next(bound(object(), iter([ModelInferRequest()])))


HINTS: dict[str, Any] = {
    "AsyncIterator": AsyncIterator[int],
    "AsyncGenerator": AsyncGenerator[int, None],
    "AsyncIterable": AsyncIterable[int],
}
PLAIN_HINTS: dict[str, Any] = {
    "Iterator": Iterator[int],
    "Generator": Generator[int, None, None],
    "Iterable": Iterable[int],
    "in a string": "Iterator[int]",
}


def plain(hint: Any) -> Callable[..., Any]:
    def predict_stream(self: object) -> Any:
        yield self

    predict_stream.__annotations__["return"] = hint
    return predict_stream


def asynchronous(hint: Any) -> Callable[..., Any]:
    async def predict_stream(self: object) -> Any:
        yield self

    predict_stream.__annotations__["return"] = hint
    return predict_stream


@pytest.mark.parametrize(
    "function", [*map(asynchronous, HINTS.values()), *map(plain, PLAIN_HINTS.values())], ids=[*HINTS, *PLAIN_HINTS]
)
def test_the_hint_of_an_item_stands_in_that_of_the_stream(function: Callable[..., Any]) -> None:
    signature = signature_of(decode_args(function))
    assert signature is not None
    assert [each.datatype for each in signature.implied_outputs] == ["INT64"]


def test_items_without_a_hint_are_encoded_by_their_types() -> None:
    bare = plain(None)
    del bare.__annotations__["return"]
    for function in (bare, plain(Iterator)):
        stream: Any = decode_args(function)
        (response,) = stream(np.ones(1), iter([ModelInferRequest()]))
        assert response.outputs[0].datatype == "FP64"


def test_a_generator_called_predict_is_told_its_name() -> None:
    async def predict(self: object, text: str) -> AsyncIterator[str]:
        del self
        yield text

    def later(self: object, text: str) -> Iterator[str]:
        del self
        return iter([text])

    later.__name__ = "predict"
    for function in (predict, later):
        with pytest.raises(CodecError, match=r"expected a function that returns one value, .* predict_stream$"):
            decode_args(function)


def not_a_stream(self: object) -> int: ...  # type: ignore[empty-body]


async def coroutine(self: object) -> AsyncIterator[int]: ...  # type: ignore[empty-body]


not_a_stream.__name__ = coroutine.__name__ = "predict_stream"
FAULTS: dict[str, tuple[Callable[..., Any], type[SrvError], str]] = {
    "one value": (not_a_stream, CodecError, "not_a_stream(): expected a function that yields the responses"),
    "coroutine": (coroutine, CodecError, "coroutine(): expected `yield` in it, or `def` without `async`"),
    "plain hint": (asynchronous(Iterator[int]), CodecError, "the return hint: expected AsyncIterator[…]"),
    "async hint": (plain(AsyncIterator[int]), CodecError, "the return hint: expected Iterator[…], as the function"),
    "hint of one value": (plain(list[int]), CodecError, "the return hint: expected Iterator[…], as the function"),
    "no codec": (plain(Iterator[set[int]]), CodecNotFound, "the return hint: no codec for the type hint set[int]"),
}


@pytest.mark.parametrize(("function", "error", "text"), FAULTS.values(), ids=FAULTS)
def test_a_stream_that_is_no_contract_fails_at_decoration(
    function: Callable[..., Any], error: type[SrvError], text: str
) -> None:
    with pytest.raises(error) as caught:
        decode_args(function)
    assert text in str(caught.value)

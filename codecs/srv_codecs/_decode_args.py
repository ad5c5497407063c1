"""``@decode_args``: a typed ``predict`` or ``predict_stream``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
)
from contextlib import AbstractAsyncContextManager, aclosing, closing, nullcontext
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Final,
    ParamSpec,
    Protocol,
    TypeVar,
    cast,
    get_args,
    get_origin,
    overload,
)

from srv_codecs._signature import Signature, SignatureSummary, compile_signature
from srv_codecs._type_hints import place_of, resolve_hints, show, take_apart
from srv_protocol.errors import CodecError
from srv_protocol.inference import ModelInferRequest

if TYPE_CHECKING:
    from srv_protocol.inference import ModelInferResponse

M = TypeVar("M")
P = ParamSpec("P")
# A type variable rather than its bound: mypy would take bare arrays (Any inside) for ambiguous.
V = TypeVar("V")
T = TypeVar("T")
W_contra = TypeVar("W_contra", contravariant=True)
A_co = TypeVar("A_co", covariant=True)
V_co = TypeVar("V_co", covariant=True)

_ASYNC: Final = (AsyncIterator, AsyncGenerator, AsyncIterable)
_PLAIN: Final = (Iterator, Generator, Iterable)


class TypedMethod(Protocol[P, V_co, W_contra, A_co]):  # pyright: ignore[reportInvalidTypeVarUse]  # W goes in alone
    """A method under ``decode_args``, as type checkers see it on an instance: it has two forms."""

    @overload
    def __call__(self, payload: W_contra, /) -> A_co:
        # The wire's message, or a stream of them, is answered with the wire's.
        ...

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> V_co:
        # The function's own arguments give what it returns.
        ...


@overload
def decode_args(  # type: ignore[overload-overlap]  # a coroutine is an object, and the first overload that fits counts
    predict: Callable[Concatenate[M, P], Coroutine[Any, Any, T]],
) -> TypedMethod[P, Coroutine[Any, Any, T], ModelInferRequest, Coroutine[Any, Any, ModelInferResponse]]: ...
@overload
def decode_args(  # type: ignore[overload-overlap]  # as above
    predict: Callable[Concatenate[M, P], AsyncIterable[T]],
) -> TypedMethod[P, AsyncIterator[T], AsyncIterator[ModelInferRequest], AsyncIterator[ModelInferResponse]]: ...
@overload
def decode_args(  # type: ignore[overload-overlap]  # as above
    predict: Callable[Concatenate[M, P], Iterator[T]],
) -> TypedMethod[P, Iterator[T], Iterator[ModelInferRequest], Iterator[ModelInferResponse]]: ...
@overload
def decode_args(
    predict: Callable[Concatenate[M, P], V],
) -> TypedMethod[P, V, ModelInferRequest, ModelInferResponse]: ...
def decode_args(predict: Callable[..., Any]) -> Callable[..., Any]:
    """Make a method whose parameters are a model's inputs into one that takes a request and returns a response.

    The signature is the contract: names are input names, hints choose codecs, the return hint chooses output
    codecs; :mod:`srv_codecs._hints` has the table. It is resolved here and now; for a request there remain only
    look-ups, views and the call. Outputs are named ``output-0``, ``output-1`` unless :class:`Output` names them.
    A parameter whose input is missing has its default, or ``None`` when the hint allows that. Without a return hint
    the codecs are chosen by the types of the values.

    ::

        @decode_args
        async def predict(self, question: list[str], temperature: float = 1.0) -> list[str]: ...


        @decode_args
        async def predict_stream(self, prompt: str) -> AsyncIterator[str]: ...

    Works for ``def`` and ``async def``, and for generators of either kind: the arguments of ``predict_stream`` come
    from each request of the stream, one after the other, and each item is a response. The function's generator is
    closed when the stream is.

    The method can also be called with the function's own arguments, and returns what that returns; a single
    positional request (an iterator of requests, for a stream) is the wire's form.

    The model's ``name`` and ``version`` become the response's. The plan is the result's ``__srv_signature__``.

    Raises:
        CodecNotFound: a parameter has no hint, or no codec has the hint; the text names function and argument.
        CodecError: the function yields and is called ``predict``, or is called ``predict_stream`` and does not; it is
            no method.

    Errors of a call:
        InputsNotFound: an input is missing, or nothing takes it.
        CodecError: an input does not fit its hint.
        InferenceError: the result does not fit its hint.
    """
    if issubclass(type(predict), (staticmethod, classmethod)) or not hasattr(predict, "__qualname__"):
        raise CodecError(f"decode_args: expected a function, got {type(predict).__name__}; write it next to the `def`")
    hints = resolve_hints(predict)
    item = _item_hint(predict, hints)
    if item is None:
        signature = compile_signature(predict, hints)
        wrapped = _wrap_async(predict, signature) if inspect.iscoroutinefunction(predict) else _wrap(predict, signature)
    else:
        is_async, item_hints = item
        arguments = {name: hint for name, hint in hints.items() if name != "return"}
        signature = compile_signature(predict, {**arguments, **item_hints})
        wrapped = _wrap_stream_async(predict, signature) if is_async else _wrap_stream(predict, signature)
    wrapped.__srv_signature__ = signature  # type: ignore[attr-defined]
    return wrapped


def signature_of(predict: Callable[..., object]) -> SignatureSummary | None:
    """Return what the plan of a method under ``decode_args`` says, ``None`` for any other method."""
    found: SignatureSummary | None = getattr(predict, "__srv_signature__", None)
    return found


def _item_hint(predict: Callable[..., Any], hints: dict[str, object]) -> tuple[bool, dict[str, object]] | None:
    """Return whether a function's stream is asynchronous, and the hint of its items if there is one.

    ``None`` for a function that returns one value.
    """
    name, where = predict.__qualname__, place_of(predict, "return")
    returned = take_apart(hints["return"]).core if "return" in hints else None
    origin = get_origin(returned) or returned
    yields_async, yields = inspect.isasyncgenfunction(predict), inspect.isgeneratorfunction(predict)
    hinted_async, hinted = origin in _ASYNC, origin in _PLAIN
    if not (yields_async or yields or hinted_async or hinted):
        if predict.__name__ == "predict_stream":
            raise CodecError(f"{name}(): expected a function that yields the responses, or returns an iterator of them")
        return None
    if predict.__name__ == "predict":
        raise CodecError(
            f"{name}(): expected a function that returns one value, got a generator; call it predict_stream"
        )
    if inspect.iscoroutinefunction(predict):
        raise CodecError(f"{name}(): expected `yield` in it, or `def` without `async`, as it returns {show(returned)}")
    is_async = yields_async or (hinted_async and not yields)
    if returned is not None and (hinted, hinted_async) != (not is_async, is_async):
        kind = "AsyncIterator" if is_async else "Iterator"
        raise CodecError(f"{where}: expected {kind}[…], as the function yields, got {show(returned)}")
    items = get_args(returned)
    return is_async, {"return": items[0]} if items else {}


def _is_wire(args: tuple[object, ...], kwargs: dict[str, object], kind: type) -> bool:
    return len(args) == 1 and not kwargs and isinstance(args[0], kind)


def _wrap(predict: Callable[..., object], signature: Signature) -> Callable[..., Any]:
    @functools.wraps(predict)
    def wrapper(model: object, /, *args: Any, **kwargs: Any) -> object:
        if not _is_wire(args, kwargs, ModelInferRequest):
            return predict(model, *args, **kwargs)
        (payload,) = args
        value = predict(model, **signature.bind(payload))
        if isinstance(value, Awaitable):
            # `predict` hands on a coroutine, as a decorator that is not `async` itself does.
            return _respond_later(signature, cast("Awaitable[object]", value), model, payload)
        return _respond(signature, value, model, payload)

    return wrapper


async def _respond_later(
    signature: Signature, value: Awaitable[object], model: object, payload: ModelInferRequest
) -> ModelInferResponse:
    return _respond(signature, await value, model, payload)


def _wrap_async(predict: Callable[..., Coroutine[Any, Any, object]], signature: Signature) -> Callable[..., Any]:
    @functools.wraps(predict)
    async def wrapper(model: object, /, *args: Any, **kwargs: Any) -> object:
        # As _is_wire() has it, without a call for each request.
        if kwargs or len(args) != 1 or not isinstance(args[0], ModelInferRequest):
            return await predict(model, *args, **kwargs)
        payload = args[0]
        return _respond(signature, await predict(model, **signature.bind(payload)), model, payload)

    return wrapper


def _wrap_stream(predict: Callable[..., Iterable[object]], signature: Signature) -> Callable[..., Any]:
    def answer(model: object, payloads: Iterator[ModelInferRequest]) -> Iterator[ModelInferResponse]:
        for payload in payloads:
            items = iter(predict(model, **signature.bind(payload)))
            with closing(cast("Generator[object]", items)) if isinstance(items, Generator) else nullcontext():
                for item in items:
                    yield _respond(signature, item, model, payload)

    @functools.wraps(predict)
    def wrapper(model: object, /, *args: Any, **kwargs: Any) -> object:
        return answer(model, *args) if _is_wire(args, kwargs, Iterator) else predict(model, *args, **kwargs)

    return wrapper


def _wrap_stream_async(predict: Callable[..., AsyncIterable[object]], signature: Signature) -> Callable[..., Any]:
    # A generator function whatever `predict` is, so that nobody takes it for one that may block.
    @functools.wraps(predict)
    async def wrapper(model: object, /, *args: Any, **kwargs: Any) -> AsyncGenerator[object]:
        if not _is_wire(args, kwargs, AsyncIterator):
            items = aiter(predict(model, *args, **kwargs))
            async with _closing(items):
                async for item in items:
                    yield item
            return
        async for payload in args[0]:
            items = aiter(predict(model, **signature.bind(payload)))
            async with _closing(items):
                async for item in items:
                    yield _respond(signature, item, model, payload)

    return wrapper


def _closing(items: AsyncIterator[object]) -> AbstractAsyncContextManager[object]:
    return aclosing(cast("AsyncGenerator[object]", items)) if isinstance(items, AsyncGenerator) else nullcontext()


def _respond(signature: Signature, value: object, model: object, payload: ModelInferRequest) -> ModelInferResponse:
    name = getattr(model, "name", payload.model_name)
    version = getattr(model, "version", payload.model_version)
    return signature.respond(value, name, version)

"""``@decode_args``: a typed ``predict``."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, overload

from srv_codecs._signature import Signature, compile_signature
from srv_protocol.errors import CodecError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from srv_protocol.inference import ModelInferRequest, ModelInferResponse

M = TypeVar("M")
P = ParamSpec("P")
# Type variables rather than their bounds: mypy would take bare arrays (Any inside) for ambiguous.
C = TypeVar("C", bound="Coroutine[Any, Any, object]")
V = TypeVar("V")


@overload
def decode_args(  # type: ignore[overload-overlap]  # a coroutine is an object, and the first overload that fits counts
    predict: Callable[Concatenate[M, P], C],
) -> Callable[[M, ModelInferRequest], Coroutine[Any, Any, ModelInferResponse]]: ...
@overload
def decode_args(
    predict: Callable[Concatenate[M, P], V],
) -> Callable[[M, ModelInferRequest], ModelInferResponse]: ...
def decode_args(predict: Callable[..., Any]) -> Callable[..., Any]:
    """Make a method whose parameters are a model's inputs into one that takes a request and returns a response.

    The signature is the contract: names are input names, hints choose codecs, the return hint chooses output
    codecs; :mod:`srv_codecs._hints` has the table. It is resolved here and now; for a request there remain only
    look-ups, views and the call. Outputs are named ``output-0``, ``output-1`` unless :class:`Output` names them.
    A parameter whose input is missing has its default, or ``None`` when the hint allows that. Without a return hint
    the codecs are chosen by the types of the values.

    ::

        @decode_args
        async def predict(self, question: list[str], temperature: np.ndarray | None) -> list[str]: ...

    Works for ``def`` and ``async def``. The model's ``name`` and ``version`` become the response's. The plan is the
    result's ``__srv_signature__``.

    Raises:
        CodecNotFound: a parameter has no hint, or no codec has the hint; the text names function and argument.

    Errors of a call:
        InputsNotFound: an input is missing, or nothing takes it.
        CodecError: an input does not fit its hint.
        InferenceError: the result does not fit its hint.
    """
    if inspect.isgeneratorfunction(predict) or inspect.isasyncgenfunction(predict):
        raise CodecError(f"{predict.__qualname__}(): decode_args expects a function that returns, got a generator")
    signature = compile_signature(predict)
    wrapped = _wrap_async(predict, signature) if inspect.iscoroutinefunction(predict) else _wrap(predict, signature)
    wrapped.__srv_signature__ = signature  # type: ignore[attr-defined]
    return wrapped


def signature_of(predict: Callable[..., object]) -> Signature | None:
    """Return the plan of a method under ``decode_args``, ``None`` for any other."""
    found: Signature | None = getattr(predict, "__srv_signature__", None)
    return found


def _wrap(predict: Callable[..., object], signature: Signature) -> Callable[..., Any]:
    @functools.wraps(predict)
    def wrapper(model: object, payload: ModelInferRequest) -> ModelInferResponse:
        return _respond(signature, predict(model, **signature.bind(payload)), model, payload)

    return wrapper


def _wrap_async(predict: Callable[..., Coroutine[Any, Any, object]], signature: Signature) -> Callable[..., Any]:
    @functools.wraps(predict)
    async def wrapper(model: object, payload: ModelInferRequest) -> ModelInferResponse:
        return _respond(signature, await predict(model, **signature.bind(payload)), model, payload)

    return wrapper


def _respond(signature: Signature, value: object, model: object, payload: ModelInferRequest) -> ModelInferResponse:
    name = getattr(model, "name", payload.model_name)
    version = getattr(model, "version", payload.model_version)
    return signature.respond(value, name, version)

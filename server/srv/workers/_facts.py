"""What the server must know of a runtime that lives in a worker."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final, cast

from srv.runtimes._calls import is_coroutine_function
from srv.runtimes._model import MLModel
from srv.workers._handling import pack_handlers
from srv.workers._messages import pack_tensors, unpack_tensors
from srv_codecs.content_types import input_codecs, request_codecs
from srv_codecs.hints import ImpliedTensor, SignatureSummary, signature_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from srv._model_settings import ModelSettings
    from srv.runtimes._runner import LocalRunner


def pack_facts(runner: LocalRunner) -> dict[str, object]:
    """Return what does not change once the runtime is loaded, as JSON; :func:`pack_state` has the rest.

    Raises:
        LoadError: a handler cannot be served from here.
    """
    cls = type(runner.runtime)
    return {
        "class": cls.__qualname__,
        "stateful": cls.stateful,
        "predict": None if cls.predict is MLModel.predict else _pack_method(runner.runtime.predict, cls.predict),
        "predict_stream": None
        if cls.predict_stream is MLModel.predict_stream
        else _pack_method(runner.runtime.predict_stream, cls.predict_stream),
        "content_types": [input_codecs.content_types, request_codecs.content_types],
        "handlers": pack_handlers(runner.handlers, lambda each: not is_coroutine_function(each.invoke)),
        "state": pack_state(runner.runtime),
    }


def pack_state(runtime: MLModel) -> dict[str, object]:
    """Return what a runtime may change at any time."""
    return {
        "ready": runtime.ready,
        "inputs": pack_tensors(runtime.inputs),
        "outputs": pack_tensors(runtime.outputs),
    }


def _pack_method(bound: object, function: object) -> dict[str, object]:
    method = cast("Callable[..., object]", bound)
    signature = signature_of(cast("Callable[..., object]", function))
    return {
        # Plain ones have one thread for all of them.
        "plain": not (is_coroutine_function(method) or inspect.isasyncgenfunction(method)),
        "signature": None if signature is None else _pack_signature(signature),
    }


def _pack_signature(signature: SignatureSummary) -> dict[str, object]:
    return {
        "inputs": [_pack_implied(each) for each in signature.implied_inputs],
        "outputs": [_pack_implied(each) for each in signature.implied_outputs],
        "input_names": signature.input_names,
        "takes_rest": signature.takes_rest,
        "takes_headers": signature.takes_headers,
        "reads_request": signature.reads_request,
    }


def _pack_implied(tensor: ImpliedTensor) -> list[object]:
    datatypes = None if tensor.datatypes is None else sorted(tensor.datatypes)
    return [tensor.name, datatypes, tensor.shape, tensor.content_type, tensor.optional]


def _unpack_implied(packed: list[Any]) -> ImpliedTensor:
    name, datatypes, shape, content_type, optional = packed
    return ImpliedTensor(
        name, None if datatypes is None else frozenset(datatypes), tuple(shape), content_type, optional
    )


_PLAIN: Final = {"predict": "is_plain", "predict_stream": "is_plain_stream"}


class RemoteRuntime(MLModel):
    """What the server sees of a runtime in a worker: nothing of it can be called."""

    is_plain: bool = False
    """Whether ``predict`` is a plain function, of which a worker runs one call at a time."""
    is_plain_stream: bool = False
    """The same of ``predict_stream``."""

    def set_state(self, state: object) -> None:
        """Take over what :func:`pack_state` says."""
        found = cast("dict[str, Any]", state)
        self.inputs = unpack_tensors(found["inputs"])
        self.outputs = unpack_tensors(found["outputs"])


def make_runtime(settings: ModelSettings, facts: object) -> RemoteRuntime:
    """Return what stands for the runtime that `facts` describe.

    Its class is one of its own: what is asked of a runtime is asked of its class.
    """
    found = cast("dict[str, Any]", facts)
    members: dict[str, object] = {"stateful": found["stateful"]}
    for name in ("predict", "predict_stream"):
        method = found[name]
        if method is not None:
            members[name] = _Method(method["signature"])
            members[_PLAIN[name]] = method["plain"]
    made = cast("type[RemoteRuntime]", type(found["class"], (RemoteRuntime,), members))(settings)
    made.set_state(found["state"])
    return made


class _Method:
    """A method that is elsewhere, with its signature as ``signature_of`` finds it."""

    def __init__(self, packed: Any) -> None:
        if packed is not None:
            self.__srv_signature__: Final = SignatureSummary(
                implied_inputs=tuple(map(_unpack_implied, packed["inputs"])),
                implied_outputs=tuple(map(_unpack_implied, packed["outputs"])),
                input_names=tuple(packed["input_names"]),
                takes_rest=packed["takes_rest"],
                takes_headers=packed["takes_headers"],
                reads_request=packed["reads_request"],
            )

"""A model that has been loaded, and how its code is run."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, cast

from srv._logging import model_name, model_version
from srv.batching._fitness import make_batcher
from srv.dataplane._statistics import Statistics
from srv.runtimes._handlers import find_handlers
from srv.runtimes._model import MLModel
from srv.runtimes._sequences import Sequences
from srv_codecs.content_types import codec_package
from srv_codecs.hints import signature_of, takes_headers

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
    from typing import Self, TypeAlias

    from srv._custom_metrics import ModelMetrics
    from srv.dataplane._cache import ModelCache
    from srv.dataplane._options import RequestOptions
    from srv.runtimes._calls import Caller, Ticket
    from srv.runtimes._importer import ModelCode
    from srv_protocol.inference import ModelInferRequest

    _Predict: TypeAlias = Callable[[ModelInferRequest], object]

_logger: Final = logging.getLogger("srv")


class LoadedModel:
    """A runtime that has been loaded, with the code and the thread that belong to it.

    Attributes:
        name: that of the runtime.
        version: that of the runtime, ``""`` if it has none.
        max_batch_size: that of its settings.
        streams: whether the runtime has a ``predict_stream`` of its own.
        decoupled: whether that is all it has: any number of responses to each request.
        cache: where its responses are kept, if they are.
        signature: that of ``predict``, if it is under ``decode_args``.
        stream_signature: that of ``predict_stream``, likewise.
        handlers: its custom handlers.
        package: that of its own code, ``""`` if there is none.
        running: how many requests use it now.
        idle: set when none does any more; ``None`` unless somebody waits for that.

    Raises:
        LoadError: a custom handler cannot be served.
    """

    def __init__(self, runtime: MLModel, caller: Caller, code: ModelCode | None, metrics: ModelMetrics) -> None:
        self.runtime = runtime
        self.caller = caller
        self.name = runtime.name
        self.version = runtime.version or ""
        self.max_batch_size = runtime.settings.max_batch_size
        self.statistics = Statistics()
        self.cache: ModelCache | None = None
        self.streams = type(runtime).predict_stream is not MLModel.predict_stream
        self.decoupled = self.streams and type(runtime).predict is MLModel.predict
        self.signature = signature_of(type(runtime).predict)
        self.stream_signature = signature_of(type(runtime).predict_stream)
        self.handlers = find_handlers(runtime)
        self._code = code
        self._metrics = metrics
        self._sequences = Sequences(runtime.name, caller.limit) if type(runtime).stateful else None
        self._batcher = make_batcher(self, self._serve)
        self.package = "" if code is None else code.package
        self.running = 0
        # Who unloads the model waits for it; nobody, for as long as it is served.
        self.idle: asyncio.Event | None = None

    @property
    def has_files(self) -> bool:
        """Whether a load request has brought the model's files."""
        return self._code is not None and self._code.files is not None

    def use(self) -> ModelUse:
        """Keep the model loaded, and its name in the logs, while a request runs."""
        return ModelUse(self)

    def answer(
        self, request: ModelInferRequest, options: RequestOptions, ticket: Ticket
    ) -> Coroutine[object, object, object]:
        """Return what ``predict`` makes of a request.

        Raises:
            InvalidInput: the model is stateful, and the request belongs to no sequence.
            QueueFull: too many wait already.
            Exception: whatever the runtime raises.
        """
        if self._batcher is not None:
            return self._batcher.answer(request, ticket)
        if self._sequences is not None:
            return self._answer_in_turn(self._sequences, request, options, ticket)
        return self._serve(request, ticket)

    def _serve(self, request: ModelInferRequest, ticket: Ticket) -> Coroutine[object, object, object]:
        return self.caller.serve(cast("_Predict", self.runtime.predict), request, ticket)

    async def _answer_in_turn(
        self, sequences: Sequences, request: ModelInferRequest, options: RequestOptions, ticket: Ticket
    ) -> object:
        async with sequences.turn(options):
            return await self.caller.serve(cast("_Predict", self.runtime.predict), request, ticket)

    def answer_stream(
        self,
        request: ModelInferRequest,
        options: RequestOptions,
        ticket: Ticket,
        more: AsyncIterator[ModelInferRequest] | None = None,
    ) -> AsyncGenerator[object]:
        """Yield what ``predict_stream`` makes of a request, and of `more` that an asynchronous one reads behind it.

        Raises:
            As :meth:`answer`.
        """
        predict_stream = cast("Callable[[_Requests], object]", self.runtime.predict_stream)
        answers = self.caller.iterate(predict_stream, _Requests(request, more), ticket)
        return answers if self._sequences is None else _in_turn(self._sequences, options, answers)

    async def unload(self) -> None:
        """Wait for the running requests, then let the runtime release what it took. Its errors are logged."""
        if self.running:
            self.idle = asyncio.Event()
            await self.idle.wait()
        await self.caller.drain()
        if self.cache is not None:
            self.cache.close()
        self.runtime.ready = False
        with ModelScope(self.name, self.version, self._code):
            try:
                await self.caller.call(self.runtime.unload)
            except Exception:
                _logger.exception("model '%s': unload failed", self.runtime.name)
        await release(self.caller, self._code, self._metrics)


async def _in_turn(
    sequences: Sequences, options: RequestOptions, answers: AsyncGenerator[object]
) -> AsyncGenerator[object]:
    async with sequences.turn(options), aclosing(answers):
        async for each in answers:
            yield each


def uncacheable(model: LoadedModel) -> str:
    """Return why a model's responses cannot be kept for requests that ask the same; ``""`` if they can."""
    if type(model.runtime).stateful:
        return "the runtime is stateful"
    if model.decoupled:
        return "the runtime has only predict_stream"
    if model.signature is not None and takes_headers(model.signature):
        return "predict takes Headers, which are no part of what requests are compared by"
    return ""


async def release(caller: Caller, code: ModelCode | None, metrics: ModelMetrics) -> None:
    """Forget a model's code, and its metrics, once none of it runs any more."""
    await caller.drain()
    caller.close()
    metrics.release()
    if code is not None:
        code.release()
        if code.files is not None:
            await code.files.release()


class ModelScope:
    """Runs a model's code inside: its name is in the logs, and its own codecs are found.

    What :class:`srv._logging.model_context` and :class:`srv_codecs.content_types.codec_scope` do, in one step.
    """

    __slots__ = ("_name", "_package", "_tokens", "_version")

    def __init__(self, name: str, version: str | None, code: ModelCode | None) -> None:
        self._name = name
        self._version = version or ""
        self._package = "" if code is None else code.package

    def __enter__(self) -> None:
        """Begin."""
        self._tokens = (
            model_name.set(self._name),
            model_version.set(self._version),
            codec_package.set(self._package),
        )

    def __exit__(self, *_: object) -> None:
        """End."""
        name, version, package = self._tokens
        codec_package.reset(package)
        model_version.reset(version)
        model_name.reset(name)


class ModelUse:
    """One request's use of a model, which stays loaded for it; its code runs as in a :class:`ModelScope`."""

    __slots__ = ("_model", "_tokens")

    def __init__(self, model: LoadedModel) -> None:
        self._model = model

    def __enter__(self) -> None:
        """Begin."""
        model = self._model
        model.running += 1
        self._tokens = (
            model_name.set(model.name),
            model_version.set(model.version),
            codec_package.set(model.package),
        )

    def __exit__(self, *_: object) -> None:
        """End."""
        name, version, package = self._tokens
        try:
            codec_package.reset(package)
            model_version.reset(version)
            model_name.reset(name)
        finally:
            # Else the model would never be idle again, and its unload() wait for ever.
            model = self._model
            model.running -= 1
            if model.idle is not None and not model.running:
                model.idle.set()


class _Requests:
    """A stream of requests, for ``predict_stream`` of either kind.

    It is an iterator of the first one, and an asynchronous one of all.
    """

    def __init__(self, first: ModelInferRequest, more: AsyncIterator[ModelInferRequest] | None) -> None:
        self._first = [first]
        self._more = more

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ModelInferRequest:
        if not self._first:
            raise StopIteration
        return self._first.pop()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ModelInferRequest:
        if self._first:
            return self._first.pop()
        if self._more is None:
            raise StopAsyncIteration
        return await anext(self._more)

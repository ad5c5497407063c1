"""A model that has been loaded, and how its code is run."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from srv._logging import model_name, model_version
from srv.batching._fitness import make_batcher
from srv.dataplane._statistics import Statistics
from srv.runtimes._model import MLModel
from srv.runtimes._requests import RequestStream
from srv.runtimes._sequences import Sequences
from srv_codecs.content_types import codec_package
from srv_codecs.hints import signature_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Coroutine

    from srv.dataplane._cache import ModelCache
    from srv.dataplane._options import RequestOptions
    from srv.runtimes._calls import Ticket
    from srv.runtimes._runner import Runner
    from srv_protocol.inference import ModelInferRequest


class LoadedModel:
    """A runtime that has been loaded, and what runs its code.

    Attributes:
        runtime: says what the model is.
        runner: runs its code.
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
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.runtime = runtime = runner.runtime
        self.name = runtime.name
        self.version = runtime.version or ""
        self.max_batch_size = runtime.settings.max_batch_size
        self.statistics = Statistics()
        self.cache: ModelCache | None = None
        self.streams = type(runtime).predict_stream is not MLModel.predict_stream
        self.decoupled = self.streams and type(runtime).predict is MLModel.predict
        self.signature = signature_of(type(runtime).predict)
        self.stream_signature = signature_of(type(runtime).predict_stream)
        self.handlers = runner.handlers
        self._sequences = Sequences(runtime.name, runner.limit) if type(runtime).stateful else None
        self._batcher = make_batcher(self, runner.predict)
        self.package = runner.package
        self.running = 0
        # Who unloads the model waits for it; nobody, for as long as it is served.
        self.idle: asyncio.Event | None = None

    @property
    def has_files(self) -> bool:
        """Whether a load request has brought the model's files."""
        return self.runner.has_files

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
        return self.runner.predict(request, ticket)

    async def _answer_in_turn(
        self, sequences: Sequences, request: ModelInferRequest, options: RequestOptions, ticket: Ticket
    ) -> object:
        async with sequences.turn(options):
            return await self.runner.predict(request, ticket, options.sequence)

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
        requests = RequestStream(request, more)
        if self._sequences is None:
            return self.runner.predict_stream(requests, ticket)
        return _in_turn(self._sequences, options, self.runner.predict_stream(requests, ticket, options.sequence))

    async def unload(self) -> None:
        """Wait for the running requests, then let the runtime release what it took. Its errors are logged."""
        if self.running:
            self.idle = asyncio.Event()
            await self.idle.wait()
        await self.runner.drain()
        if self.cache is not None:
            self.cache.close()
        await self.runner.unload()


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
    if model.signature is not None and model.signature.takes_headers:
        return "predict takes Headers, which are no part of what requests are compared by"
    return ""


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

"""What runs a model's code, in the server's process: for each kind of call, how it is made."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Protocol, cast

from srv._logging import model_name, model_version
from srv.runtimes._calls import is_coroutine_function
from srv.runtimes._handlers import Handler, find_handlers
from srv_codecs.content_types import codec_package

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
    from typing import TypeAlias

    from srv._custom_metrics import ModelMetrics
    from srv.runtimes._calls import Caller, Ticket
    from srv.runtimes._handler_arguments import HandlerCall
    from srv.runtimes._handlers import HandlerRoute
    from srv.runtimes._importer import ModelCode
    from srv.runtimes._model import MLModel
    from srv.runtimes._requests import RequestStream
    from srv_protocol.inference import ModelInferRequest

    _Predict: TypeAlias = Callable[[ModelInferRequest], object]

_logger: Final = logging.getLogger("srv")


class Runner(Protocol):
    """Runs a model's code: in this process, or in others."""

    @property
    def runtime(self) -> MLModel:
        """Says what the model is; only the runner calls its methods."""
        ...

    @property
    def handlers(self) -> Sequence[HandlerRoute]:
        """Its custom handlers."""
        ...

    @property
    def package(self) -> str:
        """That of its own code, under which the codecs are found that it registers; ``""`` if there is none."""
        ...

    @property
    def limit(self) -> int | None:
        """How many requests may wait, ``None`` for any number."""
        ...

    @property
    def places(self) -> int:
        """How many calls of a plain ``predict`` run at the same time."""
        ...

    @property
    def overlaps(self) -> bool:
        """Whether calls of ``predict`` may overlap, as those of a coroutine function do."""
        ...

    @property
    def has_files(self) -> bool:
        """Whether a load request has brought the model's files."""
        ...

    @property
    def failure(self) -> str:
        """Why it has stopped for good by itself, ``""`` while it has not."""
        ...

    def predict(
        self, request: ModelInferRequest, ticket: Ticket, sequence: int | str | None = None
    ) -> Coroutine[object, object, object]:
        """Return what ``predict`` makes of a request, which belongs to `sequence` if the model is stateful.

        Raises:
            QueueFull: too many wait already.
            Exception: whatever the runtime raises.
        """
        ...

    def predict_stream(
        self, requests: RequestStream, ticket: Ticket, sequence: int | str | None = None
    ) -> AsyncGenerator[object]:
        """Yield what ``predict_stream`` makes of requests.

        Raises:
            As :meth:`predict`.
        """
        ...

    def metadata(self) -> Coroutine[object, object, object]:
        """Return what ``metadata`` does."""
        ...

    def handle(self, handler: HandlerRoute, call: HandlerCall, ticket: Ticket) -> Coroutine[object, object, object]:
        """Return what one of `handlers` makes of a request.

        Raises:
            InvalidInput: an argument is missing or wrong.
            As :meth:`predict`.
        """
        ...

    async def drain(self) -> None:
        """Return when code of requests that nobody waits for any more has ended."""
        ...

    async def unload(self) -> None:
        """Call ``unload``, whose errors are logged, and let go of all that the model's code has."""
        ...


class LocalRunner:
    """A :class:`Runner` in this process.

    Raises:
        LoadError: a custom handler cannot be served.
    """

    def __init__(self, runtime: MLModel, caller: Caller, code: ModelCode | None, metrics: ModelMetrics) -> None:
        self.runtime = runtime
        self.caller = caller
        self.handlers = find_handlers(runtime)
        self.package = "" if code is None else code.package
        self.limit = caller.limit
        self.overlaps = is_coroutine_function(runtime.predict)
        self.places = 1
        self.failure = ""
        self._code = code
        self._metrics = metrics

    @property
    def has_files(self) -> bool:
        """Whether a load request has brought the model's files."""
        return self._code is not None and self._code.files is not None

    def predict(
        self,
        request: ModelInferRequest,
        ticket: Ticket,
        sequence: int | str | None = None,  # noqa: ARG002  # all are here
    ) -> Coroutine[object, object, object]:
        """See :class:`Runner`."""
        return self.caller.serve(cast("_Predict", self.runtime.predict), request, ticket)

    def predict_stream(
        self,
        requests: RequestStream,
        ticket: Ticket,
        sequence: int | str | None = None,  # noqa: ARG002  # as above
    ) -> AsyncGenerator[object]:
        """See :class:`Runner`."""
        return self.caller.iterate(
            cast("Callable[[RequestStream], object]", self.runtime.predict_stream), requests, ticket
        )

    async def metadata(self) -> object:
        """See :class:`Runner`."""
        return cast("object", await self.caller.call(self.runtime.metadata))

    def handle(self, handler: HandlerRoute, call: HandlerCall, ticket: Ticket) -> Coroutine[object, object, object]:
        """See :class:`Runner`."""
        assert isinstance(handler, Handler)  # noqa: S101  # one of ours
        return self.caller.serve(handler.invoke, handler.arguments.bind(call), ticket)

    async def drain(self) -> None:
        """See :class:`Runner`."""
        await self.caller.drain()

    async def unload(self) -> None:
        """See :class:`Runner`."""
        self.runtime.ready = False
        with ModelScope(self.runtime.name, self.runtime.version, self._code):
            try:
                await self.caller.call(self.runtime.unload)
            except Exception:
                _logger.exception("model '%s': unload failed", self.runtime.name)
        await release(self.caller, self._code, self._metrics)


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

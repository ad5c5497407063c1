"""What a server does with a request, whatever protocol it came by. No I/O: messages in, messages out."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final, TypeVar, cast

from srv._model_config import model_config
from srv._registry import ModelState
from srv._status import error_text
from srv._validation import Wanted, check_inputs, check_outputs, check_requested, finish_response
from srv_protocol.errors import InferenceError, ModelNotFound, Unsupported, WireError
from srv_protocol.inference import (
    Headers,
    ModelInferResponse,
    ModelMetadataResponse,
    ServerMetadataResponse,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable
    from typing import Self

    from srv._metrics import Metrics
    from srv._registry import LoadedModel, ModelRegistry
    from srv._settings import Settings
    from srv._state import ServerState
    from srv_protocol.inference import ModelInferRequest, TensorMetadata
    from srv_protocol.model_config import ModelConfig

_R = TypeVar("_R")
_END: Final = object()

EXTENSIONS: Final = (
    "classification",
    "model_repository",
    "model_repository(unload_dependents)",
    "model_configuration",
    "binary_tensor_data",
    "parameters",
)
"""The extensions of the protocol that this server has, in Triton's names."""


class DataPlane:
    """Health, metadata and inference on the models of a registry."""

    def __init__(self, settings: Settings, registry: ModelRegistry, metrics: Metrics, state: ServerState) -> None:
        self._settings = settings
        self._registry = registry
        self._metrics = metrics
        self._state = state

    def is_live(self) -> bool:
        """Whether the process works; always, as it could not answer otherwise."""
        return True

    def is_ready(self) -> bool:
        """Whether every model is ready and the server neither starts nor stops.

        A model that somebody unloaded does not count; one that failed does.
        """
        if not self._state.started or self._state.stopping:
            return False
        return all(
            entry.state in {ModelState.READY, ModelState.UNLOADING} or not entry.wanted
            for entry in self._registry.entries()
        )

    def is_model_ready(self, name: str, version: str = "") -> bool:
        """Whether a model can answer.

        Raises:
            ModelNotFound: there is no such model or version.
        """
        return self._registry.is_ready(name, version) and not self._state.stopping

    def server_metadata(self) -> ServerMetadataResponse:
        """Return the server's name, version and extensions."""
        return ServerMetadataResponse(
            name=self._settings.server_name,
            version=self._settings.server_version,
            extensions=[*EXTENSIONS, *(name for name in self._settings.extensions if name not in EXTENSIONS)],
        )

    async def model_metadata(self, name: str, version: str = "") -> ModelMetadataResponse:
        """Return a model's metadata.

        Raises:
            ModelNotFound: there is no such model or version.
            ModelNotReady: it is not loaded yet.
            InferenceError: the runtime's ``metadata`` returned something else.
        """
        model = self._registry.find(name, version)
        with model.use():
            found = cast("object", await model.caller.call(model.runtime.metadata))
        if not isinstance(found, ModelMetadataResponse):
            raise InferenceError(f"model '{name}': metadata() returned {type(found).__name__}")
        if not found.versions:
            found.versions = [each for each in self._registry.versions(name) if each]
        return found

    def model_config(self, name: str, version: str = "") -> ModelConfig:
        """Return a model's configuration in Triton's form.

        Raises:
            ModelNotFound: there is no such model or version.
            ModelNotReady: it is not loaded yet.
        """
        return model_config(self._registry.find(name, version))

    def inputs(self, name: str, version: str = "") -> tuple[list[TensorMetadata], bool]:
        """Return the inputs that a model declares, and whether their first dimension is that of a batch.

        Raises:
            ModelNotFound: there is no such model or version.
            ModelNotReady: it is not loaded yet.
        """
        runtime = self._registry.find(name, version).runtime
        return runtime.inputs, runtime.settings.max_batch_size > 0

    def model_names(self) -> list[str]:
        """Return the names of the models that are ready."""
        entries = self._registry.entries()
        return list(dict.fromkeys(entry.name for entry in entries if entry.loaded is not None))

    async def infer(self, request: ModelInferRequest, headers: Headers) -> ModelInferResponse:
        """Answer one request; its ``model_name`` and ``model_version`` say which model.

        `headers` are what the runtime sees in ``parameters.headers``, whatever the client put there.

        Raises:
            SrvError: of any kind, for what is wrong with the request or with the model.
            Exception: whatever the runtime raises.
        """
        model = self._find(request)
        if model.decoupled:
            raise Unsupported(
                f"ModelInfer RPC doesn't support models with decoupled transaction policy: model "
                f"'{request.model_name}' has only predict_stream"
            )
        with model.use(), self._metrics.inference(request.model_name, model.runtime.version or ""):
            wanted = self._prepare(model, request, headers)
            response = await _blamed(model.caller.call(model.runtime.predict, request))
            return finish_response(model.runtime, wanted, response)

    async def infer_stream(self, request: ModelInferRequest, headers: Headers) -> AsyncGenerator[ModelInferResponse]:
        """Yield the responses to one request: all that ``predict_stream`` gives, or the one of ``predict``.

        Raises:
            As :meth:`infer`.
        """
        model = self._find(request)
        if not model.streams:
            yield await self.infer(request, headers)
            return
        with model.use(), self._metrics.inference(request.model_name, model.runtime.version or ""):
            wanted = self._prepare(model, request, headers)
            # Closed before the model counts as idle: a client that leaves must not outlive it in the runtime's code.
            async with aclosing(model.caller.iterate(model.runtime.predict_stream, _One(request))) as responses:
                while (response := await _blamed(anext(responses, _END))) is not _END:
                    yield finish_response(model.runtime, wanted, response)

    def _find(self, request: ModelInferRequest) -> LoadedModel:
        if not request.model_name:
            raise ModelNotFound("", request.model_version)
        return self._registry.find(request.model_name, request.model_version)

    def _prepare(self, model: LoadedModel, request: ModelInferRequest, headers: Headers) -> Wanted:
        request.parameters.headers = headers
        check_inputs(request, model.runtime.inputs)
        check_requested(request)
        check_outputs(request, model.runtime.outputs)
        # The runtime may write into the request.
        return Wanted(request.id, tuple(request.outputs))


async def _blamed(answer: Awaitable[_R]) -> _R:
    """Await a runtime's answer; a value that it could not put into a message is not the client's fault."""
    try:
        return await answer
    except WireError as error:
        raise InferenceError(error_text(error)) from error


class _One:
    """A stream of one request, for ``predict_stream`` of either kind: it is an iterator and an asynchronous one."""

    def __init__(self, request: ModelInferRequest) -> None:
        self._requests = [request]

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ModelInferRequest:
        if not self._requests:
            raise StopIteration
        return self._requests.pop()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ModelInferRequest:
        if not self._requests:
            raise StopAsyncIteration
        return self._requests.pop()

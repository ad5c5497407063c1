"""What a server does with a request, whatever protocol it came by. No I/O: messages in, messages out."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from srv._offload import off_loop
from srv.controlplane._entry import ModelState
from srv.controlplane._model_config import model_config
from srv.dataplane._deadline import Deadline, unfit_value
from srv.dataplane._options import FINAL, NO_OPTIONS, take_options
from srv.dataplane._recording import Recording
from srv.dataplane._timeline import now
from srv.dataplane._validation import (
    Wanted,
    batch_size,
    check_content_types,
    check_inputs,
    check_outputs,
    check_requested,
    finish_response,
)
from srv.runtimes._calls import Ticket
from srv.tracing._request_trace import RequestTrace
from srv.tracing._trace import NOT_TRACED
from srv_protocol.errors import InferenceError, InvalidInput, ModelNotFound, ModelNotReady, Unsupported, WireError
from srv_protocol.inference import (
    Headers,
    ModelInferResponse,
    ModelMetadataResponse,
    Parameters,
    ServerMetadataResponse,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

    from srv._metrics import Metrics
    from srv._settings import Settings
    from srv._state import ServerState
    from srv.controlplane._registry import ModelRegistry
    from srv.dataplane._cache import ModelCache
    from srv.dataplane._options import RequestOptions
    from srv.dataplane._timeline import Timeline
    from srv.runtimes._loaded import LoadedModel
    from srv.tracing._trace import Tracer
    from srv_codecs.generate import ExpectedInput
    from srv_codecs.hints import SignatureSummary
    from srv_protocol.inference import ModelInferRequest, ModelStatistics, TensorMetadata
    from srv_protocol.model_config import ModelConfig

_R = TypeVar("_R")
_END: Final = object()
_ANYTHING: Final = Wanted()

EXTENSIONS: Final = (
    "classification",
    "sequence",
    "model_repository",
    "model_repository(unload_dependents)",
    "schedule_policy",
    "model_configuration",
    "binary_tensor_data",
    "parameters",
    "statistics",
    "trace",
    "logging",
)
"""The extensions of the protocol that this server has, in Triton's names."""


@dataclass(slots=True)
class _Reading:
    """What the request says that a runtime has read last."""

    wanted: Wanted


class DataPlane:
    """Health, metadata and inference on the models of a registry."""

    def __init__(
        self, settings: Settings, registry: ModelRegistry, metrics: Metrics, state: ServerState, tracer: Tracer
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._metrics = metrics
        self._state = state
        self._tracer = tracer

    def is_live(self) -> bool:
        """Whether the process works; always, as it could not answer otherwise."""
        return True

    def is_ready(self) -> bool:
        """Whether this process and all others that serve the same ports are ready; a client may come to any."""
        return self._state.peers_ready and self.is_ready_itself()

    def is_ready_itself(self) -> bool:
        """Whether every model of this process is ready and it neither starts nor stops.

        A model that somebody unloaded does not count; one that failed does, or that says itself that it is not ready.
        """
        if not self._state.started or self._state.stopping:
            return False
        return all(
            (entry.state in {ModelState.READY, ModelState.UNLOADING} and entry.says_ready) or not entry.wanted
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
        settings = self._settings
        shared = ("system_shared_memory",) if settings.allow_client_shm else ()
        return ServerMetadataResponse(
            name=settings.server_name,
            version=settings.server_version,
            extensions=list(dict.fromkeys((*EXTENSIONS, *shared, *settings.extensions))),
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
            found = await model.runner.metadata()
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

    def statistics(self, name: str = "", version: str = "") -> list[ModelStatistics]:
        """Return what the loaded versions of a model have done so far; without a name, those of every model.

        Raises:
            InvalidInput: the model, or the version, is not loaded.
        """
        entries = [entry for entry in self._registry.entries() if entry.loaded is not None]
        found = [entry for entry in entries if name in {"", entry.name} and version in {"", entry.version}]
        if name and not found:
            of_version = f" version {version}" if version else ""
            raise InvalidInput(f"requested model '{name}'{of_version} is not available")
        return [entry.loaded.statistics.to_message(entry.name, entry.version) for entry in found if entry.loaded]

    def inputs(self, name: str, version: str = "") -> tuple[list[TensorMetadata], bool]:
        """Return the inputs that a model declares, and whether their first dimension is that of a batch.

        Raises:
            ModelNotFound: there is no such model or version.
            ModelNotReady: it is not loaded yet.
        """
        runtime = self._registry.find(name, version).runtime
        return runtime.inputs, runtime.settings.max_batch_size > 0

    def streams(self, name: str, version: str = "") -> bool:
        """Whether a model may give any number of responses to a request; one that is not there gives one error."""
        try:
            return self._registry.find(name, version).streams
        except (ModelNotFound, ModelNotReady):
            return False

    def expected_inputs(
        self, name: str, version: str = "", *, stream: bool = False
    ) -> tuple[Sequence[ExpectedInput], bool]:
        """Return what :meth:`inputs` does, or for a model that declares none, what its ``decode_args`` implies.

        With `stream` that of ``predict_stream`` comes first, and otherwise that of ``predict``.

        Raises:
            InvalidInput: neither says anything of the inputs.
            As :meth:`inputs`.
        """
        declared, batched = self.inputs(name, version)
        if declared:
            return declared, batched
        model = self._registry.find(name, version)
        signatures = [model.signature, model.stream_signature]
        # A `predict_stream` without decode_args may take what a typed `predict` does.
        signature = next(filter(None, reversed(signatures) if stream else signatures), None)
        implied = () if signature is None else signature.implied_inputs
        if not implied:
            raise InvalidInput(
                f"model '{name}' declares no inputs, so a free-form request cannot be read; add them to its metadata "
                "or use decode_args, or send a V2 request with an array of inputs"
            )
        # What a signature implies has no dimensions that could be those of a row.
        return implied, False

    def is_decoupled(self, name: str, version: str = "") -> bool:
        """Whether a model has nothing but ``predict_stream``.

        Raises:
            As :meth:`inputs`.
        """
        return self._registry.find(name, version).decoupled

    def model_names(self) -> list[str]:
        """Return the names of the models that are ready."""
        entries = self._registry.entries()
        return list(dict.fromkeys(entry.name for entry in entries if entry.loaded is not None and entry.says_ready))

    async def infer(
        self, request: ModelInferRequest, headers: Headers, times: Timeline, encode: Callable[[ModelInferResponse], _R]
    ) -> _R:
        """Answer one request; its ``model_name`` and ``model_version`` say which model.

        Args:
            request: its tensors have their data.
            headers: what the runtime sees in ``parameters.headers``, whatever the client put there.
            times: of the request; the front has begun it.
            encode: makes the front's answer of the response; its errors count as the model's.

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
        # Marks of the way of most requests are set, and not called for.
        times.queued = now()
        times.received = times.received or times.arrived
        with model.use(), self._record(model, request, times) as recording:
            options = take_options(request.parameters) if len(request.parameters) else NO_OPTIONS
            wanted = self._prepare(model, request, headers, model.signature)
            if model.cache is not None:
                return await self._infer_cached(model, model.cache, request, wanted, options, times, recording, encode)
            finished = await self._answer(model, request, wanted, options, times)
            answer = encode(finished)
            recording.add_answer(finished)
            return answer

    async def _answer(
        self, model: LoadedModel, request: ModelInferRequest, wanted: Wanted, options: RequestOptions, times: Timeline
    ) -> ModelInferResponse:
        """Return what the model's ``predict`` answers, as the client gets it."""
        work = model.answer(request, options, Ticket(options.priority, bounded=True, begin=times.mark_started))
        if options.timeout is None and self._settings.request_timeout is None:
            try:
                response = await work
            except WireError as error:
                raise unfit_value(error) from error
        else:
            response = await self._deadline(options, times).hold(work)
        times.computed = now()
        return finish_response(model.runtime, wanted, response)

    async def _infer_cached(
        self,
        model: LoadedModel,
        cache: ModelCache,
        request: ModelInferRequest,
        wanted: Wanted,
        options: RequestOptions,
        times: Timeline,
        recording: Recording,
        encode: Callable[[ModelInferResponse], _R],
    ) -> _R:
        """Answer a request from the cache, or by the model and then keep its answer."""
        asked, headers = now(), request.parameters.headers
        digest = await off_loop(_bytes_of(request), cache.digest, request, options)
        found = None if digest is None else cache.find(digest)
        looked = now() - asked
        if found is not None:
            times.mark_started()
            times.mark_computed()
            finished = found.respond(wanted.id)
            answer = encode(finished)
            recording.add_cached(finished, looked)
            return answer
        finished = await self._answer(model, request, wanted, options, times)
        if digest is None:
            answer = encode(finished)
            recording.add_answer(finished)
            return answer
        copying = now()
        # Encoding may change the message, and the runtime its arrays.
        kept = cache.copy(request, headers, finished)
        looked += now() - copying
        answer = encode(finished)
        if kept is not None:
            cache.keep(digest, kept)
        recording.add_miss(looked)
        recording.add_answer(finished)
        return answer

    async def infer_stream(
        self,
        request: ModelInferRequest,
        headers: Headers,
        times: Timeline,
        encode: Callable[[ModelInferResponse], _R],
        *,
        mark_final: bool = False,
        more: AsyncIterator[ModelInferRequest] | None = None,
    ) -> AsyncGenerator[_R]:
        """Yield the responses to one request: all that ``predict_stream`` gives, or the one of ``predict``.

        `more` are requests to the same model that ``predict_stream``, if it is an asynchronous generator, may read
        behind the first; a response is one to the request that it has read last.

        With `mark_final` each of them says in ``triton_final_response`` whether it is the last one. The end of a
        model's own stream is not known before it is there: it is a response without outputs, for clients that ask
        for one (Triton's "Parameters Extension").

        Raises:
            As :meth:`infer`.
        """
        model = self._find(request)
        if not model.streams:
            answer = await self.infer(
                request, headers, times, partial(_encode_marked, encode, final=mark_final or None)
            )
            times.mark_sending()
            try:
                yield answer
            finally:
                # The front has written it, or never will.
                times.finish()
            return
        times.mark_queued()
        named = request.model_name, request.model_version
        with model.use(), self._record(model, request, times) as recording:
            options = take_options(request.parameters)
            reading = _Reading(self._prepare(model, request, headers, model.stream_signature))
            ticket = Ticket(options.priority, bounded=True, begin=times.mark_started)
            deadline = self._deadline(options, times)
            further = None if more is None else self._prepare_all(model, named, more, headers, reading)
            wants_end = mark_final and options.empty_final
            asked = now()
            try:
                # Closed before the model counts as idle: a client that leaves must not outlive it in its code.
                async with aclosing(model.answer_stream(request, options, ticket, further)) as responses:
                    while (response := await deadline.hold(anext(responses, _END))) is not _END:
                        times.mark_computed()
                        finished = finish_response(model.runtime, reading.wanted, response)
                        # The runtime may know which one is the last.
                        final = finished.parameters.get(FINAL) is True
                        if final and not finished.outputs:
                            wants_end = mark_final and options.empty_final
                            break
                        wants_end = wants_end and not final
                        answer = _encode_marked(encode, finished, final=final if mark_final else None)
                        recording.add_response(finished, asked)
                        # Once for a client that leaves here, once for the model that goes on.
                        asked = now()
                        yield answer
                        asked = now()
            except BaseException as error:
                recording.add_stream_failure(asked, error)
                raise
            recording.add_stream_end(asked)
            if wants_end:
                last = ModelInferResponse(model.runtime.name, model.runtime.version or "", reading.wanted.id)
                yield _encode_marked(encode, last, final=True)

    def _find(self, request: ModelInferRequest) -> LoadedModel:
        if not request.model_name:
            raise ModelNotFound("", request.model_version)
        model = self._registry.find(request.model_name, request.model_version)
        if not model.runtime.ready:
            why = model.runner.failure or "its runtime says so"
            raise ModelNotReady(f"model '{request.model_name}' is not ready: {why}")
        return model

    def _record(self, model: LoadedModel, request: ModelInferRequest, times: Timeline) -> Recording:
        metrics = self._metrics.inference(request.model_name, model.version)
        levels = self._tracer.sample(request.model_name) if self._tracer.is_active else NOT_TRACED
        trace = RequestTrace(self._tracer, levels, request, model.version, times) if levels else None
        size = batch_size(request, model.runtime) if model.max_batch_size else 1
        return Recording(metrics, model.statistics, times, size, trace)

    def _prepare(
        self,
        model: LoadedModel,
        request: ModelInferRequest,
        headers: Headers,
        signature: SignatureSummary | None,
    ) -> Wanted:
        request.parameters.headers = headers
        check_inputs(request, model.runtime, signature)
        if request.outputs:
            check_requested(request)
        check_content_types(request)
        if not request.outputs:
            return Wanted(request.id) if request.id else _ANYTHING
        check_outputs(request, model.runtime.outputs)
        # The runtime may write into the request.
        return Wanted(request.id, tuple(request.outputs))

    async def _prepare_all(
        self,
        model: LoadedModel,
        first: tuple[str, str],
        requests: AsyncIterator[ModelInferRequest],
        headers: Headers,
        reading: _Reading,
    ) -> AsyncGenerator[ModelInferRequest]:
        async for request in requests:
            if (request.model_name, request.model_version) != first:
                raise InvalidInput(
                    f"model_name: expected the model and version of the stream's first request, {first}, "
                    f"got {(request.model_name, request.model_version)}"
                )
            take_options(request.parameters)
            reading.wanted = self._prepare(model, request, headers, model.stream_signature)
            yield request

    def _deadline(self, options: RequestOptions, times: Timeline) -> Deadline:
        return Deadline(options.timeout, self._settings.request_timeout, times)


def _bytes_of(request: ModelInferRequest) -> int:
    """Return roughly how many bytes a request's inputs have."""
    datas = [tensor.data for tensor in request.inputs if tensor.has_data]
    return sum(8 * len(data) if data.array is None else data.array.nbytes for data in datas)


def _encode_marked(
    encode: Callable[[ModelInferResponse], _R], response: ModelInferResponse, *, final: bool | None
) -> _R:
    """Encode a response that says whether it is the last one to its request; ``None`` if it is not to say anything."""
    parameters = response.parameters
    if final is not None or FINAL in parameters:
        # They are the runtime's own, who may use them again.
        kept = {name: value for name, value in parameters.items() if name != FINAL}
        mark = {} if final is None else {FINAL: final}
        response.parameters = Parameters({**kept, **mark}, headers=parameters.headers)
    return encode(response)

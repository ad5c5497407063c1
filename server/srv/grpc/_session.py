"""ModelStreamInfer: many requests on one stream, in the dialect that the settings choose.

Source: Triton's "Decoupled Backends and Models", and its ``ModelStreamInferResponse``; MLServer's ``ModelStreamInfer``.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, cast

from grpclib.exceptions import StreamTerminatedError
from h2.exceptions import StreamClosedError

from srv._headers import merge_headers
from srv._state import SHUTTING_DOWN
from srv._status import describe_error
from srv.dataplane._options import FINAL
from srv.dataplane._timeline import GRPC, Timeline
from srv.grpc._calls import as_metadata
from srv.grpc._messages import http_stream, requests, send
from srv_codecs.grpc import OutputForms, lower_response
from srv_protocol.errors import InferenceError, ModelNotReady, SrvError
from srv_protocol.inference import ModelInferResponse, ModelStreamInferResponse, Parameters

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping
    from typing import TypeAlias

    from grpclib.server import Stream

    from srv.dataplane._dataplane import DataPlane
    from srv_protocol.inference import ModelInferRequest
    from srv_protocol.message import Message

    Bind: TypeAlias = Callable[[ModelInferRequest], OutputForms]
    """Gives the tensors of a request their data."""

MAX_RUNNING: Final = 64
"""Requests of one stream that are answered at the same time; the next one is not read before one of them is done."""
# Metadata with which a client asks for errors to be the status of the call.
_STATUS_ERRORS: Final = "triton_grpc_error"


class Session(ABC):
    """One call of ModelStreamInfer.

    Attributes:
        reply_type: the message that it answers with.
    """

    reply_type: ClassVar[type[Message]]

    def __init__(
        self,
        stream: Stream[ModelInferRequest, ModelStreamInferResponse],
        dataplane: DataPlane,
        bind: Bind,
        draining: asyncio.Event,
    ) -> None:
        self._stream = stream
        self._dataplane = dataplane
        self._bind = bind
        self._draining = draining
        self._headers = http_stream(stream).read_headers()
        self._sent: dict[str, str] = {}

    def _lower(self, response: ModelInferResponse, forms: OutputForms) -> ModelInferResponse:
        """Return a response as a message; its headers join those of the call, which has one place for all of them."""
        self._sent = merge_headers(self._sent, response.parameters.headers, response.model_name)
        return lower_response(response, forms, typed=False)

    async def _finish(self) -> None:
        await self._stream.send_trailing_metadata(metadata=as_metadata(self._sent.items()))
        call = http_stream(self._stream)
        if call.closable:
            # The client may still send (RFC 9113, section 8.1). Without this, one that meets the connection's end
            # right behind takes the call for lost.
            call.reset_nowait()

    @abstractmethod
    async def run(self) -> None:
        """Answer the requests of the stream, until the client has sent all or the server drains."""


class TritonSession(Session):
    """Triton's dialect.

    Requests run side by side, :data:`MAX_RUNNING` of them. Models with one response to each request answer in the
    order of the requests, streaming ones as responses come. Each response says in ``triton_final_response`` whether
    it is the last one. An error is a message of the stream, which goes on; with ``triton_grpc_error: true`` in its
    metadata, the first error is the status of the call, and ends it: at its place in that order. So does a message that
    cannot be read; the requests before it are answered first. While the server drains, requests that are running get
    their answers and further ones an error; then the stream ends.
    """

    reply_type: ClassVar[type[Message]] = ModelStreamInferResponse

    def __init__(
        self,
        stream: Stream[ModelInferRequest, ModelStreamInferResponse],
        dataplane: DataPlane,
        bind: Bind,
        draining: asyncio.Event,
    ) -> None:
        super().__init__(stream, dataplane, bind, draining)
        self._status_errors = self._headers.get(_STATUS_ERRORS, "") == "true"
        self._room = asyncio.Semaphore(MAX_RUNNING)
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        # Messages are longer than frames, and must not mix.
        self._sending = asyncio.Lock()
        self._problem: SrvError | None = None

    async def run(self) -> None:
        """Answer the requests.

        Raises:
            SrvError: a message cannot be read, or any error where the client wants errors as statuses.
        """
        try:
            async with asyncio.TaskGroup() as group:
                await self._begin_all(group)
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        if self._problem is not None:
            raise self._problem
        await self._finish()

    async def _begin_all(self, group: asyncio.TaskGroup) -> None:
        previous = asyncio.Event()
        previous.set()
        async with aclosing(requests(self._stream, self._drained())) as coming:
            while (request := await self._next(coming)) is not None:
                if self._draining.is_set():
                    stopping = ModelNotReady(SHUTTING_DOWN)
                    if self._status_errors:
                        self._problem = stopping
                        return
                    whose = request.model_name, request.model_version, request.id
                    with contextlib.suppress(StreamClosedError, StreamTerminatedError):
                        await self._fail(whose, stopping, previous)
                    continue
                times = Timeline(GRPC)
                times.mark_received()
                await self._room.acquire()
                self._running += 1
                self._idle.clear()
                if self._dataplane.streams(request.model_name, request.model_version):
                    group.create_task(self._answer(request, times, None, None))
                else:
                    done = asyncio.Event()
                    group.create_task(self._answer(request, times, previous, done))
                    previous = done
                del request  # the next one may take its time, and this one may be large

    async def _next(self, coming: AsyncGenerator[ModelInferRequest]) -> ModelInferRequest | None:
        try:
            return await anext(coming, None)
        except SrvError as error:
            # An answer that is owed comes before a refusal.
            self._problem = error
            return None

    async def _drained(self) -> None:
        """Wait until the server drains and no request is running."""
        await self._draining.wait()
        await self._idle.wait()

    async def _answer(
        self, request: ModelInferRequest, times: Timeline, previous: asyncio.Event | None, done: asyncio.Event | None
    ) -> None:
        try:
            # A client that resets its stream cancels the call, and thereby this task, but a moment later.
            with contextlib.suppress(StreamClosedError, StreamTerminatedError):
                await self._answer_or_fail(request, times, previous)
        except asyncio.CancelledError:
            # Nobody hears of it where the call itself is cancelled; a model may cancel its own task too.
            self._problem = InferenceError("a request of the stream was cancelled")
            _set(done)
            raise
        finally:
            self._room.release()
            self._running -= 1
            if not self._running:
                self._idle.set()
        # Not after an error that ends the call: the later ones wait until they are cancelled with it.
        _set(done)

    async def _answer_or_fail(
        self, request: ModelInferRequest, times: Timeline, previous: asyncio.Event | None
    ) -> None:
        # The runtime may write into the request.
        whose = request.model_name, request.model_version, request.id
        try:
            encode = partial(self._lower, forms=self._bind(request))
            responses = self._dataplane.infer_stream(request, self._headers, times, encode, mark_final=True)
            async with aclosing(responses):
                async for response in responses:
                    await self._send(ModelStreamInferResponse(infer_response=response), previous)
        except (StreamClosedError, StreamTerminatedError):
            raise
        except Exception as error:
            if self._status_errors:
                if previous is not None:
                    await previous.wait()
                raise
            await self._fail(whose, error, previous)

    async def _fail(self, whose: tuple[str, str, str], error: Exception, previous: asyncio.Event | None) -> None:
        """Answer a request with an error, as a message of the stream."""
        message = describe_error(error, "ModelStreamInfer").message
        failed = ModelInferResponse(*whose, parameters=Parameters({FINAL: True}))
        await self._send(ModelStreamInferResponse(error_message=message, infer_response=failed), previous)

    async def _send(self, response: ModelStreamInferResponse, previous: asyncio.Event | None) -> None:
        if previous is not None:
            await previous.wait()
        async with self._sending:
            await send(self._stream, response)


def _set(done: asyncio.Event | None) -> None:
    if done is not None:
        done.set()


class MLServerSession(Session):
    """MLServer's dialect: responses as they are, an error is the status of the call.

    A ``predict_stream`` that is an asynchronous generator reads the requests of the whole stream itself, as many as
    it likes; those that it leaves are answered by another call of it.
    """

    reply_type: ClassVar[type[Message]] = ModelInferResponse

    def __init__(
        self,
        stream: Stream[ModelInferRequest, ModelStreamInferResponse],
        dataplane: DataPlane,
        bind: Bind,
        draining: asyncio.Event,
    ) -> None:
        super().__init__(stream, dataplane, bind, draining)
        # Those of the request that the runtime has read last.
        self._forms = OutputForms()

    async def run(self) -> None:
        """Answer the requests.

        Raises:
            SrvError: of any kind, for what is wrong with a request.
        """
        async with aclosing(requests(self._stream, self._draining.wait())) as coming:
            async for request in coming:
                times = Timeline(GRPC)
                times.mark_received()
                self._forms = self._bind(request)
                more = self._bind_all(coming)
                responses = self._dataplane.infer_stream(request, self._headers, times, self._encode, more=more)
                async with aclosing(responses):
                    async for response in responses:
                        await send(cast("Stream[ModelInferRequest, ModelInferResponse]", self._stream), response)
        await self._finish()

    async def _bind_all(self, coming: AsyncGenerator[ModelInferRequest]) -> AsyncGenerator[ModelInferRequest]:
        async for request in coming:
            self._forms = self._bind(request)
            yield request

    def _encode(self, response: ModelInferResponse) -> ModelInferResponse:
        return self._lower(response, self._forms)


SESSIONS: Final[Mapping[str, type[Session]]] = {
    "triton": TritonSession,
    "mlserver": MLServerSession,
}
"""``grpc_stream_dialect`` -> how a stream is answered."""

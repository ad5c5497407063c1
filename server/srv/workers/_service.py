"""The worker's side: loads one model, and answers what the server asks of it."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import contextvars
from contextlib import aclosing
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from srv._custom_metrics import forward_metrics
from srv._log_settings import LogSettings
from srv._logging import model_name, model_version
from srv.dataplane._validation import Wanted, finish_response
from srv.runtimes._calls import Ticket
from srv.runtimes._loading import Loading
from srv.runtimes._requests import RequestStream
from srv.workers._facts import pack_facts, pack_state
from srv.workers._frames import Kind
from srv.workers._handling import RemoteCall, pack_result
from srv.workers._link import Link, LinkClosed
from srv.workers._messages import pack_error, pack_metadata, pack_response, unpack_error, unpack_request
from srv.workers._settings import unpack_settings
from srv_codecs.content_types import codec_package
from srv_protocol.errors import InferenceError
from srv_protocol.inference import ModelMetadataResponse

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine, Mapping

    from srv._custom_metrics import MetricUse
    from srv.runtimes._runner import LocalRunner
    from srv_protocol.inference import ModelInferRequest

_TICKET: Final = Ticket()
_ANYTHING: Final = Wanted()


class Service:
    """Answers the server on one socket, until that closes or UNLOAD comes.

    Attributes:
        is_lost: whether the server has gone.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, *, nonfinite_as_null: bool = False
    ) -> None:
        self._loop = loop
        self._link = Link(loop, sock, self._received, self._lost)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._others: set[asyncio.Task[None]] = set()
        self._streams: dict[int, _Stream] = {}
        self._runner: LocalRunner | None = None
        # Of the model, once it is loaded: every call runs in a copy of it.
        self._context = contextvars.copy_context()
        self._nonfinite_as_null = nonfinite_as_null
        self._metrics: collections.deque[MetricUse] = collections.deque()
        self._tells_metrics = False
        self._log_settings = LogSettings()
        self._ended = asyncio.Event()
        self.is_lost = False

    async def run(self) -> None:
        """Serve until the end."""
        forward_metrics(self._take_metric)
        self._link.open()
        await self._ended.wait()
        await self._link.flush()

    # ---- What comes in

    def _received(self, kind: Kind, call: int, header: object, body: memoryview) -> None:
        if kind is Kind.PREDICT:
            self._start(call, self._predict(call, header, body))
        elif kind is Kind.CANCEL:
            task = self._tasks.get(call)
            if task is not None:
                task.cancel()
        elif kind is Kind.PING:
            self._send(Kind.PONG, call)
        elif kind is Kind.STREAM:
            stream = self._streams[call] = _Stream(self._link, call)
            self._start(call, self._answer_stream(call, stream, header, body))
        elif kind is Kind.LOGGING:
            self._log_settings.update(cast("dict[str, object]", header))
        elif kind is Kind.HANDLE:
            self._start(call, self._handle(call, header, body))
        elif kind in _OF_STREAMS:
            # The stream may have ended just now.
            found = self._streams.get(call)
            if found is not None:
                found.take(kind, header, body)
        else:
            self._start(call, _CALLS[kind](self, call, header))

    def _lost(self) -> None:
        # There is nobody left whom an answer could reach.
        self.is_lost = True
        self._ended.set()

    def _take_metric(self, use: MetricUse) -> None:
        self._metrics.append(use)
        if not self._tells_metrics:
            self._tells_metrics = True
            # A thread of the model's may outlive the loop.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._tell_metrics)

    def _tell_metrics(self) -> None:
        # In this order: what comes after is told of anew.
        self._tells_metrics = False
        uses: list[MetricUse] = []
        while self._metrics:
            uses.append(self._metrics.popleft())
        if uses:
            self._send(Kind.METRICS, 0, uses)

    def _send(self, kind: Kind, call: int = 0, header: object = None) -> None:
        with contextlib.suppress(LinkClosed):
            self._link.send(kind, call, header)

    # ---- Calls

    def _start(self, call: int, work: Coroutine[Any, Any, None]) -> None:
        task = self._tasks[call] = self._context.run(self._loop.create_task, work)
        task.add_done_callback(lambda done: self._finish(call, done))

    def _also(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._others.add(task)
        task.add_done_callback(self._others.discard)

    def _finish(self, call: int, done: asyncio.Task[None]) -> None:
        del self._tasks[call]
        self._streams.pop(call, None)
        if done.cancelled():
            self._also(self._end_cancelled(call))
            return
        error = done.exception()
        if error is not None and not isinstance(error, LinkClosed):
            self._send(Kind.ERROR, call, pack_error(error))

    async def _end_cancelled(self, call: int) -> None:
        # A plain function goes on after its call is cancelled, and the model's thread is taken until it ends.
        if self._runner is not None:
            await self._runner.drain()
        self._send(Kind.ERROR, call, {})

    def _loaded(self) -> LocalRunner:
        assert self._runner is not None  # noqa: S101  # the server waits for LOADED
        return self._runner

    async def _predict(self, call: int, header: object, body: memoryview) -> None:
        runner = self._loaded()
        request = unpack_request(runner.runtime.name, header, body)
        del header, body
        response = await runner.predict(request, _TICKET)
        # Before the answer goes, which tells of the shared memory that is free again.
        del request
        await self._respond(Kind.RESPONSE, call, response)

    async def _respond(self, kind: Kind, call: int, response: object) -> None:
        header, bundle = pack_response(finish_response(self._loaded().runtime, _ANYTHING, response))
        if self._metrics:
            # Who has the answer finds it counted.
            self._tell_metrics()
        self._link.send(kind, call, header, bundle, await self._link.place(bundle))

    async def _answer_stream(self, call: int, stream: _Stream, header: object, body: memoryview) -> None:
        runner = self._loaded()
        requests = stream.requests(unpack_request(runner.runtime.name, header, body), runner.runtime.name)
        del header, body
        await stream.wait_wanted()
        async with aclosing(runner.predict_stream(requests, _TICKET)) as responses:
            async for each in responses:
                await self._respond(Kind.ITEM, call, each)
                await stream.wait_wanted()
        self._link.send(Kind.END, call)

    async def _handle(self, call: int, header: object, body: memoryview) -> None:
        runner = self._loaded()
        name = runner.runtime.name
        given = RemoteCall(name, header, body)
        del header, body
        handler = runner.handlers[given.number]
        result = await runner.handle(handler, given, _TICKET)
        place = f"model '{name}': {handler.name}()"
        if self._metrics:
            self._tell_metrics()
        packed, bundle = await pack_result(result, given, place, nonfinite_as_null=self._nonfinite_as_null)
        self._link.send(Kind.RESULT, call, packed, bundle, await self._link.place(bundle))

    async def _metadata(self, call: int, _header: object) -> None:
        runner = self._loaded()
        found = await runner.metadata()
        if not isinstance(found, ModelMetadataResponse):
            raise InferenceError(f"model '{runner.runtime.name}': metadata() returned {type(found).__name__}")
        self._link.send(Kind.RESULT, call, None, pack_metadata(found))

    async def _load(self, call: int, header: object) -> None:
        given = cast("dict[str, Any]", header)
        settings = unpack_settings(given["settings"])
        root = None if given["root"] is None else Path(given["root"])
        folder = None if given["folder"] is None else Path(given["folder"])
        loading = Loading(root, None, self._tell_state, self._also)
        runner = await loading.start(settings, None, folder)
        self._context.run(model_name.set, settings.name)
        self._context.run(model_version.set, settings.version or "")
        self._context.run(codec_package.set, runner.package)
        facts = self._context.copy().run(pack_facts, runner)
        self._runner = runner
        self._link.send(Kind.LOADED, call, facts)

    def _tell_state(self) -> None:
        """Tell the server what the runtime has changed of itself."""
        if self._runner is not None:
            self._send(Kind.FACTS, 0, pack_state(self._runner.runtime))

    async def _unload(self, call: int, _header: object) -> None:
        if self._runner is not None:
            await self._runner.drain()
            await self._runner.unload()
        self._link.send(Kind.RESULT, call)
        self._ended.set()


class _Stream:
    """What the server says of a stream that is under way."""

    def __init__(self, link: Link, call: int) -> None:
        self._link = link
        self._call = call
        self._wanted: asyncio.Queue[None] = asyncio.Queue()
        self._more: asyncio.Queue[tuple[object, memoryview | None]] = asyncio.Queue()
        self._has_more = True
        self._model = ""

    def take(self, kind: Kind, header: object, body: memoryview) -> None:
        if kind is Kind.NEXT:
            self._wanted.put_nowait(None)
        else:
            self._more.put_nowait((header, body if kind is Kind.MORE else None))

    async def wait_wanted(self) -> None:
        """Return when the server wants a further response."""
        await self._wanted.get()

    def requests(self, first: ModelInferRequest, model: str) -> RequestStream:
        self._model = model
        return RequestStream(first, self)

    def __aiter__(self) -> _Stream:
        return self

    async def __anext__(self) -> ModelInferRequest:
        if self._has_more:
            self._link.send(Kind.WANT_MORE, self._call)
            header, body = await self._more.get()
            if body is not None:
                return unpack_request(self._model, header, body)
            self._has_more = False
            if header is not None:
                raise unpack_error(header)
        raise StopAsyncIteration


_OF_STREAMS: Final = frozenset((Kind.NEXT, Kind.MORE, Kind.END_MORE))
_CALLS: Final[Mapping[Kind, Callable[[Service, int, object], Coroutine[Any, Any, None]]]] = MappingProxyType(
    {
        Kind.LOAD: Service._load,  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # one module
        Kind.METADATA: Service._metadata,  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as before
        Kind.UNLOAD: Service._unload,  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as before
    }
)

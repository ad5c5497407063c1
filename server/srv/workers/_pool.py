"""The worker processes of one model: which of them answers a request, and what becomes of those that die."""

from __future__ import annotations

import asyncio
import itertools
import logging
import zlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from srv._custom_metrics import MetricUse, ModelMetrics, repeat_use
from srv._logging import model_context
from srv.runtimes._calls import Ticket
from srv.runtimes._turns import Turns
from srv.workers._facts import make_runtime
from srv.workers._frames import Kind
from srv.workers._handling import RemoteHandler, pack_call, unpack_handlers, unpack_result
from srv.workers._messages import WorkerCodeError, pack_request, unpack_response
from srv.workers._process import WorkerProcess
from srv.workers._settings import pack_settings
from srv.workers._stream import RemoteStream
from srv_codecs.content_types import input_codecs, release_codecs, request_codecs
from srv_protocol.errors import LoadError, MetricError, ModelNotReady, SrvError, WorkerFailed
from srv_protocol.inference import ModelMetadataResponse

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
    from weakref import WeakSet

    from srv._log_settings import LogValue
    from srv._model_settings import ModelSettings
    from srv.controlplane._file_override import ModelFiles
    from srv.runtimes._handler_arguments import HandlerCall
    from srv.runtimes._handlers import HandlerRoute
    from srv.runtimes._requests import RequestStream
    from srv.workers._facts import RemoteRuntime
    from srv_protocol.inference import ModelInferRequest

_logger: Final = logging.getLogger("srv")
_packages: Final = itertools.count(1)

MOST_FAILURES: Final = 5
"""Times in a row that a worker may die outside of any request, or fail to load, before its model is given up."""
# Seconds before the first attempt to start anew, and at most; twice as many each time.
_FIRST_DELAY: Final = 0.1
_LONGEST_DELAY: Final = 10.0
_STARTING: Final = "its worker process is being started"
_TICKET: Final = Ticket()


@dataclass(frozen=True, kw_only=True)
class PoolPlan:
    """How a model's workers are run.

    Attributes:
        count: how many there are.
        command: what runs a worker's ``main``; its `arguments`, as JSON, come behind.
        variables: the environment variables of all of them.
        pinned: further ones, of which each worker has one of the values, in turn.
        stop_timeout: seconds that a process has to end when it has been told to.
        hang_timeout: seconds that one may take to respond, or to end a call that nobody waits for any more; ``None``
            is any number.
        server: see :func:`srv.workers._settings.pack_server`.
        logging: what has been changed of the log settings since the server's start.
        pools: to which a pool adds itself, to be told of further changes.
        release: called when no worker runs any more.
    """

    count: int
    command: Sequence[str]
    arguments: Mapping[str, object]
    variables: Mapping[str, str]
    pinned: Mapping[str, Sequence[str]]
    stop_timeout: float
    hang_timeout: float | None
    server: Mapping[str, object]
    logging: Mapping[str, LogValue]
    pools: WeakSet[WorkerPool]
    release: Callable[[], None]

    def variables_of(self, index: int) -> Mapping[str, str]:
        """Return those of `pinned` that one worker has."""
        return {name: values[index % len(values)] for name, values in self.pinned.items()}


@dataclass(frozen=True)
class CodePlace:
    """Where a model's code is.

    Attributes:
        root: the repository's, ``None`` if it has none.
        folder: the model's.
        files: what a load request has brought, and must not go before the code does.
    """

    root: str | None
    folder: str | None
    files: ModelFiles | None = None


class WorkerPool:
    """A :class:`srv.runtimes._runner.Runner` in processes of its own.

    Args:
        limit: how many requests may wait for a worker, ``None`` for any number.
        changed: called when the model's readiness changes.

    Attributes:
        failure: why no worker serves now, ``""`` if one does.
    """

    def __init__(
        self,
        settings: ModelSettings,
        plan: PoolPlan,
        code: CodePlace,
        limit: int | None,
        changed: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._plan = plan
        self._code = code
        self._changed = changed
        self.limit = limit
        self.places = plan.count
        self.package = f"srv_workers.{next(_packages)}"
        self.handlers: tuple[RemoteHandler, ...] = ()
        self.failure = _STARTING
        self._runtime: RemoteRuntime | None = None
        self._workers: list[WorkerProcess | None] = [None] * plan.count
        # A stateful model's sequences each stay with one worker.
        self._turns: list[Turns[WorkerProcess]] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._closing = False
        plan.pools.add(self)
        self._metrics = ModelMetrics(settings.name, settings.version)
        self._bad_metrics: set[str] = set()
        # Why the last worker that was given up was.
        self._given_up = ""
        if code.files is not None:
            code.files.hold()

    # ---- Start and end

    async def start(self) -> None:
        """Start the workers, and return when all of them have loaded the model.

        Raises:
            LoadError: a worker has ended, or its process cannot be started.
            Exception: what loading the model raises, as it would in this process.
        """
        try:
            # One first: it says what the model is, or why there is none.
            await self._launch(0)
            async with asyncio.TaskGroup() as group:
                for index in range(1, self._plan.count):
                    group.create_task(self._launch(index))
        except BaseException as error:
            await asyncio.shield(self._unload_all())
            await self._release()
            if isinstance(error, BaseExceptionGroup):
                raise cast("BaseExceptionGroup[BaseException]", error).exceptions[0] from None
            raise
        self._keepers = [asyncio.create_task(self._keep(index)) for index in range(self._plan.count)]
        if self._plan.hang_timeout is not None:
            self._keepers.append(asyncio.create_task(self._watch(self._plan.hang_timeout)))

    async def _launch(self, index: int) -> WorkerProcess:
        """Start a worker, which takes requests when this returns."""
        plan = self._plan
        try:
            worker = WorkerProcess(
                self._settings.name,
                plan.command,
                {**plan.arguments, "settings": plan.server},
                {**plan.variables, **plan.variables_of(index)},
                self._take_state,
                self._count,
                self._lose,
            )
        except OSError as error:
            raise LoadError(f"the worker process cannot be started: {error}") from error
        self._workers[index] = worker
        if plan.logging:
            worker.tell(Kind.LOGGING, 0, dict(plan.logging))
        header = {"settings": pack_settings(self._settings), "root": self._code.root, "folder": self._code.folder}
        try:
            reply = await worker.request(Kind.LOAD, header, None, _nothing)
        except BaseException as error:
            worker.kill()
            await worker.end(plan.stop_timeout)
            if isinstance(error, WorkerFailed):
                raise LoadError(f"{worker.how_it_ended()} while it loaded the model") from None
            raise
        facts = cast("dict[str, Any]", reply.header)
        if self._runtime is None:
            self._runtime = make_runtime(self._settings, facts)
            stateful = self._runtime.stateful
            self._turns = [Turns((), self.limit) for _ in range(plan.count if stateful else 1)]
            self.handlers = unpack_handlers(facts["handlers"])
            of_inputs, of_requests = facts["content_types"]
            input_codecs.declare(self.package, of_inputs)
            request_codecs.declare(self.package, of_requests)
        worker.ready = True
        self._turns_of(index).give_back(worker)
        self._take_state(worker, facts["state"])
        return worker

    async def drain(self) -> None:
        """Return when the workers have ended all calls, those that nobody waits for any more included."""
        await asyncio.gather(*(worker.drain() for worker in self._alive()))

    async def unload(self) -> None:
        """Let every worker call ``unload``, and end."""
        self.runtime.ready = False
        for keeper in self._keepers:
            keeper.cancel()
        await self._unload_all()
        await self._release()

    async def _unload_one(self, worker: WorkerProcess) -> None:
        if not worker.ready:
            worker.kill()
            return
        try:
            async with asyncio.timeout(self._plan.stop_timeout):
                await worker.request(Kind.UNLOAD, None, None, _nothing)
        except TimeoutError:
            # Nobody else looks after it any more: it may be stopped, and would never end.
            _logger.error(  # noqa: TRY400  # where it came from says nothing
                "model '%s': a worker process did not unload it within %g s, and is killed",
                self._settings.name,
                self._plan.stop_timeout,
            )
            worker.kill()
        except (SrvError, WorkerCodeError):
            pass

    async def _unload_all(self) -> None:
        self._closing = True
        await asyncio.gather(*(self._unload_one(worker) for worker in self._alive()))
        await asyncio.gather(*(worker.end(self._plan.stop_timeout) for worker in self._alive()))

    async def _release(self) -> None:
        for turns in self._turns:
            turns.fail(ModelNotReady(f"model '{self._settings.name}' is being unloaded"))
        release_codecs(self.package)
        self._plan.release()
        self._metrics.release()
        if self._code.files is not None:
            await self._code.files.release()

    def _alive(self) -> list[WorkerProcess]:
        return [worker for worker in self._workers if worker is not None and not worker.is_dead]

    # ---- Workers that die

    def _take_state(self, worker: WorkerProcess, state: object) -> None:
        worker.says_ready = cast("dict[str, Any]", state)["ready"]
        self.runtime.set_state(state)
        self._settle()

    def set_logging(self, changes: Mapping[str, LogValue]) -> None:
        """Let the workers log otherwise from now on."""
        for worker in self._alive():
            worker.tell(Kind.LOGGING, 0, dict(changes))

    def _count(self, uses: object) -> None:
        """Do with metrics what the model's code has done with them."""
        with model_context(self._settings.name, self._settings.version or ""):
            for kind, name, description, labels, buckets, *rest in cast("list[Any]", uses):
                use = MetricUse(kind, name, description, tuple(labels), buckets and tuple(buckets), *rest)
                try:
                    repeat_use(use)
                except MetricError as error:
                    if name not in self._bad_metrics:
                        self._bad_metrics.add(name)
                        _logger.error("model '%s': %s", self._settings.name, error.message)  # noqa: TRY400  # it says all

    def _lose(self, worker: WorkerProcess) -> None:
        for turns in self._turns:
            turns.remove(worker)
        if not self._closing and self._runtime is not None:
            self._settle()

    def _settle(self) -> None:
        """Take note of which workers can serve."""
        serving = [worker for worker in self._alive() if worker.ready]
        if serving:
            self.failure = ""
        elif not self.failure:
            self.failure = _STARTING
        self.runtime.ready = any(worker.says_ready for worker in serving)
        self._changed()

    async def _keep(self, index: int) -> None:
        """Replace a worker whenever it has died, until it does so again and again without having served."""
        worker = cast("WorkerProcess", self._workers[index])
        place = f"model '{self._settings.name}'"
        failures, delay = 0, _FIRST_DELAY
        while True:
            await worker.wait_dead()
            why = worker.how_it_ended()
            _logger.error("%s: %s; another one is started", place, why)
            # Death that a request brings is no fault of the start, which this is to notice.
            failures = 0 if worker.served or worker.was_busy else failures + 1
            delay = _FIRST_DELAY if worker.served else min(2 * delay, _LONGEST_DELAY)
            while failures < MOST_FAILURES:
                await asyncio.sleep(delay)
                delay = min(2 * delay, _LONGEST_DELAY)
                try:
                    worker = await self._launch(index)
                    break
                except Exception as error:
                    why = f"{type(error).__name__}: {error}" if not isinstance(error, SrvError) else error.message
                    _logger.exception("%s: a worker process cannot load it", place)
                    failures += 1
            else:
                self._give_up(index, f"its worker process failed {MOST_FAILURES} times in a row, the last time: {why}")
                return

    def _give_up(self, index: int, reason: str) -> None:
        name = self._settings.name
        _logger.error("model '%s': %s; it is not started again", name, reason)
        self._workers[index] = None
        self._given_up = reason
        if not self._alive():
            self.failure = reason
            self._settle()
        stateful = len(self._turns) > 1
        if stateful or not self._alive():
            self._turns_of(index).fail(ModelNotReady(f"model '{name}' is not ready: {reason}"))

    async def _watch(self, hang_timeout: float) -> None:
        while True:
            await asyncio.sleep(hang_timeout / 4)
            for worker in self._alive():
                if worker.ready:
                    worker.check(hang_timeout)

    # ---- Requests

    @property
    def runtime(self) -> RemoteRuntime:
        """What stands for the runtime in the workers."""
        assert self._runtime is not None  # noqa: S101  # `start` comes first
        return self._runtime

    @property
    def overlaps(self) -> bool:
        """Whether calls of ``predict`` may overlap."""
        return not self.runtime.is_plain

    @property
    def has_files(self) -> bool:
        """Whether a load request has brought the model's files."""
        return self._code.files is not None

    def _turns_of(self, index: int) -> Turns[WorkerProcess]:
        return self._turns[index % len(self._turns)]

    async def _take(self, ticket: Ticket, sequence: int | str | None, *, plain: bool) -> WorkerProcess:
        """Return the worker for a call; of a plain function, when it is the call's turn."""
        index = 0 if sequence is None else zlib.crc32(str(sequence).encode()) % len(self._workers)
        choice = [self._workers[index]] if sequence is not None else self._workers
        if not any(choice):
            # Given up for good: nobody would ever have a turn.
            raise ModelNotReady(f"model '{self._settings.name}' is not ready: {self._given_up}")
        if plain:
            while True:
                worker = await self._turns_of(index).take(ticket.priority, bounded=ticket.bounded)
                if worker.ready:
                    return worker
        ready = [worker for worker in choice if worker is not None and worker.ready]
        if not ready:
            raise ModelNotReady(f"model '{self._settings.name}' is not ready: {self.failure or _STARTING}")
        return min(ready, key=_load_of)

    def _give_back(self, worker: WorkerProcess, sequence: int | str | None) -> None:
        if not worker.is_dead:
            index = 0 if sequence is None else zlib.crc32(str(sequence).encode()) % len(self._workers)
            self._turns_of(index).give_back(worker)

    async def predict(self, request: ModelInferRequest, ticket: Ticket, sequence: int | str | None = None) -> object:
        """See :class:`srv.runtimes._runner.Runner`."""
        header, bundle = pack_request(request)
        plain = self.runtime.is_plain
        worker = await self._take(ticket, sequence, plain=plain)
        ticket.begin()
        ended = partial(self._give_back, worker, sequence) if plain else _nothing
        reply = await worker.request(Kind.PREDICT, header, bundle, ended)
        return unpack_response(self.runtime.name, reply.header, reply.body)

    async def predict_stream(
        self, requests: RequestStream, ticket: Ticket, sequence: int | str | None = None
    ) -> AsyncGenerator[object]:
        """See :class:`srv.runtimes._runner.Runner`."""
        header, bundle = pack_request(await anext(requests))
        plain = self.runtime.is_plain_stream
        worker = await self._take(ticket, sequence, plain=plain)
        ticket.begin()
        # The turn is for the first response; the worker has its own for the others.
        stream = RemoteStream(worker, requests, partial(self._give_back, worker, sequence) if plain else _nothing)
        try:
            await stream.begin(header, bundle)
            while (reply := await stream.next()) is not None:
                yield unpack_response(self.runtime.name, reply.header, reply.body)
        finally:
            stream.leave()

    async def metadata(self) -> object:
        """See :class:`srv.runtimes._runner.Runner`."""
        worker = await self._take(_TICKET, None if len(self._turns) == 1 else 0, plain=False)
        reply = await worker.request(Kind.METADATA, None, None, _nothing)
        return ModelMetadataResponse.parse(reply.body)

    async def handle(self, handler: HandlerRoute, call: HandlerCall, ticket: Ticket) -> object:
        """See :class:`srv.runtimes._runner.Runner`."""
        assert isinstance(handler, RemoteHandler)  # noqa: S101  # one of ours
        header, bundle = pack_call(handler, call)
        sequence = 0 if len(self._turns) > 1 else None
        worker = await self._take(ticket, sequence, plain=handler.is_plain)
        ticket.begin()
        ended = partial(self._give_back, worker, sequence) if handler.is_plain else _nothing
        reply = await worker.request(Kind.HANDLE, header, bundle, ended)
        return unpack_result(self.runtime.name, reply.header, reply.body)


def _load_of(worker: WorkerProcess) -> int:
    return len(worker.calls)


def _nothing() -> None:
    pass

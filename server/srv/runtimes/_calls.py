"""Calls a runtime's methods, which may be plain or ``async``, without blocking the event loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import inspect
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, ParamSpec, TypeGuard, TypeVar, cast, overload

from srv.runtimes._turns import LOWEST, Turns

if TYPE_CHECKING:
    from types import CodeType

_A = TypeVar("_A")
_P = ParamSpec("_P")
_R = TypeVar("_R")
_END: Final = object()

_logger: Final = logging.getLogger("srv")


def _nothing() -> None:
    pass


class Ticket(NamedTuple):
    """How a call waits for its model's thread.

    Attributes:
        priority: lower numbers come first, of equal ones who came first.
        bounded: whether the bound on waiting calls holds for it.
        begin: called when the model's code begins.
    """

    priority: int = LOWEST
    bounded: bool = False
    begin: Callable[[], None] = _nothing


_PLAIN: Final = Ticket()
# Before all requests: a stream that is left holds something.
_FIRST: Final = Ticket(priority=0)


class Caller:
    """Runs one model's code.

    Plain functions run on a thread of the model's own, one call at a time: a runtime needs no locks, and a slow one
    blocks neither the event loop nor other models. ``async`` ones run on the event loop, and may overlap.

    A call that is cancelled ends at once; what it runs on the thread goes on, and keeps its turn to its end.
    """

    def __init__(self, label: str, limit: int | None = None) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"srv-{label}")
        self._turns = Turns(limit)
        self._closing: set[asyncio.Task[object]] = set()
        self.limit = limit

    @overload
    async def call(self, function: Callable[_P, Awaitable[_R]], *args: _P.args, **kwargs: _P.kwargs) -> _R: ...
    @overload
    async def call(self, function: Callable[_P, _R | Awaitable[_R]], *args: _P.args, **kwargs: _P.kwargs) -> _R: ...
    async def call(self, function: Callable[_P, _R | Awaitable[_R]], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Call a plain or ``async`` function and return its result."""
        return cast("_R", await self._call(function, partial(function, *args, **kwargs), _PLAIN))

    async def serve(self, function: Callable[[_A], object], argument: _A, ticket: Ticket) -> object:
        """Call a function that answers a request, as :meth:`call` does, and wait for its turn as `ticket` says.

        Raises:
            QueueFull: too many wait already.
        """
        # What `_call` comes to for a coroutine function: this is the way of most requests.
        if is_coroutine_function(function):
            ticket.begin()
            try:
                return await function(argument)
            except BaseException as error:
                check_contained(error)
                raise
        return await self._call(function, partial(function, argument), ticket)

    async def _call(
        self,
        function: Callable[..., object],
        bound: Callable[[], object],
        ticket: Ticket,
        context: contextvars.Context | None = None,
    ) -> object:
        if is_coroutine_function(function):
            ticket.begin()
            result = bound()
        else:
            result = await self._run(bound, ticket, context)
        # A plain function may hand on a coroutine, as a decorator that is not `async` itself does.
        if inspect.isawaitable(result):
            with _CONTAINED:
                return await result
        return result

    async def iterate(
        self, function: Callable[[_A], object], argument: _A, ticket: Ticket = _PLAIN
    ) -> AsyncGenerator[object]:
        """Yield what an ``async`` or a plain generator function yields.

        A plain one runs on the model's thread. Each of its steps waits for its turn, the first as `ticket` says; the
        later ones are never too many. One that is left before its end is closed there, and nobody waits for it: a
        step may be running that takes as long as it likes.

        Raises:
            QueueFull: too many wait already.
        """
        # One for all steps of a plain generator: what it sets in one step is there in the next.
        context = contextvars.copy_context()
        if inspect.isasyncgenfunction(function):
            ticket.begin()
            made: object = function(argument)
        else:
            made = await self._call(function, partial(function, argument), ticket, context)
        ticket = ticket._replace(bounded=False)
        if isinstance(made, AsyncIterator):
            items = cast("AsyncIterator[object]", made)
            try:
                # Not `async for` around the yield: what is thrown in there is no exception of the model's.
                while (each := await self._next(items)) is not _END:
                    yield each
            finally:
                if isinstance(items, AsyncGenerator):
                    with _CONTAINED:
                        await items.aclose()
            return
        iterator = iter(cast("Iterator[object]", made))
        try:
            while (item := await self._run(lambda: next(iterator, _END), ticket, context)) is not _END:
                yield item
        finally:
            if inspect.isgenerator(iterator) and inspect.getgeneratorstate(iterator) != inspect.GEN_CLOSED:
                self._close_soon(iterator.close, context)

    async def _next(self, items: AsyncIterator[object]) -> object:
        with _CONTAINED:
            return await anext(items, _END)

    async def _run(
        self, function: Callable[[], _R], ticket: Ticket = _PLAIN, context: contextvars.Context | None = None
    ) -> _R:
        await self._turns.take(ticket.priority, bounded=ticket.bounded)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_R] = loop.create_future()
        context = contextvars.copy_context() if context is None else context
        ticket.begin()
        try:
            running = self._executor.submit(context.run, contain, function)
        except BaseException:
            self._turns.give_back()
            raise
        running.add_done_callback(partial(_call_on_loop, loop, partial(self._finish, answer)))
        try:
            return await answer
        finally:
            # They hold an error, and its traceback this frame: the request would stay until the collector comes.
            del answer, running

    def _finish(self, answer: asyncio.Future[_R], done: concurrent.futures.Future[_R]) -> None:
        self._turns.give_back()
        if answer.done():
            return  # the call was cancelled; nobody waits for what came of it
        error = done.exception()
        if error is None:
            answer.set_result(done.result())
        else:
            answer.set_exception(error)

    def _close_soon(self, close: Callable[[], object], context: contextvars.Context) -> None:
        task = asyncio.create_task(self._run(close, _FIRST, context))
        self._closing.add(task)
        task.add_done_callback(self._closed)

    def _closed(self, task: asyncio.Task[object]) -> None:
        self._closing.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _logger.error("a stream that was left cannot be closed", exc_info=error)

    async def drain(self) -> None:
        """Return once the thread has done what it was given; a request that was cancelled may still run on it."""
        if self._closing:
            await asyncio.wait(self._closing)
        await self._run(lambda: None)

    def close(self) -> None:
        """Let the thread end once it is idle."""
        self._executor.shutdown(wait=False)


def is_coroutine_function(function: Callable[..., object]) -> TypeGuard[Callable[..., Awaitable[object]]]:
    """Whether calling a function gives a coroutine, as `inspect` says, which takes ten times as long to say so."""
    code: CodeType | None = getattr(getattr(function, "__func__", function), "__code__", None)
    return (code is not None and bool(code.co_flags & inspect.CO_COROUTINE)) or inspect.iscoroutinefunction(function)


def _call_on_loop(
    loop: asyncio.AbstractEventLoop,
    finish: Callable[[concurrent.futures.Future[_R]], None],
    done: concurrent.futures.Future[_R],
) -> None:
    # A thread may outlive the server's loop.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(finish, done)


class Contained:
    """Keeps what a user's code must not do to the server from doing it.

    Whatever it raises that is no Exception would end the event loop (``sys.exit()``), or reach nobody who answers the
    request; and a StopIteration or somebody else's cancellation cannot reach the caller at all.
    """

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Turn such an exception into an ordinary one, as :func:`check_contained` does."""
        if error is not None:
            check_contained(error)


def check_contained(error: BaseException) -> None:
    """Do nothing if an exception of a user's code may pass, as the server's own cancellation may.

    Raises:
        RuntimeError: it may not, as :class:`Contained` says.
    """
    if isinstance(error, Exception) and not isinstance(error, _UNFIT):
        return
    if isinstance(error, asyncio.CancelledError) and _is_cancelled():
        return
    message = f"the model's code raised {type(error).__name__}"
    raise RuntimeError(message) from error


_CONTAINED: Final = Contained()
_UNFIT: Final = (StopIteration, StopAsyncIteration, concurrent.futures.CancelledError)


def _is_cancelled() -> bool:
    """Whether the current task, if there is one, has been told to stop."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # a model's thread
        return False
    return task is not None and task.cancelling() > 0


def contain(function: Callable[[], _R]) -> _R:
    """Call a function as :class:`Contained` has it."""
    with _CONTAINED:
        return function()

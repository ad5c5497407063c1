"""Calls a runtime's methods, which may be plain or ``async``, without blocking the event loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeVar, cast, overload

_P = ParamSpec("_P")
_R = TypeVar("_R")
_END: Final = object()


class Caller:
    """Runs one model's code.

    Plain functions run on a thread of the model's own, one call at a time: a runtime needs no locks, and a slow one
    blocks neither the event loop nor other models. ``async`` ones run on the event loop, and may overlap.
    """

    def __init__(self, label: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"srv-{label}")

    @overload
    async def call(self, function: Callable[_P, Awaitable[_R]], *args: _P.args, **kwargs: _P.kwargs) -> _R: ...
    @overload
    async def call(self, function: Callable[_P, _R | Awaitable[_R]], *args: _P.args, **kwargs: _P.kwargs) -> _R: ...
    async def call(self, function: Callable[_P, _R | Awaitable[_R]], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Call a plain or ``async`` function and return its result."""
        bound = partial(function, *args, **kwargs)
        result: object = bound() if inspect.iscoroutinefunction(function) else await self._run(bound)
        # A plain function may hand on a coroutine, as a decorator that is not `async` itself does.
        if inspect.isawaitable(result):
            with _Contained():
                result = await result
        return cast("_R", result)

    async def iterate(
        self, function: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs
    ) -> AsyncGenerator[object]:
        """Yield what an ``async`` or a plain generator function yields; a plain one runs on the model's thread."""
        if inspect.isasyncgenfunction(function):
            made: object = function(*args, **kwargs)
        else:
            made = await self.call(function, *args, **kwargs)
        if isinstance(made, AsyncIterator):
            items = cast("AsyncIterator[object]", made)
            try:
                # Not `async for` around the yield: what is thrown in there is no exception of the model's.
                while (each := await self._next(items)) is not _END:
                    yield each
            finally:
                if isinstance(items, AsyncGenerator):
                    with _Contained():
                        await items.aclose()
            return
        iterator = iter(cast("Iterator[object]", made))
        try:
            while (item := await self._run(lambda: next(iterator, _END))) is not _END:
                yield item
        finally:
            if inspect.isgenerator(iterator):
                await self._run(iterator.close)

    async def _next(self, items: AsyncIterator[object]) -> object:
        with _Contained():
            return await anext(items, _END)

    async def _run(self, function: Callable[[], _R]) -> _R:
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: context.run(_contain, function))

    async def drain(self) -> None:
        """Return once the thread has done what it was given; a request that was cancelled may still run on it."""
        await self._run(lambda: None)

    def close(self) -> None:
        """Let the thread end once it is idle."""
        self._executor.shutdown(wait=False)


class _Contained:
    """Keeps what a model's code must not do to the server from doing it.

    Whatever it raises that is no Exception would end the event loop (``sys.exit()``), or reach nobody who answers the
    request; and a StopIteration or somebody else's cancellation cannot reach the caller at all.
    """

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Turn such an exception into an ordinary one; the server's own cancellation passes."""
        if error is None or (isinstance(error, Exception) and not isinstance(error, _UNFIT)):
            return
        if isinstance(error, asyncio.CancelledError) and _is_cancelled():
            return
        message = f"the model's code raised {type(error).__name__}"
        raise RuntimeError(message) from error


_UNFIT: Final = (StopIteration, StopAsyncIteration, concurrent.futures.CancelledError)


def _is_cancelled() -> bool:
    """Whether the current task, if there is one, has been told to stop."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # a model's thread
        return False
    return task is not None and task.cancelling() > 0


def _contain(function: Callable[[], _R]) -> _R:
    with _Contained():
        return function()

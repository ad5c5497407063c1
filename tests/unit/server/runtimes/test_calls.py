from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest

from srv.runtimes._calls import Caller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator

variable: ContextVar[str] = ContextVar("variable", default="unset")


def test_a_plain_function_runs_off_the_event_loop_with_the_callers_context() -> None:
    async def run() -> None:
        caller = Caller("m")
        variable.set("set")
        thread, value = await caller.call(lambda: (threading.current_thread(), variable.get()))

        assert thread is not threading.main_thread()
        assert value == "set"
        caller.close()

    asyncio.run(run())


def test_an_async_function_runs_on_the_event_loop() -> None:
    async def where() -> threading.Thread:
        return threading.current_thread()

    async def run() -> None:
        caller = Caller("m")

        assert await caller.call(where) is threading.main_thread()
        caller.close()

    asyncio.run(run())


def test_a_plain_function_that_returns_a_coroutine_is_awaited() -> None:
    async def answer() -> int:
        return 42

    def hands_on() -> Coroutine[object, object, int]:
        return answer()

    async def run() -> None:
        caller = Caller("m")

        assert await caller.call(hands_on) == 42
        caller.close()

    asyncio.run(run())


def test_plain_calls_of_one_model_never_overlap() -> None:
    running = 0
    most = 0

    def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        threading.Event().wait(0.001)
        running -= 1

    async def run() -> None:
        caller = Caller("m")
        await asyncio.gather(*(caller.call(work) for _ in range(20)))

        assert most == 1
        caller.close()

    asyncio.run(run())


def test_an_exception_of_a_plain_function_reaches_the_caller() -> None:
    def fails() -> None:
        message = "boom"
        raise ValueError(message)

    async def run() -> None:
        caller = Caller("m")
        with pytest.raises(ValueError, match="boom"):
            await caller.call(fails)
        caller.close()

    asyncio.run(run())


async def async_items(_: None) -> AsyncIterator[int]:
    yield 1
    yield 2


def plain_items(_: None) -> Iterator[int]:
    yield 1
    yield 2


async def coroutine_of_items(_: None) -> AsyncIterator[int]:
    return async_items(None)


def list_of_items(_: None) -> list[int]:
    return [1, 2]


@pytest.mark.parametrize("function", [async_items, plain_items, coroutine_of_items, list_of_items])
def test_iterate_takes_every_kind_of_stream(function: Any) -> None:
    async def run() -> list[object]:
        caller = Caller("m")
        items = [item async for item in caller.iterate(function, None)]
        caller.close()
        return items

    assert asyncio.run(run()) == [1, 2]


def test_a_stream_that_is_not_read_to_its_end_is_closed() -> None:
    closed: list[str] = []

    async def asynchronous(_: None) -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append("async")

    def plain(_: None) -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append("plain")

    async def run() -> None:
        caller = Caller("m")
        for function in (asynchronous, plain):
            stream = caller.iterate(function, None)

            assert await anext(stream) == 1
            await stream.aclose()
        await caller.drain()
        caller.close()

    asyncio.run(run())

    assert closed == ["async", "plain"]


def test_nobody_waits_for_a_step_of_a_stream_that_is_cancelled() -> None:
    """It is closed when the step has ended, before any other call."""
    events: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def steps(_: None) -> Iterator[int]:
        try:
            begun.set()
            go_on.wait()
            yield 1
        finally:
            events.append("closed")

    async def run() -> None:
        caller = Caller("m")
        step = asyncio.ensure_future(anext(caller.iterate(steps, None)))
        await asyncio.to_thread(begun.wait)
        other = asyncio.ensure_future(caller.call(lambda: events.append("called")))
        await asyncio.sleep(0)
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step
        events.append("cancelled")
        go_on.set()
        await other
        caller.close()

    asyncio.run(run())

    assert events == ["cancelled", "closed", "called"]


def test_what_a_stream_raises_when_it_is_closed_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def stubborn(_: None) -> Iterator[int]:
        try:
            yield 1
        finally:
            message = "boom"
            raise ValueError(message)

    async def run() -> None:
        caller = Caller("m")
        stream = caller.iterate(stubborn, None)
        await anext(stream)
        await stream.aclose()
        await caller.drain()
        caller.close()

    asyncio.run(run())

    assert "a stream that was left cannot be closed" in caplog.text
    assert "boom" in caplog.text


def exits() -> None:
    raise SystemExit(3)


def stops() -> None:
    next(iter(()))


async def exits_async() -> None:
    raise SystemExit(3)


@pytest.mark.parametrize("function", [exits, stops, exits_async])
def test_model_code_can_neither_end_the_server_nor_leave_its_caller_waiting(function: object) -> None:
    async def run() -> None:
        caller = Caller("m")
        with pytest.raises(RuntimeError, match=r"the model's code raised (SystemExit|StopIteration)"):
            await caller.call(function)  # type: ignore[call-overload]  # every kind of function
        caller.close()

    asyncio.run(run())


class Foreign(BaseException):
    """What extensions in other languages raise when they panic."""


async def raise_async(error: BaseException) -> None:
    raise error


def raise_plain(error: BaseException) -> None:
    raise error


ESCAPES = [
    Foreign(),
    GeneratorExit(),
    asyncio.CancelledError(),
    concurrent.futures.CancelledError(),
    KeyboardInterrupt(),
]


@pytest.mark.parametrize("function", [raise_plain, raise_async])
@pytest.mark.parametrize("error", ESCAPES, ids=lambda error: f"{type(error).__module__}.{type(error).__name__}")
def test_whatever_model_code_raises_becomes_an_ordinary_error(function: Any, error: BaseException) -> None:
    async def run() -> None:
        caller = Caller("m")
        with pytest.raises(RuntimeError, match="the model's code raised"):
            await caller.call(function, error)
        caller.close()

    asyncio.run(run())


@pytest.mark.parametrize("error", ESCAPES, ids=lambda error: f"{type(error).__module__}.{type(error).__name__}")
def test_whatever_a_stream_raises_becomes_an_ordinary_error(error: BaseException) -> None:
    async def items(_: None) -> AsyncIterator[int]:
        yield 1
        raise error

    async def run() -> None:
        caller = Caller("m")
        stream = caller.iterate(items, None)

        assert await anext(stream) == 1
        with pytest.raises(RuntimeError, match="the model's code raised"):
            await anext(stream)
        caller.close()

    asyncio.run(run())


def test_the_servers_own_cancellation_passes() -> None:
    async def run() -> None:
        caller = Caller("m")
        started = asyncio.Event()

        async def wait() -> None:
            started.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(caller.call(wait))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        caller.close()

    asyncio.run(run())

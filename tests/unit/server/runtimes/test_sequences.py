"""The sequences of a stateful model."""

from __future__ import annotations

import asyncio
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srv.dataplane._options import RequestOptions
from srv.errors import InvalidInput, QueueFull
from srv.runtimes import _sequences
from srv.runtimes._sequences import Sequences

START: Final = RequestOptions(sequence=1, sequence_start=True)
MIDDLE: Final = RequestOptions(sequence=1)
END: Final = RequestOptions(sequence=1, sequence_end=True)
ONLY: Final = RequestOptions(sequence=1, sequence_start=True, sequence_end=True)
NOT_BEGUN: Final = "inference request for sequence 1 to model 'm' must specify the START flag on the first request"


async def answer(sequences: Sequences, *requests: RequestOptions) -> None:
    for options in requests:
        async with sequences.turn(options):
            pass


def test_a_sequence_goes_from_its_start_to_its_end() -> None:
    async def run() -> None:
        sequences = Sequences("m")
        await answer(sequences, START, MIDDLE, END)

        assert len(sequences) == 0
        with pytest.raises(InvalidInput, match=NOT_BEGUN):
            await answer(sequences, MIDDLE)
        await answer(sequences, ONLY, ONLY)
        assert len(sequences) == 0

    asyncio.run(run())


def test_a_request_without_a_sequence_is_refused() -> None:
    async def run() -> None:
        with pytest.raises(InvalidInput, match="to model 'm' must specify a non-zero or non-empty correlation ID"):
            await answer(Sequences("m"), RequestOptions())

    asyncio.run(run())


def test_a_start_begins_the_sequence_anew() -> None:
    asyncio.run(answer(Sequences("m"), START, START, MIDDLE, END))


def test_a_start_that_fails_begins_nothing() -> None:
    async def run() -> None:
        sequences = Sequences("m")
        with pytest.raises(ZeroDivisionError):
            async with sequences.turn(START):
                _ = 1 / 0

        assert len(sequences) == 0
        with pytest.raises(InvalidInput, match=NOT_BEGUN):
            await answer(sequences, MIDDLE)

    asyncio.run(run())


def test_a_request_that_waits_behind_a_start_that_fails_is_refused() -> None:
    async def run() -> None:
        sequences, fail = Sequences("m"), asyncio.Event()

        async def start() -> None:
            async with sequences.turn(START):
                await fail.wait()
                raise ZeroDivisionError

        first, second = asyncio.ensure_future(start()), asyncio.ensure_future(answer(sequences, MIDDLE))
        await asyncio.sleep(0)
        fail.set()
        outcomes = await asyncio.gather(first, second, return_exceptions=True)

        assert isinstance(outcomes[0], ZeroDivisionError)
        assert isinstance(outcomes[1], InvalidInput)
        assert len(sequences) == 0

    asyncio.run(run())


def test_more_than_may_wait_are_refused() -> None:
    async def run() -> None:
        sequences, go = Sequences("m", 1), asyncio.Event()

        async def slow() -> None:
            async with sequences.turn(START):
                await go.wait()

        first, second = asyncio.ensure_future(slow()), asyncio.ensure_future(answer(sequences, MIDDLE))
        await asyncio.sleep(0)
        with pytest.raises(QueueFull, match="Exceeds maximum queue size"):
            await answer(sequences, MIDDLE)
        go.set()
        await asyncio.gather(first, second)

    asyncio.run(run())


def test_a_sequence_that_nobody_goes_on_with_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        sequences = Sequences("m")
        await answer(sequences, START, RequestOptions(sequence="b", sequence_start=True))
        assert len(sequences) == 2
        monkeypatch.setattr(_sequences, "IDLE", -1.0)

        with pytest.raises(InvalidInput, match=NOT_BEGUN):
            await answer(sequences, MIDDLE)
        assert len(sequences) == 0

    asyncio.run(run())


def test_a_sequence_that_is_in_use_keeps_no_idle_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        sequences, go = Sequences("m"), asyncio.Event()

        async def slow() -> None:
            async with sequences.turn(START):
                await go.wait()

        running = asyncio.ensure_future(slow())
        await asyncio.sleep(0)
        await answer(sequences, RequestOptions(sequence="b", sequence_start=True))
        monkeypatch.setattr(_sequences, "IDLE", -1.0)
        await answer(sequences, RequestOptions(sequence="c", sequence_start=True, sequence_end=True))

        assert len(sequences) == 1
        go.set()
        await running

    asyncio.run(run())


@given(st.lists(st.tuples(st.integers(1, 3), st.booleans()), max_size=30))
def test_the_requests_of_a_sequence_come_in_order_one_after_the_other(arrivals: list[tuple[int, bool]]) -> None:
    """Whatever else runs, and whoever leaves while waiting."""

    async def run() -> None:
        sequences, seen = Sequences("m"), list[tuple[int, int]]()
        running: dict[int, int] = {}

        async def serve(key: int, number: int) -> None:
            async with sequences.turn(RequestOptions(sequence=key, sequence_start=True)):
                running[key] = running.get(key, 0) + 1
                try:
                    assert running[key] == 1
                    seen.append((key, number))
                    for _ in range(number % 3):
                        await asyncio.sleep(0)
                finally:
                    running[key] -= 1

        tasks = [asyncio.ensure_future(serve(key, number)) for number, (key, _) in enumerate(arrivals)]
        await asyncio.sleep(0)
        for task, (_, leaves) in zip(tasks, arrivals, strict=True):
            if leaves:
                task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)

        assert all(each is None or isinstance(each, asyncio.CancelledError) for each in outcomes)
        for key in (1, 2, 3):
            numbers = [number for each, number in seen if each == key]
            assert numbers == sorted(numbers)

    asyncio.run(run())

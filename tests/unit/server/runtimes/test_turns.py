"""Who gets a model's thread next."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srv.errors import QueueFull
from srv.runtimes._turns import LOWEST, Turns


def test_the_first_has_its_turn_at_once_and_the_others_wait() -> None:
    async def run() -> None:
        turns = Turns((None,))
        await turns.take()
        second = asyncio.ensure_future(turns.take())
        await asyncio.sleep(0)

        assert not second.done()
        assert turns.waiting == 1
        turns.give_back(None)
        await second
        assert turns.waiting == 0

    asyncio.run(run())


def test_more_than_may_wait_are_refused_unless_they_are_unbounded() -> None:
    async def run() -> None:
        turns = Turns((None,), 1)
        await turns.take(bounded=True)
        waiting = asyncio.ensure_future(turns.take(bounded=True))
        await asyncio.sleep(0)
        with pytest.raises(QueueFull, match="Exceeds maximum queue size"):
            await turns.take(bounded=True)
        unbounded = asyncio.ensure_future(turns.take())
        await asyncio.sleep(0)

        assert turns.waiting == 2
        turns.give_back(None)
        await waiting
        turns.give_back(None)
        await unbounded

    asyncio.run(run())


def test_none_may_wait_where_the_limit_is_0() -> None:
    async def run() -> None:
        turns = Turns((None,), 0)
        await turns.take(bounded=True)
        with pytest.raises(QueueFull):
            await turns.take(bounded=True)
        turns.give_back(None)
        await turns.take(bounded=True)

    asyncio.run(run())


def test_a_turn_that_comes_in_the_moment_of_the_cancellation_goes_to_the_next() -> None:
    async def run() -> None:
        turns = Turns((None,))
        await turns.take()
        gone, heir = asyncio.ensure_future(turns.take()), asyncio.ensure_future(turns.take())
        await asyncio.sleep(0)
        turns.give_back(None)
        gone.cancel()

        await heir
        assert gone.cancelled()
        turns.give_back(None)
        await turns.take()

    asyncio.run(run())


def test_those_who_leave_all_at_once_are_counted_once_each() -> None:
    async def run() -> None:
        turns = Turns((None,), 100)
        await turns.take()
        tasks = [asyncio.ensure_future(turns.take(bounded=True)) for _ in range(100)]
        await asyncio.sleep(0)
        for task in tasks[:60]:
            task.cancel()
        await asyncio.gather(*tasks[:60], return_exceptions=True)

        assert turns.waiting == 40
        for task in tasks[60:]:
            turns.give_back(None)
            await task
        assert turns.waiting == 0

    asyncio.run(run())


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.sampled_from([1, 2, 3, LOWEST])),
        st.tuples(st.just("cancel"), st.integers(0, 30)),
        st.tuples(st.just("give back"), st.just(0)),
    ),
    max_size=40,
)


@given(STEPS)
def test_the_lowest_number_comes_first_and_of_equal_ones_who_came_first(steps: list[tuple[str, int]]) -> None:
    """As in a list that is sorted anew at each turn; those who left never get one."""

    async def run() -> None:
        turns, tasks, served = Turns((None,)), list[asyncio.Task[Any]](), list[int]()
        waiting: list[tuple[int, int]] = []
        expected: list[int] = []
        running = 0

        async def wait(number: int, priority: int) -> None:
            await turns.take(priority)
            served.append(number)

        for kind, value in steps:
            if kind == "take":
                if running:
                    waiting.append((value, len(tasks)))
                else:
                    expected.append(len(tasks))
                    running = 1
                tasks.append(asyncio.ensure_future(wait(len(tasks), value)))
            elif kind == "cancel" and value < len(tasks):
                tasks[value].cancel()
                waiting = [each for each in waiting if each[1] != value]
            elif kind == "give back" and running:
                turns.give_back(None)
                running = 0
                if waiting:
                    waiting.sort()
                    expected.append(waiting.pop(0)[1])
                    running = 1
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert served == expected
            assert turns.waiting == len(waiting)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(run())

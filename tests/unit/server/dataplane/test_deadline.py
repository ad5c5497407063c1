"""How long a request may take."""

from __future__ import annotations

import asyncio

import pytest

from srv.dataplane._deadline import Deadline
from srv.dataplane._timeline import Timeline
from srv.errors import DeadlineExceeded, QueueTimeout


async def answer() -> int:
    await asyncio.sleep(0)
    return 7


def test_work_within_its_time_is_answered() -> None:
    async def run() -> None:
        for by_client, by_server in [(None, None), (60.0, None), (None, 60.0), (60.0, 60.0)]:
            times = Timeline()
            times.mark_queued()
            assert await Deadline(by_client, by_server, times).hold(answer()) == 7

    asyncio.run(run())


@pytest.mark.parametrize(
    ("by_client", "by_server", "started", "error"),
    [
        (0.001, None, False, QueueTimeout),
        (0.001, 60.0, True, DeadlineExceeded),
        (60.0, 0.001, False, DeadlineExceeded),
        (None, 0.001, True, DeadlineExceeded),
    ],
)
def test_work_that_takes_longer_is_cancelled(
    by_client: float | None, by_server: float | None, error: type[Exception], *, started: bool
) -> None:
    async def run() -> None:
        cancelled = asyncio.Event()

        async def endless() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        times = Timeline()
        times.mark_queued()
        if started:
            times.mark_started()
        with pytest.raises(error, match=r"^Request timeout expired"):
            await Deadline(by_client, by_server, times).hold(endless())
        assert cancelled.is_set()

    asyncio.run(run())


def test_a_timeout_of_the_models_own_is_none_of_the_request() -> None:
    async def fails() -> None:
        raise TimeoutError("the database")

    async def run() -> None:
        times = Timeline()
        times.mark_queued()
        with pytest.raises(TimeoutError, match="the database"):
            await Deadline(60.0, None, times).hold(fails())

    asyncio.run(run())


def test_the_time_begins_when_the_request_is_there() -> None:
    """Of a request that has been decoded for longer than it may take, nothing is begun that waits."""

    async def run() -> None:
        times = Timeline()
        times.received = times.arrived - 2_000_000_000
        times.mark_queued()
        with pytest.raises(QueueTimeout):
            await Deadline(1.0, None, times).hold(asyncio.Event().wait())

    asyncio.run(run())

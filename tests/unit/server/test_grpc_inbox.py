"""What a call receives: the messages that were sent, however they are cut, in no more memory than was granted."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srv.errors import InvalidInput, RequestTooLarge
from srv.grpc.native._budget import Budget
from srv.grpc.native._inbox import Inbox

if TYPE_CHECKING:
    from random import Random

LIMIT = 1000
WINDOW = 60

messages = st.lists(st.integers(0, 50) | st.integers(50, 70) | st.integers(0, LIMIT), max_size=6)


class Windows:
    """The windows of a connection's streams, as its client knows them."""

    def __init__(self) -> None:
        self.left: dict[int, int] = {}

    def grow(self, stream_id: int, size: int) -> None:
        assert size > 0  # a WINDOW_UPDATE of 0 is an error
        self.left[stream_id] += size


class Sender:
    """One stream of a client that sends no more than it may."""

    def __init__(self, stream_id: int, sizes: list[int], windows: Windows, budget: Budget) -> None:
        self.id = stream_id
        self.windows = windows
        windows.left[stream_id] = WINDOW
        self.inbox = Inbox(partial(windows.grow, stream_id), WINDOW, LIMIT, budget)
        self.messages = [bytes((stream_id + size + each) % 251 for each in range(size)) for size in sizes]
        self.body = b"".join(bytes(1) + len(each).to_bytes(4) + each for each in self.messages)
        self.sent = self.taken = 0
        self.found: list[bytes] = []
        self.permits = asyncio.Semaphore(0)
        self.ended = False

    def can_send(self) -> bool:
        return self.sent < len(self.body) and self.windows.left[self.id] > 0

    def send(self, random: Random) -> None:
        """Send a frame, which may be padded, have no data, or end the stream."""
        window = self.windows.left[self.id]
        data = self.body[self.sent : self.sent + random.randint(0, window)]
        if not data:
            data = self.body[self.sent : self.sent + 1]
        padding = random.choice([0, 0, random.randint(0, window - len(data))])
        self.windows.left[self.id] -= len(data) + padding
        self.sent += len(data)
        self.ended = self.sent == len(self.body) and random.random() < 0.5
        frame = bytearray(data)
        self.inbox.add(memoryview(frame), len(data) + padding, ended=self.ended)
        frame[:] = bytes(len(frame))  # the next frames are received to the same memory

    async def read(self) -> None:
        """Read the messages, each when there is a permit for it."""
        while True:
            await self.permits.acquire()
            packed = await self.inbox.next_message()
            if packed is None:
                assert await self.inbox.is_at_end()
                return
            assert not packed.compressed
            self.found.append(bytes(packed.data))
            self.taken += 5 + len(packed.data)
            self.check()

    def check(self) -> None:
        """No more is held, or may come, than the window and what was granted."""
        inbox = self.inbox
        ready = 0 if inbox._ready is None else 5 + len(inbox._ready.data)
        held = self.sent - self.taken - ready
        assert held + self.windows.left[self.id] <= WINDOW + inbox._granted + 5  # and a prefix
        assert len(inbox._rest) <= (1 << 16) + WINDOW


def check_budget(budget: Budget, senders: list[Sender]) -> None:
    granted = [each.inbox._granted for each in senders if each.inbox._granted]
    assert sum(granted) == budget._used
    assert budget._used <= budget._size or len(granted) == 1


@given(
    sizes=st.lists(messages, min_size=1, max_size=4),
    memory=st.integers(0, 2 * LIMIT),
    random=st.randoms(use_true_random=False),
)
def test_messages_come_out_as_they_went_in(sizes: list[list[int]], memory: int, random: Random) -> None:
    """Whatever frames they come in and whenever they are read; clients that heed their windows never wait for ever."""

    async def run() -> None:
        budget, windows = Budget(memory), Windows()
        senders = [Sender(2 * index + 1, each, windows, budget) for index, each in enumerate(sizes)]
        readers = [asyncio.create_task(each.read()) for each in senders]
        while True:
            able = [each for each in senders if each.can_send()]
            if not able and all(each.sent == len(each.body) for each in senders):
                break
            if able and random.random() < 0.8:
                random.choice(able).send(random)
            else:
                for each in senders if not able else [random.choice(senders)]:
                    each.permits.release()
            if not able or random.random() < 0.5:
                for _ in range(3):
                    await asyncio.sleep(0)
            for each in senders:
                each.check()
            check_budget(budget, senders)
            if not able and not any(each.can_send() for each in senders):
                # All that can be read has been, unless something is about to be.
                assert any(each.inbox._ready is not None for each in senders), "nobody can go on"
        for each in senders:
            if not each.ended:
                each.inbox.end()
            for _ in range(len(each.messages) + 1):
                each.permits.release()
        await asyncio.gather(*readers)
        assert [each.found for each in senders] == [each.messages for each in senders]
        assert budget._used == 0
        assert not budget._waiting

    asyncio.run(run())


@given(
    sizes=st.lists(messages, min_size=2, max_size=4),
    memory=st.integers(0, 2 * LIMIT),
    steps=st.integers(0, 40),
    random=st.randoms(use_true_random=False),
)
def test_what_is_closed_gives_its_memory_back(sizes: list[list[int]], memory: int, steps: int, random: Random) -> None:
    """At any moment, and those that wait for it go on."""

    async def run() -> None:
        budget, windows = Budget(memory), Windows()
        senders = [Sender(2 * index + 1, each, windows, budget) for index, each in enumerate(sizes)]
        for _ in range(steps):
            able = [each for each in senders if each.can_send()]
            if able:
                random.choice(able).send(random)
        random.shuffle(senders)
        while senders:
            closed = senders.pop()
            closed.inbox.close()
            assert closed.inbox._granted == 0
            assert closed.inbox not in budget._waiting
            check_budget(budget, senders)
            closed.inbox.close()  # again, as a call that is reset does
            # Nobody waits while nobody has anything.
            assert budget._used or not budget._waiting
        assert budget._used == 0

    asyncio.run(run())


def one(body: bytes, *, ended: bool, budget: Budget | None = None) -> Inbox:
    """Return an inbox that has received `body`."""
    inbox = Inbox(lambda _: None, 1 << 16, LIMIT, budget or Budget(LIMIT))
    inbox.add(memoryview(body), len(body), ended=ended)
    return inbox


@given(body=st.binary(max_size=12).map(lambda each: bytes(1) + (12).to_bytes(4) + each), cut=st.integers(1, 16))
def test_a_stream_that_ends_inside_a_message(body: bytes, cut: int) -> None:
    """It is an error, wherever it ends, and no message."""

    async def run() -> None:
        part = body[:cut]
        inbox = one(part, ended=True)
        if len(part) == 17:
            assert await inbox.next_message() is not None
            return
        with pytest.raises(InvalidInput, match="truncated"):
            await inbox.next_message()
        assert not await inbox.is_at_end()

    asyncio.run(run())


def test_a_message_that_is_too_large_is_an_error_behind_those_before_it() -> None:
    """It is known from its prefix; what comes behind is dropped."""

    async def run() -> None:
        inbox = one(b"\0\0\0\0\2ab" + b"\1" + (LIMIT + 1).to_bytes(4) + b"rest", ended=False)
        first = await inbox.next_message()
        assert first is not None
        assert bytes(first.data) == b"ab"
        for _ in range(2):
            with pytest.raises(RequestTooLarge, match="has 1001 bytes, the server accepts 1000"):
                await inbox.next_message()
        inbox.add(memoryview(bytes(5000)), 5000, ended=False)
        assert not inbox._rest
        assert not inbox._pieces

    asyncio.run(run())


def test_who_waits_is_woken_by_an_error() -> None:
    """One that comes from outside: the client was too slow, say."""

    async def run() -> None:
        budget = Budget(LIMIT)
        inbox = one(b"\0" + LIMIT.to_bytes(4) + b"begun", ended=False, budget=budget)
        reading = asyncio.create_task(inbox.next_message())
        await asyncio.sleep(0)
        assert inbox.waits_for_client
        inbox.fail(InvalidInput("too slow"))
        assert not inbox.waits_for_client
        with pytest.raises(InvalidInput, match="too slow"):
            await reading
        assert budget._used == 0

    asyncio.run(run())


def test_a_reader_that_is_cancelled_leaves_the_message() -> None:
    """The next one gets it."""

    async def run() -> None:
        inbox = one(b"\0\0\0", ended=False)
        reading = asyncio.create_task(inbox.next_message())
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        inbox.add(memoryview(b"\0\1x"), 3, ended=True)
        found = await inbox.next_message()
        assert found is not None
        assert bytes(found.data) == b"x"
        assert await inbox.next_message() is None

    asyncio.run(run())


def test_messages_wait_for_their_turn() -> None:
    """First come, first served, also where a later one would fit; one that is larger than all memory comes alone."""

    async def run() -> None:
        budget, windows = Budget(500), Windows()
        senders = [Sender(index, [size], windows, budget) for index, size in enumerate((400, 900, 100))]
        for each in senders:
            each.inbox.add(memoryview(each.body[:10]), 10, ended=False)
        assert [each.inbox._granted for each in senders] == [400, 0, 0]
        senders[0].inbox.close()
        assert [each.inbox._granted for each in senders] == [0, 900, 0]
        senders[1].inbox.close()
        assert [each.inbox._granted for each in senders] == [0, 0, 100]

    asyncio.run(run())

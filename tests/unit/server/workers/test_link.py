"""Frames between two ends of a socket, however the system cuts them up, and tensors in shared memory beside them."""

from __future__ import annotations

import array
import asyncio
import gc
import os
import socket
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import open_files

from srv.workers._frames import Kind
from srv.workers._link import Link, LinkClosed
from srv_codecs.handover import Bundle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SMALL = 1 << 10
LARGE = 1 << 17
OFF_THE_LOOP = 1 << 22


class End:
    """One end, and what it has received."""

    def __init__(self, sock: socket.socket) -> None:
        self.frames: asyncio.Queue[tuple[Kind, int, object, memoryview]] = asyncio.Queue()
        self.closed = asyncio.Event()
        self.link = Link(asyncio.get_running_loop(), sock, self._receive, self.closed.set)
        self.link.open()

    def _receive(self, *frame: Any) -> None:
        self.frames.put_nowait(frame)

    async def get(self) -> tuple[Kind, int, object, memoryview]:
        return await asyncio.wait_for(self.frames.get(), 60)

    async def receive(self) -> tuple[int, Any]:
        """Return the number of the next call, and an array of its body: a view."""
        _, call, _, body = await self.get()
        return call, np.frombuffer(body, np.uint8)


def pair(size: int | None = None) -> tuple[socket.socket, socket.socket]:
    one, other = socket.socketpair()
    if size is not None:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
    return one, other


def run(test: Callable[[End, End], Awaitable[None]], size: int | None = None) -> None:
    async def main() -> None:
        ends = [End(each) for each in pair(size)]
        try:
            await test(*ends)
        finally:
            for each in ends:
                each.link.close()

    before = open_files()
    asyncio.run(main())
    gc.collect()
    assert open_files() == before


def bundle_of(data: Any) -> Bundle:
    bundle = Bundle()
    bundle.add_array(data)
    return bundle


def random_bytes(size: int) -> Any:
    return np.random.default_rng(size).integers(0, 256, size, np.uint8)


FRAMES = st.lists(
    st.tuples(
        st.sampled_from([Kind.PREDICT, Kind.RESPONSE, Kind.ERROR, Kind.CANCEL]),
        st.integers(0, (1 << 32) - 1),
        st.none() | st.lists(st.text(max_size=200), max_size=4) | st.just(["x" * 300_000]),
        st.sampled_from([0, 1, SMALL, 1 << 15, (1 << 15) + 1, LARGE]),
    ),
    max_size=12,
)


@pytest.mark.parametrize("size", [None, 2304], ids=["usual", "small"])
@given(frames=FRAMES)
@settings(max_examples=30)
def test_frames_arrive_whole_and_in_order(size: int | None, frames: list[Any]) -> None:
    """Also where the socket takes a few bytes at a time, so that all of it is sent in parts."""

    async def test(one: End, other: End) -> None:
        for kind, call, header, length in frames:
            one.link.send(kind, call, header, bundle_of(random_bytes(length)) if length else None)
        for kind, call, header, length in frames:
            got = await other.get()
            assert got[:3] == (kind, call, header)
            assert bytes(got[3]) == random_bytes(length).tobytes()
        await one.link.flush()

    run(test, size)


class Wire:
    """What a link sends: its bytes, each with the file descriptors that came with it."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.parts: list[tuple[bytes, list[int]]] = []
        while True:
            try:
                data, descriptors, _, _ = socket.recv_fds(sock, 1 << 20, 8)
            except BlockingIOError:
                return
            self.parts.append((data, descriptors))

    def bytes_of(self) -> list[tuple[bytes, list[int]]]:
        return [
            (data[index : index + 1], descriptors if not index else [])
            for data, descriptors in self.parts
            for index in range(len(data))
        ]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 27, 28, 29, 100])
def test_frames_may_be_cut_anywhere(step: int) -> None:
    """Descriptors come with the first byte of theirs."""

    async def main() -> None:
        ours, theirs = pair()
        sender = End(ours)
        sender.link.send(Kind.PREDICT, 1, ["first"], bundle_of(random_bytes(SMALL)))
        sender.link.send(Kind.PREDICT, 2, ["second"], bundle_of(random_bytes(LARGE)))
        sender.link.send(Kind.PREDICT, 3, ["third"], bundle_of(random_bytes(LARGE * 2)))
        sender.link.send(Kind.CANCEL, 4)
        parts = Wire(theirs).bytes_of()
        feed, fed = pair()
        receiver = End(fed)
        for start in range(0, len(parts), step):
            piece = parts[start : start + step]
            while piece:
                # The system does not hand on descriptors in the middle of a read.
                end = next((index for index, (_, given) in enumerate(piece) if given and index), len(piece))
                data = b"".join(each for each, _ in piece[:end])
                rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", piece[0][1]))
                feed.sendmsg((data,), (rights,) if piece[0][1] else ())
                piece = piece[end:]
            await asyncio.sleep(0)
        for number, length in ((1, SMALL), (2, LARGE), (3, LARGE * 2)):
            call, body = await receiver.receive()
            assert call == number
            assert (body == random_bytes(length)).all()
        assert (await receiver.get())[:3] == (Kind.CANCEL, 4, None)
        for _, descriptors in parts:
            for each in descriptors:
                os.close(each)
        sender.link.close()
        receiver.link.close()
        feed.close()
        theirs.close()

    asyncio.run(main())


def test_large_tensors_are_views_of_the_memory_that_they_were_written_to() -> None:
    """Zero copies on the reader's side: what the writer writes afterwards is seen."""

    async def test(one: End, other: End) -> None:
        one.link.send(Kind.PREDICT, 1, None, bundle_of(random_bytes(LARGE)))
        _, body = await other.receive()
        (segment,) = one.link.written._used.values()
        assert not body.flags.writeable
        assert bytes(body[:4]) != b"seen"
        segment.memory[:4] = b"seen"
        assert bytes(body[:4]) == b"seen"
        part = body[LARGE // 2 :]
        assert np.shares_memory(part, body)

    run(test)


def test_memory_is_used_again_when_all_views_are_gone_and_not_before() -> None:
    """A model may keep the arrays of old requests: they stay what they were."""

    async def test(one: End, other: End) -> None:
        kept: list[Any] = []
        for number in range(8):
            one.link.send(Kind.PREDICT, number, None, bundle_of(np.full(LARGE, number, np.uint8)))
            _, body = await other.receive()
            kept.append(body[10:20] if number % 2 else memoryview(body)[5:6])
        assert one.link.written.in_use == 8
        for number, each in enumerate(kept):
            assert set(bytes(each)) == {number}
        del kept[::2]
        body = each = None
        while one.link.written.in_use > 4:
            await asyncio.sleep(0.001)
        count = one.link.written._count
        for number in range(100, 104):
            one.link.send(Kind.PREDICT, number, None, bundle_of(np.full(LARGE, number, np.uint8)))
        got = [(await other.receive())[1] for _ in range(4)]
        assert [{*each.tolist()} for each in got] == [{number} for number in range(100, 104)]
        assert one.link.written._count == count, "memory that is free was not used"
        for number, each in zip((1, 3, 5, 7), kept, strict=True):
            assert set(bytes(each)) == {number}

    run(test)


def test_views_may_be_dropped_on_any_thread() -> None:
    async def test(one: End, other: End) -> None:
        for _ in range(20):
            one.link.send(Kind.PREDICT, 1, None, bundle_of(random_bytes(LARGE)))
            holder = [(await other.receive())[1]]
            await asyncio.to_thread(holder.clear)
        while one.link.written.in_use:
            await asyncio.sleep(0.001)
        assert one.link.written._count <= 4

    run(test)


def test_tensors_that_are_very_large_are_written_off_the_event_loop() -> None:
    async def test(one: End, other: End) -> None:
        data = random_bytes(OFF_THE_LOOP)
        bundle = bundle_of(data)
        placed = await one.link.place(bundle)
        assert placed is not None
        one.link.send(Kind.PREDICT, 1, None, bundle, placed)
        _, body = await other.receive()
        assert (body == data).all()

    run(test)


def test_what_was_placed_and_cannot_be_sent_is_free_again() -> None:
    async def test(one: End, other: End) -> None:
        bundle = bundle_of(random_bytes(OFF_THE_LOOP))
        placed = await one.link.place(bundle)
        with pytest.raises(TypeError):
            one.link.send(Kind.PREDICT, 1, object(), bundle, placed)
        with pytest.raises(TypeError):
            one.link.send(Kind.PREDICT, 1, object(), bundle_of(random_bytes(LARGE)))
        assert one.link.written.in_use == 0
        one.link.send(Kind.CANCEL, 7)
        assert (await other.get())[:2] == (Kind.CANCEL, 7)

    run(test)


def test_who_does_not_wait_for_the_writing_leaves_its_memory_to_others() -> None:
    async def test(one: End, _: End) -> None:
        placing = asyncio.ensure_future(one.link.place(bundle_of(random_bytes(OFF_THE_LOOP))))
        await asyncio.sleep(0)
        placing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await placing
        while one.link.written.in_use:
            await asyncio.sleep(0.001)

    run(test)


def test_the_end_of_one_side_is_told_to_the_other_behind_all_that_came() -> None:
    async def test(one: End, other: End) -> None:
        for number in range(20):
            one.link.send(Kind.RESPONSE, number, ["x" * 1000])
        one.link.close()
        await asyncio.wait_for(other.closed.wait(), 60)
        assert [other.frames.get_nowait()[1] for _ in range(20)] == [*range(20)]
        for link in (one.link, other.link):
            with pytest.raises(LinkClosed):
                link.send(Kind.PING)

    run(test)


def test_all_that_has_come_can_be_taken_at_once() -> None:
    """A process that has answered and ended has answered, whichever of the two is seen first."""

    async def test(one: End, other: End) -> None:
        for number in range(40):
            one.link.send(Kind.RESPONSE, number, ["x" * 1000], bundle_of(random_bytes(SMALL)))
        other.link.receive_all()
        assert other.frames.qsize() == 40
        assert not other.closed.is_set()

    run(test)


def test_unsent_descriptors_are_closed_with_the_link() -> None:
    """The fixture counts them."""

    async def test(one: End, other: End) -> None:
        for number in range(20):
            one.link.send(Kind.PREDICT, number, ["x" * 5000], bundle_of(random_bytes(LARGE)))
        one.link.close()
        other.link.close()

    run(test, 2304)


def test_memory_that_cannot_be_mapped_ends_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process has no descriptors left, say: no frame is taken twice, and none is skipped."""

    async def test(one: End, other: End) -> None:
        def fail(*_: object, **__: object) -> None:
            raise OSError(24, "Too many open files")

        one.link.send(Kind.PREDICT, 1)
        one.link.send(Kind.PREDICT, 2, None, bundle_of(random_bytes(LARGE)))
        one.link.send(Kind.PREDICT, 3)
        monkeypatch.setattr("srv.workers._segments.mmap.mmap", fail)
        await asyncio.wait_for(other.closed.wait(), 60)
        assert (await other.get())[:2] == (Kind.PREDICT, 1)
        assert other.frames.empty()
        await asyncio.wait_for(one.closed.wait(), 60)

    run(test)

"""One end of the socket between the server and a worker: frames in, frames out, and tensors beside them."""

from __future__ import annotations

import array
import asyncio
import collections
import contextlib
import errno
import logging
import os
import socket
import threading
from typing import TYPE_CHECKING, Final, cast

from srv.workers._frames import PREFIX, Kind, decode_header, encode_header
from srv.workers._segments import ReadSegments, WrittenSegments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from srv.workers._segments import Segment
    from srv_codecs.handover import Bundle

_RECEIVED: Final = 1 << 18
# Bytes of tensors that go through the socket: copying them twice costs less than what a segment asks for.
_INLINE: Final = 1 << 15
# Bytes whose copying would hold up everybody else.
_LARGE: Final = 1 << 22
# Seconds that released segments wait for a frame to go with.
_PATIENCE: Final = 0.005
# Seconds that memory is kept which nobody needs.
_IDLE: Final = 10.0
# Of one message, at most; the system refuses more than 253.
_MOST_DESCRIPTORS: Final = 64
_ITEM: Final = array.array("i").itemsize
_ANCILLARY: Final = socket.CMSG_SPACE(_MOST_DESCRIPTORS * _ITEM)

_EMPTY: Final = memoryview(b"")
_logger: Final = logging.getLogger("srv")


class LinkClosed(Exception):
    """The other process is gone."""


class Link:
    """A connected Unix socket, driven by an event loop.

    Args:
        received: called for each frame that is not the link's own: kind, call, header, body. The body is read-only,
            and a view of shared memory if it is large.
        closed: called once, when the other side is gone.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        received: Callable[[Kind, int, object, memoryview], None],
        closed: Callable[[], None],
    ) -> None:
        sock.setblocking(False)  # noqa: FBT003  # its own name for it
        self._loop = loop
        self._socket = sock
        self._received = received
        self._closed = closed
        self._buffer = bytearray(_RECEIVED)
        self._view = memoryview(self._buffer)
        self._filled = 0
        self._descriptors: collections.deque[int] = collections.deque()
        self._unsent: collections.deque[tuple[memoryview, Sequence[int]]] = collections.deque()
        self._to_release: collections.deque[int] = collections.deque()
        self._releasing = False
        self._thread = threading.get_ident()
        self._trimming: asyncio.TimerHandle | None = None
        self._flushed: asyncio.Future[None] | None = None
        self.is_closed = False
        self.written = WrittenSegments(self._announce, self._forget)
        self.read = ReadSegments(self._let_go)

    def open(self) -> None:
        """Begin to receive."""
        self._loop.add_reader(self._socket.fileno(), self._receive)

    # ---- Sending

    async def place(self, bundle: Bundle) -> Segment | None:
        """Write large tensors, off the event loop, to where :meth:`send` takes them from; ``None`` for others.

        Raises:
            OSError: there is no shared memory left.
        """
        if bundle.size < _LARGE:
            return None
        segment = self.written.take(bundle.size)
        writing = self._loop.run_in_executor(None, bundle.write, segment.memory)
        try:
            await asyncio.shield(writing)
        except BaseException:
            # It goes on writing, whoever waits.
            writing.add_done_callback(lambda _: self.written.release(segment.number))
            raise
        return segment

    def send(
        self,
        kind: Kind,
        call: int = 0,
        header: object = None,
        bundle: Bundle | None = None,
        placed: Segment | None = None,
    ) -> None:
        """Send a frame, with the tensors of `bundle`, which :meth:`place` may have written already.

        Raises:
            LinkClosed: the other process is gone.
            OSError: there is no shared memory left.
        """
        if self.is_closed:
            raise LinkClosed
        try:
            text = b"" if header is None else encode_header(header).encode("ascii")
        except BaseException:
            if placed is not None:
                self.written.release(placed.number)
            raise
        before = self._releases() if self._to_release else b""
        size = 0 if bundle is None else bundle.size
        if bundle is None or not size:
            self._write(before + PREFIX.pack(kind, call, len(text), 0, 0, 0) + text)
        elif size > _INLINE:
            segment = self._place_now(bundle) if placed is None else placed
            self._write(before + PREFIX.pack(kind, call, len(text), 0, segment.number, size) + text)
        else:
            body = bytearray(size)
            bundle.write(body)
            self._write(b"".join((before, PREFIX.pack(kind, call, len(text), size, 0, 0), text, body)))

    def _place_now(self, bundle: Bundle) -> Segment:
        segment = self.written.take(bundle.size)
        try:
            bundle.write(segment.memory)
        except BaseException:
            self.written.release(segment.number)
            raise
        return segment

    def _announce(self, number: int, size: int, descriptor: int) -> None:
        text = encode_header([number, size]).encode("ascii")
        # A descriptor of its own until the frame is sent, which may be later.
        self._write(PREFIX.pack(Kind.SEGMENT, 0, len(text), 0, 0, 0) + text, (os.dup(descriptor),))
        os.close(descriptor)

    def _forget(self, number: int) -> None:
        self.send(Kind.FORGET, 0, number)

    def _write(self, data: bytes, descriptors: Sequence[int] = ()) -> None:
        if self._unsent:
            self._unsent.append((memoryview(data), descriptors))
            return
        sent = self._send_now(memoryview(data), descriptors)
        if sent < len(data):
            self._unsent.append((memoryview(data)[sent:], () if sent else descriptors))
            self._loop.add_writer(self._socket.fileno(), self._send_more)

    def _send_now(self, data: memoryview, descriptors: Sequence[int]) -> int:
        """Return how many bytes have gone: all of them if nothing ever will, which ends the link."""
        try:
            if descriptors:
                rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
                sent = self._socket.sendmsg((data,), (rights,))
            else:
                sent = self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            sent = len(data)
            self._loop.call_soon(self.close)
        for each in descriptors:
            os.close(each)
        return sent

    def _send_more(self) -> None:
        while self._unsent:
            data, descriptors = self._unsent[0]
            sent = self._send_now(data, descriptors)
            if sent < len(data):
                self._unsent[0] = (data[sent:], () if sent else descriptors)
                return
            self._unsent.popleft()
        self._loop.remove_writer(self._socket.fileno())
        self._tell_flushed()

    def _tell_flushed(self) -> None:
        if self._flushed is not None and not self._flushed.done():
            self._flushed.set_result(None)

    async def flush(self) -> None:
        """Return when all that was sent has left the process, or the other one is gone."""
        while self._unsent and not self.is_closed:
            self._flushed = self._loop.create_future()
            await self._flushed

    # ---- Receiving

    def _receive(self) -> bool:
        """Take what has come, and return whether anything has."""
        try:
            count, ancillary, flags, _ = self._socket.recvmsg_into((self._view[self._filled :],), _ANCILLARY)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            self.close()
            return False
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors = array.array("i")
                descriptors.frombytes(data[: len(data) - len(data) % _ITEM])
                self._descriptors.extend(descriptors)
        if not count:
            self.close()
            return False
        self._filled += count
        try:
            if flags & socket.MSG_CTRUNC:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))  # noqa: TRY301  # as where it cannot be mapped
            self._take_frames()
        except OSError as error:
            # Without memory, or descriptors, nothing can be read of what comes behind.
            _logger.error("shared memory of another process cannot be read: %s", error)  # noqa: TRY400  # it says all
            self.close()
        return True

    def receive_all(self) -> None:
        """Take all that has come, when the other side sends nothing any more."""
        while not self.is_closed and self._receive():
            pass

    def _take_frames(self) -> None:
        start, view = 0, self._view
        while self._filled - start >= PREFIX.size:
            kind, call, text, inline, segment, size = PREFIX.unpack_from(view, start)
            begin = start + PREFIX.size
            end = begin + text + inline
            if end > self._filled:
                break
            header: object = decode_header(str(view[begin : begin + text], "ascii")) if text else None
            # A copy, as the buffer is used again; of bytes, which nobody writes into.
            body = memoryview(bytes(view[begin + text : end])) if inline else _EMPTY
            start = end
            if segment:
                body = self.read.view(segment, size)
            self._take(Kind(kind), call, header, body)
            if self.is_closed:
                return
        if start:
            left = self._filled - start
            view[:left] = view[start : self._filled]
            self._filled = left
        if self._filled >= PREFIX.size:
            _, _, text, inline, _, _ = PREFIX.unpack_from(view)
            self._make_room(PREFIX.size + text + inline)
        elif len(self._buffer) > _RECEIVED:
            self._resize(_RECEIVED)

    def _make_room(self, size: int) -> None:
        if size > len(self._buffer):
            self._resize(size)

    def _resize(self, size: int) -> None:
        buffer = bytearray(size)
        buffer[: self._filled] = self._view[: self._filled]
        self._buffer, self._view = buffer, memoryview(buffer)

    def _take(self, kind: Kind, call: int, header: object, body: memoryview) -> None:
        if kind is Kind.SEGMENT:
            number, size = cast("list[int]", header)
            self.read.add(number, size, self._descriptors.popleft())
        elif kind is Kind.RELEASE:
            for number in cast("list[int]", header):
                self.written.release(number)
            if self._trimming is None:
                self._trimming = self._loop.call_later(_IDLE, self._trim)
        elif kind is Kind.FORGET:
            self.read.forget(cast("int", header))
        else:
            self._received(kind, call, header, body)

    def _trim(self) -> None:
        self._trimming = self._loop.call_later(_IDLE, self._trim) if self.written.trim(_IDLE) else None

    def _let_go(self, number: int) -> None:
        """Take note that nobody looks at a segment any more; whoever drops the last view may be any thread."""
        self._to_release.append(number)
        if self._releasing:
            return
        self._releasing = True
        if threading.get_ident() == self._thread:
            # Most often another frame goes before, and takes it along.
            self._loop.call_later(_PATIENCE, self._release)
        else:
            # A thread of the model's may outlive the loop.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._release)

    def _release(self) -> None:
        # In this order: what comes after is told of anew.
        self._releasing = False
        if self._to_release and not self.is_closed:
            self._write(self._releases())

    def _releases(self) -> bytes:
        """Return the frame that says what has been let go of."""
        numbers: list[int] = []
        while self._to_release:
            numbers.append(self._to_release.popleft())
        text = encode_header(numbers).encode("ascii")
        return PREFIX.pack(Kind.RELEASE, 0, len(text), 0, 0, 0) + text

    # ---- The end

    def close(self) -> None:
        """Close the socket; `closed` is called, once."""
        if self.is_closed:
            return
        self.is_closed = True
        if self._trimming is not None:
            self._trimming.cancel()
        self._loop.remove_reader(self._socket.fileno())
        if self._unsent:
            self._loop.remove_writer(self._socket.fileno())
        for _, descriptors in self._unsent:
            _close_all(descriptors)
        self._unsent.clear()
        _close_all(self._descriptors)
        self._descriptors.clear()
        self._socket.close()
        self.written.close()
        self.read.close()
        self._tell_flushed()
        self._closed()


def _close_all(descriptors: Iterable[int]) -> None:
    for each in descriptors:
        os.close(each)

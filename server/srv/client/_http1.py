"""HTTP/1.1 as a client speaks it, without I/O (RFC 9112): heads out, replies in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from srv._buffers import new_buffer
from srv.client._call import Reply
from srv.client._errors import ConnectionLost, ServerError

if TYPE_CHECKING:
    from srv.client._call import Call, HeaderItems

_MOST_STARTS: Final = 256
# What is read at once, and the longest head.
_ROOM: Final = 1 << 16
_STATUS: Final = re.compile(rb"HTTP/1\.([01]) ([1-5]\d\d)(?: [^\r\n]*)?")
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
_BODILESS: Final = frozenset({204, 304})
_CONTINUE: Final = 200
_EMPTY: Final = memoryview(b"")


class Heads:
    """The heads of requests to one server. What stands at the start of equal calls is rendered once."""

    def __init__(self, authority: str, headers: HeaderItems) -> None:
        self._common = f" HTTP/1.1\r\nHost: {authority}\r\n{_lines(headers)}"
        self._starts: dict[tuple[str, str], str] = {}

    def render(self, call: Call[Any]) -> bytes:
        """Return the head of a call's request."""
        key = call.method, call.target
        start = self._starts.get(key)
        if start is None:
            if len(self._starts) == _MOST_STARTS:
                self._starts.clear()
            start = self._starts[key] = f"{call.method} {call.target}{self._common}"
        length = f"Content-Length: {call.size}\r\n" if call.method != "GET" else ""
        return f"{start}{_lines(call.headers)}{length}\r\n".encode("latin-1")


def _lines(headers: HeaderItems) -> str:
    return "".join([f"{name}: {value}\r\n" for name, value in headers])


class ReplyReader:
    """The replies of one connection, one behind the other.

    Bytes go where :meth:`room` says, which for the most of a large body is its own buffer, and :meth:`take` looks at
    them. After :meth:`begin` it expects the next reply.

    Attributes:
        reply: what came; its body is complete once :meth:`take` has said so.
        reusable: the connection can have another call.
        begun: something of the reply has come.
    """

    __slots__ = (
        "_body",
        "_buffer",
        "_chunks",
        "_filled",
        "_head",
        "_left",
        "_parsed",
        "_pos",
        "_step",
        "_view",
        "begun",
        "complete",
        "reply",
        "reusable",
    )

    def __init__(self) -> None:
        self._buffer = bytearray(_ROOM)
        self._view = memoryview(self._buffer)
        self._head: bytes = b""
        self._parsed: tuple[int, int, dict[str, str]] = (0, 0, {})
        self.begin()

    def begin(self) -> None:
        """Expect a reply."""
        # What came, and how much of it is done with.
        self._filled = self._pos = 0
        self._step = self._take_head
        self._body = _EMPTY
        self._chunks = bytearray()
        # Of the body, or the chunk: bytes that are missing.
        self._left = 0
        self.complete = self.begun = False
        self.reusable = True
        self.reply = Reply(0, {}, _EMPTY)

    def room(self) -> memoryview:
        """Return where the next bytes go; never empty before the reply is complete."""
        if self._step == self._take_rest:
            return self._body[len(self._body) - self._left :]
        return self._view[self._filled :]

    def take(self, size: int) -> bool:
        """Look at `size` new bytes, and return whether the reply is complete.

        Raises:
            ServerError: they are no reply.
        """
        self.begun = True
        if self._step == self._take_rest:
            self._left -= size
            self.complete = not self._left
            return self.complete
        self._filled += size
        while not self.complete and self._step():
            pass
        if self.complete:
            # More than a reply: nobody has asked for it.
            self.reusable = self.reusable and self._pos == self._filled
        elif self._step != self._take_rest:
            self._make_room()
        return self.complete

    def end(self) -> None:
        """Take note that the connection has ended.

        Raises:
            ConnectionLost: the reply is not complete.
        """
        self.reusable = False
        if self.complete:
            return
        if self._step != self._take_all:
            what = "inside the answer" if self.begun else "without an answer"
            raise ConnectionLost(f"the server has closed the connection {what}")
        self._finish(memoryview(bytes(self._chunks)))

    def pieces(self) -> bytes:
        """Return what has come of a body of unknown length, and forget it."""
        found = bytes(self._chunks)
        self._chunks.clear()
        return found

    @property
    def waiting(self) -> int:
        """How many bytes :meth:`pieces` would return."""
        return len(self._chunks)

    @property
    def streams(self) -> bool:
        """Whether the head is there, and the body's length unknown."""
        return self._step in {
            self._take_chunk,
            self._take_chunk_end,
            self._take_size,
            self._take_trailer,
            self._take_all,
        }

    def _make_room(self) -> None:
        if self._pos:
            self._view[: self._filled - self._pos] = bytes(self._view[self._pos : self._filled])
            self._filled -= self._pos
            self._pos = 0
        elif self._filled == _ROOM:
            raise ServerError(f"the server's answer is no HTTP: a line or a head has more than {_ROOM} bytes")

    # Steps: each takes what it can, and returns whether the next one can go on.

    def _take_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n", self._pos, self._filled)
        if end < 0:
            return False
        head = self._view[self._pos : end].tobytes()
        if head != self._head:
            # Equal calls have equal heads, mostly.
            self._head, self._parsed = head, parse_head(head)
        status, version, headers = self._parsed
        self._pos = end + 4
        if status < _CONTINUE:
            return True
        connection = headers.get("connection", "").lower()
        self.reusable = "close" not in connection and (version == 1 or "keep-alive" in connection)
        self.reply = Reply(status, headers, _EMPTY)
        coding = headers.get("transfer-encoding")
        length = headers.get("content-length")
        if status in _BODILESS:
            self._finish(_EMPTY)
        elif coding is not None:
            if coding.lower() != "chunked" or length is not None:
                raise ServerError(f"the server's answer has transfer-encoding {coding[:40]!r}, which is not understood")
            self._step = self._take_size
        elif length is not None:
            if not (length.isascii() and length.isdigit() and len(length) < 19):  # digits of 63 bits
                raise ServerError(f"the server's answer has content-length {length[:40]!r}, which is no length")
            self._begin_body(int(length))
        else:
            self._step = self._take_all
        return True

    def _begin_body(self, size: int) -> None:
        here = self._filled - self._pos
        if here >= size:
            # Copied, since the buffer is used again.
            body = memoryview(bytes(self._view[self._pos : self._pos + size]))
            self._pos += size
            self._finish(body)
            return
        self._body = new_buffer(size)
        self._body[:here] = self._view[self._pos : self._filled]
        self._pos = self._filled
        self._left = size - here
        self.reply = self.reply._replace(body=self._body.toreadonly())
        self._step = self._take_rest

    def _take_rest(self) -> bool:
        """Wait for what :meth:`take` counts."""
        return False

    def _take_size(self) -> bool:
        end = self._buffer.find(b"\r\n", self._pos, self._filled)
        if end < 0:
            return False
        found = _CHUNK.fullmatch(self._view[self._pos : end])
        if found is None:
            raise ServerError("the server's answer is no HTTP: the size of a chunk is none")
        self._left = int(found[1], 16)
        self._pos = end + 2
        self._step = self._take_chunk if self._left else self._take_trailer
        return True

    def _take_chunk(self) -> bool:
        size = min(self._left, self._filled - self._pos)
        self._chunks += self._view[self._pos : self._pos + size]
        self._pos += size
        self._left -= size
        if self._left:
            return False
        self._step = self._take_chunk_end
        return True

    def _take_chunk_end(self) -> bool:
        if self._filled - self._pos < 2:  # CR and LF
            return False
        if bytes(self._view[self._pos : self._pos + 2]) != b"\r\n":
            raise ServerError("the server's answer is no HTTP: a chunk is longer than its size")
        self._pos += 2
        self._step = self._take_size
        return True

    def _take_trailer(self) -> bool:
        end = self._buffer.find(b"\r\n", self._pos, self._filled)
        if end < 0:
            return False
        last = end == self._pos
        self._pos = end + 2
        if last:
            self._finish(memoryview(bytes(self._chunks)))
        return True

    def _take_all(self) -> bool:
        self._chunks += self._view[self._pos : self._filled]
        self._pos = self._filled
        return False

    def _finish(self, body: memoryview) -> None:
        self.reply = self.reply._replace(body=body)
        self.complete = True


def parse_head(head: bytes) -> tuple[int, int, dict[str, str]]:
    """Return status, minor version and headers of a reply; a name that comes twice has its values joined.

    Raises:
        ServerError: it is no head.
    """
    first, *lines = head.split(b"\r\n")
    found = _STATUS.fullmatch(first)
    if found is None:
        raise ServerError(f"the server does not speak HTTP/1.1: its answer begins with {first[:40]!r}")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not _NAME.fullmatch(name):
            raise ServerError(f"the server's answer is no HTTP: a header is {line[:40]!r}")
        name, value = name.lower(), value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return int(found[2]), int(found[1]), headers


class EventReader:
    """The events of a stream (WHATWG HTML, "Server-sent events"): what stands behind ``data:``."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._half = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the events that are complete."""
        # Lines end in LF or CR and LF, which may come apart.
        data = self._half + data
        self._half = data[-1:] if data.endswith(b"\r") else b""
        start = max(len(self._rest) - 1, 0)
        self._rest += data[: len(data) - len(self._half)].replace(b"\r\n", b"\n")
        events: list[bytes] = []
        pos = 0
        while (end := self._rest.find(b"\n\n", start)) >= 0:
            event = _event_data(bytes(self._rest[pos:end]))
            if event:
                events.append(event)
            pos = start = end + 2
        del self._rest[:pos]
        return events


def _event_data(event: bytes) -> bytes:
    return b"\n".join(line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:"))

"""Traces in files, as Triton writes them: an array of JSON objects, which its ``trace_summary.py`` reads.

Source: Triton's "Trace Extension" and its ``docs/user_guide/trace.md``, "Trace File".
"""

from __future__ import annotations

import logging
import os
import re
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import msgspec

from srv_protocol.datatypes import Datatype
from srv_protocol.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from io import FileIO
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

_logger: Final = logging.getLogger("srv")

# Traces that may wait for the file, and bytes of tensors that these may hold.
_BACKLOG: Final = 4096
_BACKLOG_BYTES: Final = 1 << 26
# Elements that are text at one time, before they are joined; each takes ten times what it is long.
_AT_ONCE: Final = 1 << 16
_END: Final = b"\n]\n"
# What fits into Triton's model_version, an int64.
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True)
class TracedTensor:
    """A tensor in a trace.

    `activity` is ``TENSOR_QUEUE_INPUT``, ``TENSOR_BACKEND_INPUT`` or ``TENSOR_BACKEND_OUTPUT``. `array` is no copy, and
    is read later: nobody may write into it any more.
    """

    activity: str
    name: str
    datatype: str
    shape: tuple[int, ...]
    array: NDArray[np.generic]

    @property
    def size(self) -> int:
        """Bytes, those of elements that are objects included."""
        if not self.array.dtype.hasobject:
            return self.array.nbytes
        return self.array.nbytes + sum(map(len, cast("Iterable[bytes]", self.array.ravel())))


@dataclass(frozen=True, slots=True)
class TraceRecord:
    """All that is traced of one request; `timestamps` are pairs of a name and nanoseconds."""

    model_name: str
    model_version: str
    request_id: str
    timestamps: tuple[tuple[str, int], ...]
    tensors: tuple[TracedTensor, ...] = ()


@dataclass(slots=True)
class _File:
    """A file of traces; `begun` is for the writer's thread, and false while it may hold those of an earlier server."""

    path: Path
    begun: bool = False


@dataclass(slots=True)
class Rotation:
    """How many traces go into each numbered file, 0 for none, and the one that is being filled."""

    frequency: int
    file: _File | None = None
    written: int = 0


class _Job(NamedTuple):
    file: _File
    number: int
    record: TraceRecord
    size: int


class TraceWriter:
    """Writes traces into a file, or into numbered ones beside it, on one thread and in order.

    The file is whole JSON whenever no trace is being written. An older one of that name is replaced.

    Raises:
        SettingsError: no such file can be written.
    """

    def __init__(self, path: Path) -> None:
        _check_path(path)
        self._file = _File(path)
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._done: Future[None] = Future()
        self._closed = False
        self._number = 0
        self._next_index = 0
        self._dropped = 0
        # Bytes of tensors handed on, and bytes of those that are written; the writer's thread alone counts the latter.
        self._given = 0
        self._taken = 0
        # The writer's thread alone reads and writes it.
        self._failing = False

    def put(self, record: TraceRecord, rotation: Rotation) -> None:
        """Hand on a trace; it is dropped, which is logged, where too much waits for the file. For one thread alone."""
        if self._closed:
            return  # of a request that outlived the server
        size = sum(tensor.size for tensor in record.tensors)
        if self._queue.qsize() >= _BACKLOG or self._given - self._taken + size > _BACKLOG_BYTES:
            if not self._dropped:
                _logger.warning(
                    "%s: traces come faster than they can be written, or are too large; some are dropped",
                    self._file.path,
                )
            self._dropped += 1
            return
        if self._dropped:
            _logger.warning("%s: %d traces were dropped", self._file.path, self._dropped)
            self._dropped = 0
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="srv-trace", daemon=True)
            self._thread.start()
        self._number += 1
        self._given += size
        self._queue.put(_Job(self._next_file(rotation), self._number, record, size))

    def _next_file(self, rotation: Rotation) -> _File:
        if not rotation.frequency:
            return self._file
        if rotation.file is None or rotation.written == rotation.frequency:
            path = self._file.path
            rotation.file = _File(path.with_name(f"{path.name}.{self._next_index}"))
            rotation.written = 0
            self._next_index += 1
        rotation.written += 1
        return rotation.file

    def close(self) -> Future[None]:
        """Take no more traces; return what is done when those that were handed on are written."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            if self._thread is None:
                self._done.set_result(None)
        return self._done

    def _run(self) -> None:
        # From here on nobody can cancel it: a stop that does not wait for it any longer leaves it alone.
        self._done.set_running_or_notify_cancel()
        while (job := self._queue.get()) is not None:
            try:
                _append(job.file, encode_trace(job.number, job.record))
                self._failing = False
            except Exception as error:  # noqa: BLE001  # of the file, or of an array; neither may end the thread
                if not self._failing:
                    _logger.error("%s: traces cannot be written, and are lost: %s", job.file.path, error)  # noqa: TRY400  # the text says it all
                self._failing = True
            self._taken += job.size
            del job  # its tensors would stay until the next trace comes
        self._done.set_result(None)


def _check_path(path: Path) -> None:
    try:
        if path.is_dir():
            raise SettingsError(f"trace_file: expected a file, got the folder {str(path)!r}")
        if not path.parent.is_dir():
            raise SettingsError(f"trace_file: expected a file in a folder that exists, got {str(path)!r}")
    except OSError as error:
        raise SettingsError(f"trace_file: expected a file that can be written, got {str(path)!r}: {error}") from None


def _append(traces: _File, items: bytes) -> None:
    """Put items into the array that a file holds; begin one where there is none.

    Raises:
        OSError: the file cannot be written, or is none of ours. It is left as it was.
    """
    traces.path.touch()
    with traces.path.open("r+b", buffering=0) as file:
        if not traces.begun:
            file.truncate(0)
        size = file.seek(0, os.SEEK_END)
        start = max(size - len(_END), 0)
        file.seek(start)
        if size and file.read() != _END:
            raise OSError("it does not end as traces do")
        file.seek(start)
        try:
            _write(file, (b",\n" if size else b"[\n") + items + _END)
        except OSError:
            file.truncate(start)
            if size:
                file.seek(start)
                _write(file, _END)
            raise
    traces.begun = True


def _write(file: FileIO, data: bytes) -> None:
    """Write all of it; an unbuffered file takes what it can."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def encode_trace(number: int, record: TraceRecord) -> bytes:
    """Return a trace as JSON objects with commas between: who, when, and what. Tensors are copied into text."""
    who: dict[str, object] = {
        "id": number,
        "model_name": _encodable(record.model_name),
        # Triton's versions are numbers; ours may be any text.
        "model_version": int(record.model_version) if _NUMBER.fullmatch(record.model_version) else record.model_version,
    }
    if record.request_id:
        who["request_id"] = _encodable(record.request_id)
    when = [{"id": number, "timestamps": [{"name": name, "ns": ns}]} for name, ns in record.timestamps]
    what = [{"id": number, "activity": each.activity, "tensor": _tensor(each)} for each in record.tensors]
    return b",\n".join(map(msgspec.json.encode, [who, *when, *what]))


def _tensor(tensor: TracedTensor) -> dict[str, str]:
    elements = tensor.array.ravel()
    text = _ELEMENTS.get(tensor.datatype, str)
    parts = (elements[start : start + _AT_ONCE] for start in range(0, len(elements), _AT_ONCE))
    return {
        "name": _encodable(tensor.name),
        "data": ",".join(",".join(map(text, cast("Iterable[object]", part))) for part in parts),
        "shape": ",".join(map(str, tensor.shape)),
        "dtype": tensor.datatype,
    }


def _bit(element: object) -> str:
    return "1" if element else "0"


def _quoted(element: object) -> str:
    """Return an element of BYTES in quotes; what is no UTF-8 is escaped."""
    text = element.decode("utf-8", "backslashreplace") if isinstance(element, bytes) else _encodable(str(element))
    return msgspec.json.encode(text).decode()


_ELEMENTS: Final[Mapping[str, Callable[[object], str]]] = {Datatype.BOOL: _bit, Datatype.BYTES: _quoted}
"""Datatypes whose elements are written in another way than numpy's."""


def _encodable(text: str) -> str:
    """Return text that UTF-8 can carry."""
    return text.encode("utf-8", "backslashreplace").decode()

"""Memory that one process writes and another reads: free again when no view is left, and gone when it is too much."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from processes import open_files

from srv.workers._segments import ReadSegments, WrittenSegments

MIB = 1 << 20


class Both:
    """A writer and a reader without a socket between them."""

    def __init__(self) -> None:
        self.released: list[int] = []
        self.read = ReadSegments(self.released.append)
        self.written = WrittenSegments(self.read.add, self.read.forget)

    def settle(self) -> None:
        """Tell the writer what the reader has let go of."""
        while self.released:
            self.written.release(self.released.pop())


def test_a_view_is_read_only_and_sees_what_was_written() -> None:
    both = Both()
    segment = both.written.take(100)
    segment.memory[:3] = b"abc"
    view = both.read.view(segment.number, 100)
    assert view.readonly
    assert len(view) == 100
    assert bytes(view[:3]) == b"abc"


def test_a_segment_is_free_when_the_last_thing_that_was_made_of_its_view_is_gone() -> None:
    both = Both()
    segment = both.written.take(1000)
    view = both.read.view(segment.number, 800)
    kept: list[Any] = [np.frombuffer(view, np.int64)[::2].reshape(5, 10)[1:], view[7:8], memoryview(view).cast("b")]
    del view
    while kept:
        assert both.released == []
        kept.pop()
    assert both.released == [segment.number]
    both.settle()
    assert both.written.in_use == 0
    assert both.written.take(900) is segment


def test_memory_beyond_what_is_kept_is_given_back() -> None:
    both = Both()
    before = open_files()
    numbers = [both.written.take(32 * MIB).number for _ in range(6)]
    views = [both.read.view(number, 10) for number in numbers]
    views.clear()
    both.settle()
    gc.collect()
    # Two of them; each side has a descriptor of each.
    assert open_files() == before + 4
    both.written.close()
    both.read.close()
    gc.collect()
    assert open_files() == before


def test_views_outlive_the_end_of_both_sides() -> None:
    both = Both()
    segment = both.written.take(10)
    segment.memory[:2] = b"ok"
    view = both.read.view(segment.number, 10)
    both.written.close()
    both.read.close()
    del segment
    gc.collect()
    assert bytes(view[:2]) == b"ok"
    del view
    assert both.released == []


@pytest.mark.parametrize("failing", ["os.memfd_create", "os.ftruncate", "mmap.mmap"])
def test_memory_that_is_not_there_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    both = Both()
    before = open_files()

    def fail(*_: object, **__: object) -> None:
        raise OSError("there is none")

    with monkeypatch.context() as patched:
        patched.setattr(failing, fail)
        with pytest.raises(OSError, match="there is none"):
            both.written.take(10)
    assert open_files() == before
    assert both.written.in_use == 0
    assert both.written.take(10).size >= 10

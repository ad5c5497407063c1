"""The registry of shared memory."""

from __future__ import annotations

import errno
import gc
import mmap
import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from memory_objects import FOLDER, memory_object, needs_folder

from srv._shared_memory import SharedMemory
from srv_protocol.errors import AlreadyExists, InferenceError, InvalidInput, NotFound, SrvError, Unsupported
from srv_protocol.inference import SystemSharedMemoryStatusResponseRegionStatus as RegionStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from memory_objects import MemoryObject

pytestmark = needs_folder

PAGE = mmap.ALLOCATIONGRANULARITY
SIZE = 2 * PAGE + 10
EDGES = [0, 1, PAGE - 1, PAGE, PAGE + 1, SIZE - 1, SIZE, SIZE + 1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1]
NUMBERS = st.sampled_from(EDGES) | st.integers(0, SIZE) | st.integers(0, 2**64 - 1)


@pytest.fixture(scope="module")
def memory() -> Iterator[MemoryObject]:
    """Return an object in which no byte is like its neighbours."""
    with memory_object(SIZE) as made:
        made.content[:] = np.arange(SIZE, dtype=np.uint32).astype(np.uint8).data
        yield made


def registered(memory: MemoryObject, offset: int = 0, size: int = SIZE) -> SharedMemory:
    regions = SharedMemory(allowed=True)
    regions.register("r", memory.name, offset, size)
    return regions


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def is_mapped(memory: MemoryObject) -> bool:
    """Whether the object is mapped by anybody but the test, whose own mapping is the first."""
    return Path("/proc/self/maps").read_text("utf-8").count(memory.name) > 1


@given(NUMBERS, NUMBERS)
def test_a_region_is_whatever_lies_within_the_object(memory: MemoryObject, offset: int, size: int) -> None:
    """At a page's start or not; numbers beyond it are refused, however large, and leave nothing behind."""
    regions = SharedMemory(allowed=True)
    before = open_files()
    if size and offset + size <= SIZE:
        regions.register("r", memory.name, offset, size)
        assert regions.status() == [RegionStatus("r", memory.name, offset, size)]
        assert regions.find("r", 0, size).view() == memory.content[offset : offset + size]
    else:
        with pytest.raises(InvalidInput, match=rf"^failed to register .* 'r': invalid args: .* {offset} and {size}$"):
            regions.register("r", memory.name, offset, size)
        assert regions.status() == []
    del regions
    assert open_files() == before


@given(st.integers(0, SIZE - 1), st.data())
def test_a_span_is_whatever_lies_within_the_region(memory: MemoryObject, start: int, data: st.DataObject) -> None:
    regions = registered(memory, start, data.draw(st.integers(1, SIZE - start)))
    (region,) = regions.status()
    offset, size = data.draw(NUMBERS), data.draw(NUMBERS)
    if offset + size <= region.byte_size:
        span = regions.find("r", offset, size)
        view = span.view()
        assert (len(view), view.readonly, span.size) == (size, True, size)
        assert view == memory.content[start + offset : start + offset + size]
    else:
        what = "offset" if offset >= region.byte_size else r"offset \+ byte size"
        with pytest.raises(InvalidInput, match=f"^Invalid {what} for shared memory region: 'r'"):
            regions.find("r", offset, size)


@given(st.integers(0, SIZE - 1), st.integers(0, SIZE - 1), st.binary(max_size=40))
def test_what_is_written_is_there_and_nothing_else_changes(start: int, offset: int, data: bytes) -> None:
    assume(start + offset + len(data) <= SIZE)
    with memory_object(SIZE) as memory:
        regions = registered(memory, start, SIZE - start)
        regions.find("r", offset, len(data)).write(memoryview(data))
        expected = bytearray(SIZE)
        expected[start + offset : start + offset + len(data)] = data
        assert memory.content == expected


def test_a_view_is_the_clients_memory(memory: MemoryObject) -> None:
    """It shows what the client writes, and cannot be written through."""
    view = registered(memory).find("r", 4, 4).view()
    before = bytes(view)
    memory.content[4:8] = b"abcd"
    assert bytes(view) == b"abcd"
    memory.content[4:8] = before
    with pytest.raises(TypeError, match="read-only"):
        view[0] = 1


def test_a_region_stays_mapped_until_its_last_view_is_gone(memory: MemoryObject) -> None:
    """Its name is free at once; nothing stays open."""
    before = open_files()
    regions = registered(memory)
    array = np.frombuffer(regions.find("r", 0, 16).view(), np.uint8)[4:]
    span = regions.find("r", 8, 8)
    regions.unregister("r")
    assert regions.status() == []
    assert is_mapped(memory)
    assert bytes(array[:4]) == bytes(memory.content[4:8])
    span.write(span.view())
    del array
    assert is_mapped(memory)
    del span
    gc.collect()
    assert not is_mapped(memory)
    assert open_files() == before


def test_unregistering_all_and_what_is_not_there(memory: MemoryObject) -> None:
    before = open_files()
    regions = registered(memory)
    regions.register("s", f"/{memory.name}", 1, 2)
    regions.unregister("unknown")
    assert [each.name for each in regions.status()] == ["r", "s"]
    assert [each.name for each in regions.status("s")] == ["s"]
    regions.unregister()
    regions.unregister()
    assert regions.status() == []
    assert open_files() == before


def test_a_name_is_given_once(memory: MemoryObject) -> None:
    """The region that has it stays as it is."""
    regions = registered(memory)
    with pytest.raises(AlreadyExists, match=r"^shared memory region 'r' already in manager$"):
        regions.register("r", memory.name, 1, 1)
    assert regions.status() == [RegionStatus("r", memory.name, 0, SIZE)]
    regions.unregister("r")
    regions.register("r", memory.name, 1, 1)
    with pytest.raises(InvalidInput, match="expected a name"):
        regions.register("", memory.name, 0, 1)


@pytest.mark.parametrize(("descriptors", "most"), [(16, 4), (1 << 20, 4096), (resource.RLIM_INFINITY, 4096)])
def test_regions_leave_descriptors_to_others(
    memory: MemoryObject, monkeypatch: pytest.MonkeyPatch, descriptors: int, most: int
) -> None:
    """Whoever registers without end would leave none to connections."""

    def limits(_: int) -> tuple[int, int]:
        return descriptors, descriptors

    def region(*given: object) -> object:
        return given

    monkeypatch.setattr(resource, "getrlimit", limits)
    monkeypatch.setattr("srv._shared_memory._Region", region)
    regions = SharedMemory(allowed=True)
    for number in range(most):
        regions.register(f"r{number}", memory.name, 0, 1)
    with pytest.raises(InvalidInput, match=rf"^failed to register .* 'one': expected at most {most} regions"):
        regions.register("one", memory.name, 0, 1)
    regions.unregister("r0")
    regions.register("one", memory.name, 0, 1)


@pytest.mark.parametrize("key", ["", "/", "//", "///", "//x", "/x/y", "x/y", "../x", "/../x", "x/", "x\0", "/x\0y"])
def test_keys_that_are_no_name_of_an_object_are_refused(key: str) -> None:
    """The system would look for them elsewhere, or not at all."""
    with pytest.raises(InvalidInput, match=r"^Unable to open shared memory region: 'r': expected a key"):
        SharedMemory(allowed=True).register("r", key, 0, 1)


@pytest.mark.parametrize("key", [".", "..", "/..", "nobody-has-made-this", "x" * 300, "\ud800"])
def test_objects_that_cannot_be_opened_are_refused(key: str) -> None:
    """No path of the machine is told."""
    with pytest.raises(InvalidInput, match=r"^Unable to open shared memory region: 'r': ") as caught:
        SharedMemory(allowed=True).register("r", key, 0, 1)
    assert "/" not in str(caught.value)


def test_a_link_is_no_memory_object(tmp_path: Path) -> None:
    """Nobody gets at another file by one."""
    target = tmp_path / "target"
    target.write_bytes(b"secret")
    link = FOLDER / f"srv-tests-link-{os.getpid()}"
    link.symlink_to(target)
    try:
        with pytest.raises(InvalidInput, match="Unable to open"):
            SharedMemory(allowed=True).register("r", link.name, 0, 1)
    finally:
        link.unlink()


def test_an_object_without_memory_behind_it_cannot_be_mapped_and_takes_none() -> None:
    """Its size is only a number."""
    with memory_object(1) as memory:
        memory.resize(2**62)
        before = open_files()
        with pytest.raises(InvalidInput, match="it cannot be mapped"):
            SharedMemory(allowed=True).register("r", memory.name, 0, 2**62)
        assert open_files() == before


def test_memory_that_has_become_smaller_is_an_error() -> None:
    """Touching it would end the process; what is still there can be used."""
    with memory_object(SIZE) as memory:
        regions = registered(memory)
        whole, first = regions.find("r", 0, SIZE), regions.find("r", 0, PAGE)
        memory.resize(PAGE)
        for use in (whole.view, lambda: whole.write(memoryview(bytes(SIZE)))):
            with pytest.raises(InvalidInput, match=f"of {SIZE} bytes or more, it has {PAGE} by now"):
                use()
        first.write(memoryview(b"a"))
        assert first.view()[0] == ord("a")


def test_memory_that_cannot_be_had_is_an_error(memory: MemoryObject, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object may be larger than what the system has left for it."""

    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    span = registered(memory).find("r", 0, 1)
    monkeypatch.setattr(os, "pwrite", fail)
    with pytest.raises(InferenceError, match=r"^shared memory region 'r' cannot be written: No space left"):
        span.write(memoryview(b"a"))


def test_a_write_goes_on_until_all_is_written(memory: MemoryObject, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may take less at once."""
    write = os.pwrite

    def write_three(file: int, data: memoryview, pos: int) -> int:
        return write(file, data[:3], pos)

    monkeypatch.setattr(os, "pwrite", write_three)
    span = registered(memory, 3, 20).find("r", 2, 10)
    span.write(memoryview(b"0123456789"))
    assert bytes(span.view()) == b"0123456789"


def test_unknown_regions_are_not_found(memory: MemoryObject) -> None:
    """CUDA regions have the same names, and there are none of them."""
    regions = registered(memory)
    calls: list[tuple[Callable[[], object], str]] = [
        (lambda: regions.find("s", 0, 1), "Unable to find shared memory region: 's'"),
        (lambda: regions.status("s"), "Unable to find system shared memory region: 's'"),
        (lambda: regions.check_cuda_status("s"), "Unable to find cuda shared memory region: 's'"),
        (
            lambda: regions.check_cuda_status("r"),
            "The region named 'r' is registered as system shared memory, not CUDA shared memory",
        ),
    ]
    for call, text in calls:
        with pytest.raises(NotFound) as caught:
            call()
        assert str(caught.value) == text


def test_there_is_no_cuda_memory(memory: MemoryObject) -> None:
    """All of it is listed and forgotten without an error, and the system's regions stay."""
    regions = registered(memory)
    with pytest.raises(InvalidInput, match=r"^failed to register CUDA .* region: 's', GPUs not supported$"):
        regions.register_cuda("s")
    regions.check_cuda_status()
    regions.unregister_cuda()
    assert [each.name for each in regions.status()] == ["r"]


def test_nothing_works_where_it_is_not_allowed(memory: MemoryObject) -> None:
    """The error names the setting; there are no regions to list."""
    regions = SharedMemory(allowed=False)
    calls: list[Callable[[], object]] = [
        lambda: regions.register("r", memory.name, 0, 1),
        regions.unregister,
        lambda: regions.find("r", 0, 1),
        lambda: regions.register_cuda("r"),
        regions.unregister_cuda,
    ]
    for call in calls:
        with pytest.raises(Unsupported, match=r"^Client shared memory is disabled\. .*SRV_ALLOW_CLIENT_SHM"):
            call()
    assert regions.status() == []
    regions.check_cuda_status()
    with pytest.raises(SrvError, match="Unable to find"):
        regions.status("r")

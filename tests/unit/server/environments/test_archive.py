"""Tarballs are unpacked whole and unharmed, or refused with a reason; nothing is written outside."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import stat
import tarfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from environments import names
from hypothesis import given
from hypothesis import strategies as st

from srv.environments import _archive
from srv.environments._archive import Stopped, unpack
from srv_protocol.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BIG = 1 << 30


def info(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    for field, value in {"mode": 0o755, "mtime": 1_600_000_000, **fields}.items():
        setattr(made, field, value)
    return made


def pack(*members: tarfile.TarInfo | tuple[str, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:  # noqa: A002  # tarfile's
    """Return a tarball; a pair is a file's name and contents."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=format) as tar:
        for member in members:
            if isinstance(member, tuple):
                name, contents = member
                tar.addfile(info(name, size=len(contents)), io.BytesIO(contents))
            else:
                tar.addfile(member, io.BytesIO(bytes(member.size)))
    return file.getvalue()


def extract(data: bytes, folder: Path, *, max_size: int = BIG, stop: threading.Event | None = None) -> Path:
    """Unpack into ``folder/tree``, beside which nothing may appear."""
    tree = folder / "tree"
    tree.mkdir()
    file = folder / "tarball"
    file.write_bytes(data)
    try:
        with file.open("rb") as opened:
            unpack(opened, tree, max_size, stop or threading.Event())
    finally:
        assert names(folder) == ["tarball", "tree"]
    return tree


def refuse(data: bytes, folder: Path, text: str, max_size: int = BIG) -> None:
    with pytest.raises(LoadError, match=text):
        extract(data, folder, max_size=max_size)


SAMPLE = pack(
    info("./", tarfile.DIRTYPE),
    ("./bin/tool", b"#!/bin/sh\n"),
    ("lib/a.py", b"x" * 3_000_000),
    ("lib/empty", b""),
    info("lib64", tarfile.SYMTYPE, linkname="lib"),
    info("bin/python", tarfile.SYMTYPE, linkname="/usr/bin/python3.99"),
    info("bin/python3", tarfile.SYMTYPE, linkname="python"),
    info("lib/b.py", tarfile.LNKTYPE, linkname="./lib/a.py"),
)


@pytest.mark.parametrize(
    "compress", [bytes, gzip.compress, bz2.compress, lzma.compress], ids=["tar", "gz", "bz2", "xz"]
)
def test_each_format_is_unpacked(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    tree = extract(compress(SAMPLE), tmp_path)

    assert names(tree) == ["bin", "lib", "lib64"]
    assert (tree / "lib64" / "a.py").read_bytes() == b"x" * 3_000_000
    assert (tree / "lib" / "a.py").samefile(tree / "lib" / "b.py")
    assert (tree / "lib" / "empty").read_bytes() == b""
    assert (tree / "bin" / "python").readlink() == Path("/usr/bin/python3.99")
    # Python compares it with what the compiled file says.
    assert (tree / "lib" / "a.py").stat().st_mtime == 1_600_000_000


def test_a_file_in_pieces_of_several_streams_is_unpacked(tmp_path: Path) -> None:
    half = len(SAMPLE) // 2
    tree = extract(gzip.compress(SAMPLE[:half]) + gzip.compress(SAMPLE[half:]), tmp_path)

    assert (tree / "lib" / "a.py").stat().st_size == 3_000_000


@pytest.mark.parametrize("format_", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_and_names_that_are_no_utf_8_are_kept(tmp_path: Path, format_: int) -> None:
    name = "/".join(["d" * 90] * 2) + "/\udcff"
    tree = extract(pack((name, b"1"), format=format_), tmp_path)

    assert (tree / name).read_bytes() == b"1"


def test_permissions_are_those_of_the_owner_at_most(tmp_path: Path) -> None:
    tree = extract(pack(info("a", mode=0o7777), info("b", mode=0), info("c", mode=0o4664)), tmp_path)

    assert [stat.S_IMODE((tree / name).stat().st_mode) for name in "abc"] == [0o755, 0o600, 0o644]


def test_the_last_of_a_name_counts_and_links_to_the_first_keep_theirs(tmp_path: Path) -> None:
    tree = extract(pack(("a", b"1"), info("b", tarfile.LNKTYPE, linkname="a"), ("a", b"2")), tmp_path)

    assert ((tree / "a").read_bytes(), (tree / "b").read_bytes()) == (b"2", b"1")


@pytest.mark.parametrize("mtime", [-5.0, 2.0**40, float("nan")])
def test_times_that_no_file_has_are_left_out(tmp_path: Path, mtime: float) -> None:
    member = info("a")
    member.pax_headers = {"mtime": str(mtime)}
    assert (extract(pack(member), tmp_path) / "a").stat().st_mtime == 0


LINK = info("link", tarfile.SYMTYPE, linkname="below")
HOSTILE = {
    "absolute": (pack(("/tmp/evil", b"")), r"within the folder .*'/tmp/evil'"),  # noqa: S108
    "escaping": (pack(("a/../../evil", b"")), r"within the folder .*'a/../../evil'"),
    "escaping folder": (pack(info("../evil", tarfile.DIRTYPE)), r"within the folder"),
    "the folder itself": (pack(("./", b"")), r"expected '\./' to be a folder"),
    "absolute link": (pack(info("a", tarfile.SYMTYPE, linkname="/etc")), r"got 'a' -> '/etc'"),
    "escaping link": (pack(info("a/b", tarfile.SYMTYPE, linkname="../../x")), r"got 'a/b' -> '../../x'"),
    "below a link": (pack(info("below", tarfile.DIRTYPE), LINK, ("link/evil", b"")), r"expected 'link' to be a folder"),
    "below a link outside": (
        pack(info("bin/python", tarfile.SYMTYPE, linkname="/tmp"), ("bin/python/evil", b"")),  # noqa: S108
        r"expected 'bin/python' to be a folder",
    ),
    "below a file": (pack(("a", b""), ("a/b", b"")), r"expected 'a' to be a folder"),
    "a file for a folder": (pack(("a/b", b""), ("a", b"")), r"expected 'a' to be a folder"),
    "a link for a folder": (
        pack(("a/b", b""), info("a", tarfile.SYMTYPE, linkname="c")),
        r"expected 'a' to be a folder",
    ),
    # Each text alone leads inside: only together they do not.
    "links through links": (
        pack(
            info("a/b/s", tarfile.SYMTYPE, linkname="../.."),
            info("t", tarfile.SYMTYPE, linkname="a/b/s/../outside"),
        ),
        r"got 't' -> 'a/b/s/../outside'",
    ),
    "link through the interpreter": (
        pack(
            info("bin/python", tarfile.SYMTYPE, linkname="/usr/bin/python3"),
            info("x", tarfile.SYMTYPE, linkname="bin/python"),
        ),
        r"got 'x' -> 'bin/python'",
    ),
    "hard link outside": (pack(info("a", tarfile.LNKTYPE, linkname="../tarball")), r"within the folder"),
    "hard link to an absolute path": (pack(info("a", tarfile.LNKTYPE, linkname="/etc/passwd")), r"within the folder"),
    "hard link to a link": (
        pack(
            info("bin/python", tarfile.SYMTYPE, linkname="/etc/passwd"),
            info("a", tarfile.LNKTYPE, linkname="bin/python"),
        ),
        r"expected a link to a file before it, got one to 'bin/python'",
    ),
    "hard link through a link": (
        pack(("below/f", b""), LINK, info("a", tarfile.LNKTYPE, linkname="link/f")),
        r"expected a link to a file before it, got one to 'link/f'",
    ),
    "hard link to nothing": (pack(info("a", tarfile.LNKTYPE, linkname="b")), r"got one to 'b'"),
    "device": (pack(info("a", tarfile.CHRTYPE)), r"got a device or the like: 'a'"),
    "fifo": (pack(info("a", tarfile.FIFOTYPE)), r"got a device or the like: 'a'"),
    "unknown": (pack(info("a", b"Z")), r"got a device or the like: 'a'"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_member_is_refused_by_name(tmp_path: Path, name: str) -> None:
    data, text = HOSTILE[name]
    refuse(data, tmp_path, text)


def test_what_is_too_large_is_refused_before_it_is_written(tmp_path: Path) -> None:
    refuse(
        gzip.compress(pack(("a", bytes(600)), ("b", bytes(5_000_000)))), tmp_path, "at most 9000 bytes", max_size=9000
    )
    assert names(tmp_path / "tree") == ["a"]


def test_an_extended_header_is_not_read_into_memory_whatever_it_says(tmp_path: Path) -> None:
    header = info("pax", tarfile.XHDTYPE, size=1 << 33).tobuf(tarfile.GNU_FORMAT)
    refuse(gzip.compress(header + bytes(1 << 25)), tmp_path, "a header that takes 8589934592 bytes")


def test_a_size_below_zero_is_refused(tmp_path: Path) -> None:
    block = bytearray(info("a").tobuf(tarfile.GNU_FORMAT))
    block[124:136] = b"\xff" * 11 + b"\x00"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    refuse(bytes(block) + bytes(1024), tmp_path, "environment_max_size|damaged")


def test_there_is_an_end_to_the_number_of_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_archive, "MAX_MEMBERS", 10)
    refuse(pack(*(info(f"d{index}/f") for index in range(6))), tmp_path, "at most 10 files, folders and links")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "expected a tarball"),
        (b"hello world" * 100, "expected a tarball"),
        (b"PK\x03\x04" + bytes(600), "got a zip archive"),
        (b"\x1f\x8bhello", "damaged"),
        (gzip.compress(b"hello"), "damaged"),
        (lzma.compress(SAMPLE)[:-400], "damaged"),
        (gzip.compress(SAMPLE)[:-400], "damaged"),
        (SAMPLE[:2_000_000], "damaged"),
        # Exactly behind a member, where tarfile sees nothing wrong.
        (SAMPLE[:1024], "damaged"),
        (gzip.compress(SAMPLE)[:-8] + bytes(8), "damaged"),
    ],
)
def test_what_is_no_tarball_or_only_part_of_one_is_refused(tmp_path: Path, data: bytes, text: str) -> None:
    refuse(data, tmp_path, text)


def test_a_damaged_header_is_no_end(tmp_path: Path) -> None:
    data = bytearray(pack(("a", b"1"), ("b", b"2")))
    data[1024 + 20] ^= 1
    refuse(bytes(data), tmp_path, "damaged")


def test_it_can_be_stopped(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        extract(SAMPLE, tmp_path, stop=stop)


NAMES = st.lists(st.sampled_from(["a", "b", "bin", "python", "..", ".", "/"]), min_size=1, max_size=4).map("/".join)
KINDS = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])


@given(st.lists(st.builds(info, NAMES, KINDS, linkname=NAMES), max_size=8))
def test_whatever_the_members_are_nothing_leads_out(
    tmp_path_factory: pytest.TempPathFactory, members: Iterable[tarfile.TarInfo]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    with contextlib.suppress(LoadError):
        tree = extract(pack(*members), folder)
        for parent, folders, files in os.walk(tree):
            for name in (*folders, *files):
                path = os.path.join(parent, name)  # noqa: PTH118
                real = os.path.realpath(path)
                interpreter = os.path.basename(path) == "python" and os.path.basename(parent) == "bin"  # noqa: PTH119
                assert real.startswith(f"{tree}/") or real == str(tree) or interpreter


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_of_a_header_or_a_file_raises_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, position: int, value: int
) -> None:
    data = bytearray(pack(("a/b", b"1" * 700), info("c", tarfile.SYMTYPE, linkname="a"), ("d" * 120, b"2")))
    data[position % len(data)] = value
    with contextlib.suppress(LoadError):
        extract(bytes(data), tmp_path_factory.mktemp("changed"))

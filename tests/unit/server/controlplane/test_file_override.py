from __future__ import annotations

import asyncio
import stat
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srv import ModelParameters, ModelSettings
from srv.controlplane._file_override import FileStore, check_path, moved
from srv.errors import InvalidInput, LoadError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder where temporary folders are made; nothing may be left in it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    assert not list(tmp_path.iterdir())


def test_files_are_written_where_nobody_else_reads_them_and_go_with_their_last_holder(root: Path) -> None:
    store = FileStore()
    files = store.write("m", {"models.py": b"x", "a/b/c.bin": b"\0", ".hidden": b""})
    try:
        assert files.folder.name == "m"
        assert (files.folder / "models.py").read_bytes() == b"x"
        assert (files.folder / "a" / "b" / "c.bin").read_bytes() == b"\0"
        assert [stat.S_IMODE(path.stat().st_mode) for path in root.iterdir()] == [0o700]

        async def run() -> None:
            files.hold()
            await files.release()
            assert files.folder.exists()
            await files.release()
            assert not files.folder.exists()

        asyncio.run(run())
    finally:
        store.close()


def test_what_is_left_goes_when_the_store_is_closed_and_may_be_released_after(root: Path) -> None:
    store = FileStore()
    files = store.write("m", {"a": b""})
    store.close()

    assert not list(root.iterdir())
    asyncio.run(files.release())
    store.close()
    with pytest.raises(LoadError, match="the server is shutting down"):
        store.write("m", {"a": b""})


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/etc/passwd",
        "..",
        "../a",
        "a/../b",
        "a/..",
        ".",
        "./a",
        "a//b",
        "a/",
        "a\\b",
        "..\\a",
        "a\0b",
        "C:\\a",
    ],
)
def test_a_path_that_leads_out_or_nowhere_is_refused(root: Path, path: str) -> None:
    store = FileStore()
    with pytest.raises(InvalidInput, match="expected a relative path"):
        store.write("m", {"fine": b"", path: b"x"})

    assert not list(root.iterdir())


def test_a_name_that_no_file_system_takes_is_refused() -> None:
    check_path("é" * 127)
    with pytest.raises(InvalidInput, match=r"^Invalid file path 'file:a/é+': expected names of at most 255 bytes"):
        check_path("a/" + "é" * 128)


@pytest.mark.parametrize("path", ["..x", "a..1", "...", " ", "%2e%2e/a", "a b/ü", "~", "con"])
def test_dots_inside_of_names_are_legal(path: str) -> None:
    check_path(path)


@pytest.mark.parametrize(
    "paths",
    [["a", "a/b"], ["a/b", "a"], ["/".join(["x" * 200] * 30)]],
    ids=["a folder in a file", "a file over a folder", "too long a path"],
)
def test_files_that_cannot_be_written_leave_nothing_behind(root: Path, paths: list[str]) -> None:
    store = FileStore()
    try:
        with pytest.raises(InvalidInput, match="failed to load 'm': the files cannot be written: ") as raised:
            store.write("m", dict.fromkeys(paths, b""))

        assert str(root) not in raised.value.message
        assert not [path for path in root.rglob("*") if path.is_file()]
    finally:
        store.close()


def test_without_a_place_for_files_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(InvalidInput, match=r"^failed to load 'm': the files cannot be written: No such file or direc"):
        FileStore().write("m", {"a": b""})


def test_a_store_that_is_closed_while_files_are_written_leaves_none(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, leave = threading.Event(), threading.Event()
    real = tempfile.mkdtemp

    def slow(**given: str) -> str:
        if "dir" in given:
            entered.set()
            leave.wait()
        return real(**given)

    monkeypatch.setattr(tempfile, "mkdtemp", slow)
    store = FileStore()
    with ThreadPoolExecutor() as pool:
        writing = pool.submit(store.write, "m", {"a/b": b"x"})
        entered.wait()
        closing = pool.submit(store.close)
        # Nothing says that it has come to the point where it must wait.
        wait([closing], 0.05)
        leave.set()
        writing.result()
        closing.result()
    assert not list(root.iterdir())


@given(st.text(st.sampled_from("./\\\0ab\n é%"), max_size=12))
def test_whatever_path_is_accepted_stays_inside(path: str) -> None:
    try:
        check_path(path)
    except InvalidInput:
        return
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder).resolve()
        assert (base / path).resolve().is_relative_to(base)
        assert (base / path).resolve() != base


def test_settings_move_to_another_folder_with_what_they_name_in_it() -> None:
    old, new = Path("/models/m"), Path("/other/m")

    def move(uri: str | None) -> str | None:
        settings = ModelSettings(
            name="m",
            implementation="models.Runtime",
            parameters=ModelParameters(uri=uri),
            source=old / "model-settings.json",
        )
        assert moved(settings, new).folder == new
        return moved(settings, new).parameters.uri

    assert move("/models/m") == "/other/m"
    assert move("/models/m/weights/a.bin") == "/other/m/weights/a.bin"
    assert move("/elsewhere/a.bin") == "/elsewhere/a.bin"
    assert move("s3://bucket/a") == "s3://bucket/a"
    assert move(None) == "/other/m"

"""Leases of environments: each is there while it is held, whoever else holds it, and nothing is left behind."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import signal
import subprocess
import sys
import tarfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from environments import names

from srv.environments import Environments, _archive, _environments
from srv_protocol.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from srv.environments import Lease

HERE: Final = f"{sys.version_info.major}.{sys.version_info.minor}"


def pack(path: Path, **more: bytes) -> Path:
    """Make a tarball of packages: what pip makes of NumPy, as far as it is looked at."""
    files = {"numpy/__init__.py": b"__version__ = '9.9'", "numpy-9.9.dist-info/METADATA": b"", **more}
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
    return path


def run(folder: Path, work: Callable[[Environments], Awaitable[None]]) -> None:
    """Do something with environments of a folder, of which nothing is left."""

    async def main() -> None:
        environments = Environments(folder)
        try:
            await work(environments)
        finally:
            await environments.close()

    asyncio.run(main())
    assert not folder.exists() or names(folder) == []


def numpy_of(lease: Lease) -> str:
    environment = lease.environment
    command = [*environment.python, "-c", "import numpy; print(numpy.__version__)"]
    return subprocess.run(
        command, env=environment.environ(os.environ), capture_output=True, text=True, check=True
    ).stdout.strip()


async def refused(environments: Environments, text: str, path: Path | None, tarball: Path | None) -> None:
    with pytest.raises(LoadError, match=text):
        await environments.prepare(path, tarball)


async def settled(environments: Environments) -> None:
    """Wait until what has been given back is removed."""
    await asyncio.to_thread(environments._pool.shutdown)
    environments._pool = type(environments._pool)(1)


# ---- Tarballs


def test_a_tarball_is_unpacked_once_and_removed_with_the_last_lease(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tarball, root = pack(tmp_path / "e.tar.gz"), tmp_path / "root"
    copy = tmp_path / "copy.tar.gz"
    copy.write_bytes(tarball.read_bytes())

    async def work(environments: Environments) -> None:
        one, two, three = await asyncio.gather(*(environments.prepare(None, path) for path in (tarball, tarball, copy)))
        assert one.environment == two.environment == three.environment
        assert one.environment.folder.is_relative_to(root)
        one.release()
        one.release()
        two.release()
        await settled(environments)
        assert numpy_of(three) == "9.9"
        three.release()
        await settled(environments)
        assert not root.exists() or names(root) == []

    with caplog.at_level(logging.INFO, "srv"):
        run(root, work)
    assert sum("is unpacked into" in message for message in caplog.messages) == 1


def test_a_tarball_that_has_changed_is_another_environment(tmp_path: Path) -> None:
    tarball = pack(tmp_path / "e.tar.gz")

    async def work(environments: Environments) -> None:
        old = await environments.prepare(None, tarball)
        pack(tarball, **{"numpy/__init__.py": b"__version__ = '9.8'"})
        new = await environments.prepare(None, tarball)
        assert (numpy_of(old), numpy_of(new)) == ("9.9", "9.8")

    run(tmp_path / "root", work)


def test_the_digest_of_a_tarball_that_has_not_changed_is_remembered(tmp_path: Path) -> None:
    tarball = pack(tmp_path / "e.tar.gz")
    # Not of a moment ago, in which it might change unseen.
    os.utime(tarball, (1, 1))
    read: list[int] = []

    async def work(environments: Environments) -> None:
        for _ in range(2):
            (await environments.prepare(None, tarball)).release()
            read.append(len(environments._keys))
            environments._keys = {path: (stamp, "0" * 32) for path, (stamp, _) in environments._keys.items()}
        lease = await environments.prepare(None, tarball)
        assert lease.environment.folder.parent.name == "0" * 32

    run(tmp_path / "root", work)
    assert read == [1, 1]


def test_a_tarball_that_changes_while_it_is_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tarball = pack(tmp_path / "e.tar.gz")
    unpack = _archive.unpack

    def unpack_slowly(*args: object) -> None:
        unpack(*args)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # what came
        with tarball.open("ab") as file:
            file.write(b"more")

    monkeypatch.setattr(_environments, "unpack", unpack_slowly)
    run(tmp_path / "root", lambda each: refused(each, "it has changed while it was read", None, tarball))


def test_conda_unpack_is_run_once_by_the_environments_own_python(tmp_path: Path) -> None:
    script = b"""#!/nowhere/python
import os, sys, beside
with open(os.path.join(os.path.dirname(__file__), "ran"), "a") as file:
    file.write(sys.executable + "\\n")
"""
    tarball = pack(tmp_path / "e.tar.gz", **{"bin/conda-unpack": script, "bin/beside.py": b""})

    async def work(environments: Environments) -> None:
        one = await environments.prepare(None, tarball)
        two = await environments.prepare(None, tarball)
        assert (one.environment.folder / "bin" / "ran").read_text().splitlines() == [two.environment.python[0]]

    run(tmp_path / "root", work)


def test_a_conda_unpack_that_fails_or_hangs_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = pack(tmp_path / "bad.tar.gz", **{"bin/conda-unpack": b"raise SystemExit('not here')"})
    slow = pack(tmp_path / "slow.tar.gz", **{"bin/conda-unpack": b"import time; time.sleep(60)"})

    run(tmp_path / "root", lambda each: refused(each, "bin/conda-unpack failed: not here", None, bad))
    monkeypatch.setattr(_environments, "_PATIENCE", 0.2)
    run(
        tmp_path / "root",
        lambda each: refused(each, "bin/conda-unpack failed: it takes longer than 0 seconds", None, slow),
    )


# ---- Errors


def test_errors_name_the_setting_and_the_path(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.tar.gz").write_text("hello", encoding="utf-8")
    other = pack(tmp_path / "other.tar.gz", **{"numpy/x.cpython-366-x86_64-linux-gnu.so": b""})
    evil = pack(tmp_path / "evil.tar.gz", **{"../evil": b""})
    place = f"parameters.environment_tarball: {tmp_path}"

    async def work(environments: Environments) -> None:
        missing = tmp_path / "missing"
        await refused(environments, "expected one of them, got both", missing, missing)
        await refused(environments, "expected one of them, got none", None, None)
        await refused(environments, f"{place}/missing: expected a file, got nothing of that name", None, missing)
        await refused(environments, "expected a file, got a folder or the like; is it", None, tmp_path / "folder")
        await refused(environments, f"{place}/text.tar.gz: expected a tarball", None, tmp_path / "text.tar.gz")
        await refused(environments, r"evil.tar.gz: expected members within .*, got '../evil'", None, evil)
        await refused(environments, r"other.tar.gz: it was made with Python 3\.66, and no python3\.66", None, other)
        place_of_folders = f"parameters.environment_path: {tmp_path}"
        await refused(environments, f"{place_of_folders}/missing: expected a folder, got nothing", missing, None)
        await refused(environments, "got a file; is it meant for environment_tarball", other, None)
        await refused(environments, "folder: expected an environment, .* got nothing", tmp_path / "folder", None)

    run(tmp_path / "root", work)
    assert not (tmp_path / "evil").exists()


def test_one_that_is_too_large_or_finds_no_room_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tarball = pack(tmp_path / "e.tar.gz")
    text = r"expected at most 1000 bytes when it is unpacked \(environment_max_size\), got more"

    async def small() -> None:
        environments = Environments(tmp_path / "root", max_size=1000)
        await refused(environments, text, None, tarball)
        await environments.close()

    asyncio.run(small())

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_environments, "unpack", fail)
    text = r"e.tar.gz: .*/root \(environments_dir\): No space left on device"
    run(tmp_path / "root", lambda each: refused(each, text, None, tarball))


def test_a_root_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    tarball = pack(tmp_path / "e.tar.gz")

    async def work() -> None:
        environments = Environments(tarball / "root")
        await refused(environments, r"/root \(environments_dir\): Not a directory", None, tarball)
        await environments.close()

    asyncio.run(work())


# ---- Folders


def test_a_folder_whose_python_runs_needs_no_room(tmp_path: Path) -> None:
    async def work(environments: Environments) -> None:
        lease = await environments.prepare(Path(sys.prefix), None)
        assert lease.environment.version == sys.version_info[:2]
        assert not (tmp_path / "root").exists()
        lease.release()

    run(tmp_path / "root", work)


def test_a_folder_that_needs_another_python_is_left_as_it_is(tmp_path: Path) -> None:
    folder, root = tmp_path / "packages", tmp_path / "root"
    with tarfile.open(pack(tmp_path / "e.tar.gz")) as tar:
        tar.extractall(folder, filter="data")

    async def work(environments: Environments) -> None:
        one, two = [await environments.prepare(folder, None) for _ in range(2)]
        assert one.environment == two.environment
        assert one.environment.folder == folder
        assert Path(one.environment.python[0]).is_relative_to(root)
        one.release()
        await settled(environments)
        assert numpy_of(two) == "9.9"

    run(root, work)
    assert names(folder) == ["numpy", "numpy-9.9.dist-info"]


# ---- The end


def test_a_load_that_is_cancelled_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in the midst of unpacking, nor when it has been done already, nor before its turn has come."""
    tarball, root = pack(tmp_path / "e.tar.gz"), tmp_path / "root"
    unpack, begun, go_on = _archive.unpack, threading.Event(), threading.Event()

    def unpack_slowly(*args: object) -> None:
        begun.set()
        go_on.wait()
        unpack(*args)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # what came

    monkeypatch.setattr(_environments, "unpack", unpack_slowly)

    async def work(environments: Environments) -> None:
        loads = [asyncio.ensure_future(environments.prepare(None, tarball)) for _ in range(2)]
        await asyncio.to_thread(begun.wait)
        for load in loads:
            load.cancel()
        await asyncio.wait(loads)
        assert all(load.cancelled() for load in loads)
        go_on.set()
        await settled(environments)
        assert not root.exists() or names(root) == []

        lease = asyncio.ensure_future(environments.prepare(None, tarball))
        while not any(path.name == "in-use" for path in root.rglob("*")) or not environments._held:
            await asyncio.sleep(0)
        lease.cancel()
        await asyncio.wait([lease])
        if not lease.cancelled():
            lease.result().release()
        await settled(environments)
        assert not environments._held

    run(root, work)


def test_closing_ends_loads_and_gives_back_what_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tarball, other, root = pack(tmp_path / "e.tar.gz"), pack(tmp_path / "o.tar.gz", o=b""), tmp_path / "root"

    async def work(environments: Environments) -> None:
        held = await environments.prepare(None, other)
        unpack, begun = _archive.unpack, threading.Event()

        def unpack_when_closed(*args: object) -> None:
            begun.set()
            stop = args[-1]
            assert isinstance(stop, threading.Event)
            stop.wait()
            unpack(*args)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # what came

        monkeypatch.setattr(_environments, "unpack", unpack_when_closed)
        load = asyncio.ensure_future(environments.prepare(None, tarball))
        await asyncio.to_thread(begun.wait)
        await environments.close()
        assert not root.exists()
        with pytest.raises(LoadError, match="the server is shutting down"):
            await load
        await refused(environments, "the server is shutting down", None, tarball)
        held.release()

    run(root, work)


# Another server, which is killed in the midst of unpacking: it says so, and waits for that.
KILLED = """
import asyncio, sys
from pathlib import Path
from srv.environments import Environments, _archive

write = _archive._Unpacker.add
def add(self, member, members):
    write(self, member, members)
    print("unpacking", flush=True)
    sys.stdin.readline()
_archive._Unpacker.add = add
asyncio.run(Environments(Path(sys.argv[1])).prepare(None, Path(sys.argv[2])))
"""


def test_what_a_server_was_unpacking_when_it_was_killed_is_unpacked_anew(tmp_path: Path) -> None:
    tarball, root = pack(tmp_path / "e.tar.gz"), tmp_path / "root"
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(root), str(tarball)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"unpacking\n"

        async def work(environments: Environments) -> None:
            load = asyncio.ensure_future(environments.prepare(None, tarball))
            await asyncio.sleep(0)
            assert not load.done()
            killed.send_signal(signal.SIGKILL)
            lease = await load
            assert numpy_of(lease) == "9.9"
            assert (lease.environment.folder / "numpy-9.9.dist-info" / "METADATA").exists()

        try:
            run(root, work)
        finally:
            killed.kill()

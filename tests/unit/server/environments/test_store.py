"""Folders that processes share are whole while anybody uses them, and gone when nobody does; however a process ends."""

from __future__ import annotations

import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from typing import IO, TYPE_CHECKING

import pytest
from environments import names

from srv.environments._archive import Stopped
from srv.environments._store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "0123456789abcdef" * 2
OTHER = "f" * 32

# Another server: takes a folder, tells how far it is, and does what it is told.
PEER = """
import sys, threading
from pathlib import Path
from srv.environments._store import Store

def tell(word):
    print(word, flush=True)

def hear():
    return sys.stdin.readline().strip()

def make(folder, new):
    if new:
        (folder / "half").write_text("half")
    tell("making" if new else "using")
    if new:
        hear()
        (folder / "whole").write_text("whole")
    return (folder / "whole").read_text()

store = Store(Path(sys.argv[1]))
holding, text = store.take(sys.argv[2], make, threading.Event())
tell(text)
hear()
holding.release()
tell("released")
"""


class Peer:
    def __init__(self, root: Path, key: str = KEY) -> None:
        path = os.pathsep.join(filter(None, sys.path))
        self._process = subprocess.Popen(
            [sys.executable, "-c", PEER, str(root), key],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
        )

    def _pipe(self, name: str) -> IO[str]:
        pipe: IO[str] = getattr(self._process, name)
        return pipe

    def hear(self) -> str:
        return self._pipe("stdout").readline().strip()

    def go_on(self) -> None:
        self._pipe("stdin").write("\n")
        self._pipe("stdin").flush()

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        self.kill()
        self._pipe("stdin").close()
        self._pipe("stdout").close()


@pytest.fixture
def peers(tmp_path: Path) -> Iterator[list[Peer]]:
    """Return two other servers of the same store."""
    started = [Peer(tmp_path / "store"), Peer(tmp_path / "store")]
    yield started
    for peer in started:
        peer.close()


def make(folder: Path, new: bool) -> str:
    if new:
        assert names(folder) == ["in-use"]
        (folder / "whole").write_text("whole")
    return (folder / "whole").read_text()


def listen(peers: list[Peer]) -> queue.SimpleQueue[tuple[Peer, str]]:
    """Return what the peers say next, in the order in which they say it."""
    heard: queue.SimpleQueue[tuple[Peer, str]] = queue.SimpleQueue()

    def hear(peer: Peer) -> None:
        heard.put((peer, peer.hear()))

    for peer in peers:
        threading.Thread(target=hear, args=(peer,)).start()
    return heard


def test_a_folder_is_made_once_and_goes_with_the_last_that_uses_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "a" / "store")
    first, one = store.take(KEY, make, threading.Event())
    second, _ = store.take(KEY, lambda _, new: new, threading.Event())

    assert one == "whole"
    first.release()
    assert names(store.root / KEY) == ["in-use", "whole"]
    second.release()
    assert names(store.root) == []
    store.sweep()
    assert names(tmp_path / "a") == []


def test_a_root_that_was_there_stays_and_so_does_what_is_not_the_stores(tmp_path: Path) -> None:
    store = Store(tmp_path)
    holding, _ = store.take(KEY, make, threading.Event())
    (tmp_path / "notes").touch()
    Store(tmp_path).sweep()

    assert names(tmp_path) == [KEY, f"{KEY}.lock", "notes"]
    holding.release()
    assert names(tmp_path) == ["notes"]


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def fail(folder: Path, new: bool) -> None:
        (folder / "half").touch()
        raise ValueError(new)

    with pytest.raises(ValueError, match="True"):
        store.take(KEY, fail, threading.Event())
    assert names(tmp_path) == []


def test_who_fails_with_a_folder_of_others_leaves_it_to_them(tmp_path: Path) -> None:
    store = Store(tmp_path)
    holding, _ = store.take(KEY, make, threading.Event())

    def fail(_: Path, new: bool) -> None:
        raise ValueError(new)

    with pytest.raises(ValueError, match="False"):
        store.take(KEY, fail, threading.Event())
    assert (tmp_path / KEY / "whole").exists()
    holding.release()
    assert names(tmp_path) == []


def test_a_second_server_waits_until_the_folder_is_whole(tmp_path: Path, peers: list[Peer]) -> None:
    heard = listen(peers)
    maker, word = heard.get()

    assert word == "making"
    assert heard.empty()
    maker.go_on()
    other, word = heard.get()
    assert word == "using"
    assert (maker.hear(), other.hear()) == ("whole", "whole")
    maker.go_on()
    assert maker.hear() == "released"
    assert (tmp_path / "store" / KEY / "whole").exists()
    other.go_on()
    assert other.hear() == "released"
    assert not (tmp_path / "store" / KEY).exists()


def test_a_half_of_a_killed_server_is_never_used(tmp_path: Path, peers: list[Peer]) -> None:
    store = tmp_path / "store"
    heard = listen(peers)
    killed, word = heard.get()

    assert word == "making"
    assert names(store / KEY) == ["half", "in-use"]
    killed.kill()
    survivor, word = heard.get()
    assert word == "making"
    (store / KEY / "half").unlink()  # its own: it has begun anew
    survivor.go_on()
    assert survivor.hear() == "whole"
    assert names(store / KEY) == ["in-use", "whole"]


def test_what_killed_servers_leave_goes_when_the_next_one_looks(tmp_path: Path) -> None:
    makes, uses = Peer(tmp_path), Peer(tmp_path, OTHER)
    try:
        assert (makes.hear(), uses.hear()) == ("making", "making")
        uses.go_on()
        assert uses.hear() == "whole"
        Store(tmp_path).sweep()
        assert names(tmp_path) == sorted([KEY, f"{KEY}.lock", OTHER, f"{OTHER}.lock"])
        makes.kill()
        uses.kill()
    finally:
        makes.close()
        uses.close()
    (tmp_path / f"{'e' * 32}.lock").touch()
    (tmp_path / ("d" * 32)).mkdir()
    Store(tmp_path).sweep()

    assert names(tmp_path) == []


def test_whoever_waits_can_be_stopped(tmp_path: Path) -> None:
    peer = Peer(tmp_path)
    stop = threading.Event()
    try:
        assert peer.hear() == "making"
        timer = threading.Timer(0.05, stop.set)
        timer.start()
        with pytest.raises(Stopped):
            Store(tmp_path).take(KEY, make, stop)
        timer.join()
    finally:
        peer.kill()
        peer.close()


def test_a_folder_that_cannot_be_removed_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    holding, _ = Store(tmp_path).take(KEY, make, threading.Event())

    def fail(path: Path) -> None:
        raise OSError(13, "Permission denied", str(path))

    monkeypatch.setattr("shutil.rmtree", fail)
    with caplog.at_level(logging.WARNING, "srv"):
        holding.release()

    assert "an environment that nobody uses cannot be removed: [Errno 13] Permission denied" in caplog.text


def test_many_threads_that_come_and_go_always_see_a_whole_folder(tmp_path: Path) -> None:
    stores = [Store(tmp_path / "store") for _ in range(2)]
    wrong: list[object] = []

    def come_and_go(store: Store) -> None:
        for _ in range(20):
            try:
                holding, text = store.take(KEY, make, threading.Event())
                if text != "whole" or not (store.root / KEY / "whole").exists():
                    wrong.append(text)
                holding.release()
            except Exception as error:  # noqa: BLE001  # the test shows it
                wrong.append(error)

    threads = [threading.Thread(target=come_and_go, args=(store,)) for store in stores * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stores[0].sweep()
    stores[1].sweep()

    assert wrong == []
    assert not (tmp_path / "store" / KEY).exists()

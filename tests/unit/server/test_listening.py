from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from srv._listening import SocketFile, listen_unix

if TYPE_CHECKING:
    from pathlib import Path


def test_a_socket_that_nobody_listens_on_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))

    listener, file = listen_unix(str(path))

    with listener, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        assert file.url == f"unix:{path}"
        file.remove()
    assert not path.exists()


def test_a_server_that_is_too_busy_to_accept_is_not_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as waiting:
        busy.bind(path)
        busy.listen(0)
        waiting.connect(path)
        with pytest.raises(OSError, match="another server listens there"):
            listen_unix(path)


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_no_socket_stays(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "taken"
    if kind == "file":
        path.touch()
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("nowhere")
    with pytest.raises(FileExistsError, match="it is no socket"):
        listen_unix(str(path))
    assert os.path.lexists(path)


def test_a_socket_of_another_kind_stays(tmp_path: Path) -> None:
    path = tmp_path / "taken"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        with pytest.raises(OSError, match="Protocol wrong type for socket"):
            listen_unix(str(path))
    assert path.is_socket()


def test_a_file_that_is_anothers_by_now_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "socket"
    first, file = listen_unix("socket")
    path.unlink()
    second, _ = listen_unix("socket")

    with first, second:
        file.remove()
        assert path.is_socket()
        path.unlink()
        file.remove()  # no error, as there is none


def test_a_file_is_removed_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models may change the current one."""
    monkeypatch.chdir(tmp_path)
    listener, file = listen_unix("socket")
    monkeypatch.chdir("/")

    with listener:
        file.remove()
    assert not (tmp_path / "socket").exists()
    assert isinstance(file, SocketFile)

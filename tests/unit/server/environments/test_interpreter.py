"""What a Python says of itself, and where one of a version is found."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from srv.environments import _interpreter
from srv.environments._interpreter import UnusablePython, ask, find_base
from srv_protocol.errors import LoadError

LABEL = f"{sys.version_info.major}.{sys.version_info.minor}"


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def test_a_python_says_what_it_is() -> None:
    found = ask(Path(sys.executable), os.environ)

    assert found.version == sys.version_info[:2]
    assert found.label == LABEL
    assert found.has_numpy
    assert any(Path(each).exists() for each in found.base)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("#!/bin/sh\necho no >&2; echo 'not at all' >&2; exit 3", "not at all"),
        ("#!/bin/sh\nexit 3", "status 3"),
        ("#!/bin/sh\necho hello", "it does not answer as a Python does"),
        ("#!/bin/sh\n:", "it does not answer as a Python does"),
        ("#!/bin/sh\necho '[1]'", "it does not answer as a Python does"),
        ("#!/nowhere/python", "it is a program of another system"),
        ("\x7fELF", "Exec format error"),
    ],
)
def test_what_is_no_python_says_why(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(UnusablePython, match=reason):
        ask(script(tmp_path / "python", text), os.environ)


def test_a_missing_python_and_one_that_hangs_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnusablePython, match="No such file or directory"):
        ask(tmp_path / "python", os.environ)
    monkeypatch.setattr(_interpreter, "_PATIENCE", 0.05)
    with pytest.raises(UnusablePython, match="it takes longer than"):
        ask(script(tmp_path / "python", "#!/bin/sh\nexec sleep 60"), os.environ)


def test_what_a_pth_file_prints_does_not_matter(tmp_path: Path) -> None:
    hello = script(tmp_path / "python", f"#!/bin/sh\nprintf '{{}} hello'\nexec '{sys.executable}' \"$@\"")
    assert ask(hello, os.environ).label == LABEL


def test_the_servers_own_version_is_its_own_base() -> None:
    found = find_base(LABEL, {})

    assert found.parent == Path(sys.base_exec_prefix, "bin")
    assert ask(found, {}).version == sys.version_info[:2]


def test_others_are_found_where_installers_put_them(tmp_path: Path) -> None:
    """The newest release first; neither a Python of another version nor one that does not run is taken."""
    places = {
        "PATH": tmp_path / "broken",
        "PYENV_ROOT": tmp_path / "pyenv",
        "UV_PYTHON_INSTALL_DIR": tmp_path / "uv",
    }
    script(tmp_path / "broken" / "python3.77", "#!/bin/sh\nexit 127")
    script(
        tmp_path / "pyenv" / "versions" / "3.99.0" / "bin" / "python3.77", f"#!/bin/sh\nexec '{sys.executable}' \"$@\""
    )
    for release in ("cpython-3.77.9-linux", "cpython-3.77.10-linux"):
        folder = tmp_path / "uv" / release / "bin"
        answer = '{"version": [3, 77], "label": "3.77", "base": ["%s"], "path": [], "has_numpy": false}'
        script(folder / "python3.77", f"#!/bin/sh\necho '{answer % (folder / 'python3.77')}'")

    environ = {name: str(path) for name, path in places.items()}
    assert find_base("3.77", environ) == tmp_path / "uv" / "cpython-3.77.10-linux" / "bin" / "python3.77"


def test_where_none_is_found_the_error_says_where_it_looked(tmp_path: Path) -> None:
    (tmp_path / ".pyenv" / "versions" / "3.12.1" / "bin").mkdir(parents=True)
    with pytest.raises(LoadError) as caught:
        find_base("3.78", {"PATH": f"/path/bin:relative:{tmp_path}", "HOME": str(tmp_path)})

    start, _, looked = caught.value.message.partition(": looked in ")
    assert start == "no python3.78 was found"
    assert looked.split(", ") == [
        str(Path(sys.base_exec_prefix, "bin")),
        "/path/bin",
        str(tmp_path),
        f"{tmp_path}/.pyenv/versions/3.12.1/bin",
        f"{tmp_path}/.local/bin",
        "/usr/local/bin",
        "/usr/bin",
        "/opt/homebrew/bin",
    ]

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

pytest.importorskip("grpc_tools", reason="protoc comes with the codegen dependency group")

from srv_codegen import __main__ as command
from srv_codegen._generate import format_source, generate, stale, write
from srv_codegen._overlay import OverlayError
from srv_codegen._parse import UnsupportedProtoError
from srv_codegen._protoc import ProtocError

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).parents[3]
COMMITTED: Final = ROOT / "protocol" / "srv_protocol"
GOLDEN: Final = Path(__file__).parent / "golden"


@pytest.fixture
def proto(tmp_path: Path) -> Path:
    """A folder with .proto files and an overlay."""
    folder = tmp_path / "proto"
    folder.mkdir()
    for name in ("kinds.proto", "overlay.toml"):
        shutil.copy(GOLDEN / name, folder)
    return folder


@pytest.fixture
def run(proto: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The command, on that folder."""

    def call(*arguments: str) -> int:
        out = str(proto.parent / "out")
        monkeypatch.setattr(sys, "argv", ["srv_codegen", "--proto", str(proto), "--out", out, *arguments])
        return command.main()

    return call


def test_committed_code_is_up_to_date() -> None:
    """What is committed is what the .proto files give; `nox -s codegen` writes it."""
    assert stale(generate(COMMITTED / "proto"), COMMITTED / "_gen") == []


def test_two_runs_give_the_same(proto: Path) -> None:
    """Nothing but the input decides the output."""
    assert generate(proto) == generate(proto)


def test_cycle(proto: Path, run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    """Outdated, generated, up to date; and outdated again when any input changes."""
    assert run("--check") == 1
    assert "is stale: __init__.py, descriptors.py, kinds.py" in capsys.readouterr().err
    assert not (proto.parent / "out").exists()
    assert run() == 0
    assert "5 modules, 5 changed" in capsys.readouterr().out
    assert run("--check") == 0
    for name, old, new in (("kinds.proto", "a_bool", "the_bool"), ("overlay.toml", "writes = true", "writes = false")):
        file = proto / name
        file.write_text(file.read_text("utf-8").replace(old, new), "utf-8")
        assert run("--check") == 1
        assert run() == 0
        assert run("--check") == 0
    (proto / "more.proto").write_text('syntax = "proto3"; message M {}', "utf-8")
    assert run("--check") == 1
    assert capsys.readouterr().err.endswith("stale: descriptors.py, more.py. Run `nox -s codegen`.\n")


def test_stale(tmp_path: Path) -> None:
    """A missing, a changed and a surplus file are stale each, and writing ends that."""
    texts = {"same.py": "a = 1\n", "changed.py": "b = 1\n", "missing.py": "c = 1\n"}
    assert stale(texts, tmp_path / "nowhere") == ["changed.py", "missing.py", "same.py"]
    out = tmp_path / "out"
    write({"same.py": "a = 1\n", "changed.py": "b = 1\n\n", "surplus.py": ""}, out)
    assert stale(texts, out) == ["changed.py", "missing.py", "surplus.py"]
    write(texts, out)
    assert stale(texts, out) == []
    assert sorted(path.name for path in out.iterdir()) == ["changed.py", "missing.py", "same.py"]


def test_lines_end_in_newlines_alone(tmp_path: Path) -> None:
    """The files are the same bytes on every system."""
    write({"a.py": "a = 1\nb = 2\n"}, tmp_path)
    assert (tmp_path / "a.py").read_bytes() == b"a = 1\nb = 2\n"


def test_refused_proto(proto: Path) -> None:
    """The words of protoc reach the terminal, and the status says that nothing could be compared."""
    (proto / "kinds.proto").write_text('syntax = "proto3"; message M { Missing m = 1; }', "utf-8")
    arguments = ["--proto", str(proto), "--out", str(proto.parent / "out")]
    # No wheel has the generator; from its folder it is found.
    run = [sys.executable, "-m", "srv_codegen", *arguments]
    done = subprocess.run(run, cwd=ROOT / "codegen", capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert '"Missing" is not defined' in done.stderr
    assert "srv_codegen: protoc failed on kinds.proto" in done.stderr


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("overlay.toml", "[messages.'golden.Nobody']", "no such message: golden.Nobody"),
        ("overlay.toml", "[views.'golden.Outer']\nreads = true", "a field of type Inner, which has no view"),
        ("kinds.proto", 'syntax = "proto2";', "expected proto3"),
    ],
)
def test_refused_input(
    proto: Path, run: Callable[..., int], capsys: pytest.CaptureFixture[str], name: str, text: str, error: str
) -> None:
    """A wrong overlay or an unsupported file has status 2 as well, and nothing is written."""
    (proto / name).write_text(text, "utf-8")
    assert run() == 2
    assert error in capsys.readouterr().err
    assert not (proto.parent / "out").exists()


def test_no_files(tmp_path: Path) -> None:
    """A folder without .proto files is most likely the wrong folder."""
    with pytest.raises(ProtocError, match=r"no \.proto files in"):
        generate(tmp_path)


def test_two_files_of_one_module(tmp_path: Path) -> None:
    """Files of one folder, or named like a generated module, must not overwrite each other."""
    for name in ("a/one.proto", "a/two.proto"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('syntax = "proto3";', "utf-8")
    with pytest.raises(UnsupportedProtoError, match=r"two \.proto files would be written to a\.py"):
        generate(tmp_path)


def test_without_an_overlay(proto: Path) -> None:
    """The overlay may be missing; then there are no JSON views."""
    (proto / "overlay.toml").unlink()
    assert sorted(generate(proto)) == ["__init__.py", "descriptors.py", "kinds.py", "kinds_grpc.py"]
    (proto / "overlay.toml").write_text("[", "utf-8")
    with pytest.raises(OverlayError):
        generate(proto)


def test_what_is_no_python_is_not_written() -> None:
    """Each text is compiled before it is formatted."""
    with pytest.raises(SyntaxError):
        format_source("class 1: pass")

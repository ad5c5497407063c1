"""The whole way from a folder of .proto files to formatted modules, and the comparison with a folder on disk."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Final

from srv_codegen._codecs import render_codecs
from srv_codegen._descriptors import render_descriptors
from srv_codegen._messages import render_messages
from srv_codegen._overlay import read_overlay
from srv_codegen._parse import UnsupportedProtoError, parse_files
from srv_codegen._protoc import ProtocError, compile_protos, protoc_version
from srv_codegen._services import render_services
from srv_codegen._views import render_views

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from srv_codegen._module import Module

_PACKAGE_TEXT: Final = '"""Written by ``nox -s codegen``; import the public modules beside this package instead."""\n'


def generate(proto_root: Path) -> dict[str, str]:
    """Return the text of each generated module by file name.

    The overlay is `overlay.toml` in the same folder; without one, nothing deviates from plain protobuf.

    Raises:
        ProtocError: a .proto file is wrong.
        OverlayError: the overlay is wrong.
        UnsupportedProtoError: a .proto file uses what the generator does not know.
    """
    paths = sorted(path.relative_to(proto_root).as_posix() for path in proto_root.rglob("*.proto"))
    if not paths:
        message = f"no .proto files in {proto_root}"
        raise ProtocError(message)
    overlay_file = proto_root / "overlay.toml"
    overlay = read_overlay(overlay_file.read_text("utf-8") if overlay_file.exists() else "")
    files = parse_files(compile_protos(proto_root, paths), overlay)
    tools = f"{protoc_version()}, ruff {metadata.version('ruff')}"
    modules: list[Module | None] = [render_descriptors(files, tools)]
    for file in files:
        modules += [render(file, tools) for render in (render_messages, render_codecs, render_services, render_views)]
    sources = [(f"{module.name}.py", module.render()) for module in modules if module is not None]
    names = [name for name, _ in sources]
    for name in names:
        if names.count(name) > 1:
            message = f"two .proto files would be written to {name}"
            raise UnsupportedProtoError(message)
    texts = {name: format_source(source) for name, source in sources}
    return {"__init__.py": _PACKAGE_TEXT, **texts}


def format_source(text: str) -> str:
    """Return Python source as the pinned ruff formats it.

    Raises:
        SyntaxError: the source is no Python.
    """
    compile(text, "<generated>", "exec")
    ruff = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length=120", "-"]
    done = subprocess.run(ruff, input=text, capture_output=True, text=True, encoding="utf-8", check=True)
    return done.stdout


def stale(texts: Mapping[str, str], folder: Path) -> list[str]:
    """Return the names of the files in `folder` that differ from `texts`, are missing, or are too many."""
    on_disk = {path.name: path.read_text("utf-8") for path in folder.glob("*.py")} if folder.is_dir() else {}
    return sorted(name for name in {*texts, *on_disk} if texts.get(name) != on_disk.get(name))


def write(texts: Mapping[str, str], folder: Path) -> None:
    """Make `folder` hold exactly `texts`."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.py"):
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8", newline="\n")

"""betterproto2's own generator declares the same fields: ours deviates in names, base classes and the overlay alone."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

pytest.importorskip("grpc_tools", reason="protoc comes with the codegen dependency group")
pytest.importorskip("betterproto2_compiler", reason="it comes with the codegen dependency group")

import betterproto2

from srv_codegen._overlay import Overlay
from srv_codegen._parse import parse_files
from srv_codegen._protoc import compile_protos

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROTO: Final = Path(__file__).parents[3] / "protocol" / "srv_protocol" / "proto"
PATHS: Final = sorted(path.relative_to(PROTO).as_posix() for path in PROTO.rglob("*.proto"))
FILES: Final = parse_files(compile_protos(PROTO, PATHS), Overlay({}, {}))
PLUGIN: Final = Path(sysconfig.get_path("scripts"), "protoc-gen-python_betterproto2")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Any]]:
    """betterproto2's classes by full protobuf name."""
    root = tmp_path_factory.mktemp("betterproto2")
    out = root / "betterproto2_output"
    out.mkdir()
    plugin = f"--plugin=protoc-gen-python_betterproto2={PLUGIN}"
    arguments = [plugin, f"-I{PROTO}", f"--python_betterproto2_out={out}", *PATHS]
    # The plugin looks for ruff on the PATH.
    environment = {**os.environ, "PATH": f"{PLUGIN.parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "grpc_tools.protoc", *arguments]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    sys.path.insert(0, str(root))
    try:
        for package in sorted({file.package for file in FILES}):
            importlib.import_module(f"{out.name}.{package}")
        pool: Any = importlib.import_module(f"{out.name}.message_pool").default_message_pool
        yield {url.rpartition("/")[2]: cls for url, cls in pool.url_to_type.items()}
    finally:
        sys.path.remove(str(root))
        for name in [name for name in sys.modules if name.startswith(out.name)]:
            del sys.modules[name]


def declared(cls: Any) -> dict[int, tuple[object, ...]]:
    """Return what a class says about each field, by number."""
    fields: dict[int, tuple[object, ...]] = {}
    for meta in cls._betterproto.meta_by_field_name.values():
        entry = tuple(part.proto_type for part in meta.map_meta) if meta.map_meta else None
        fields[meta.number] = (meta.proto_type, entry, meta.group, bool(meta.optional), bool(meta.repeated))
    return fields


@pytest.mark.parametrize(
    "message", [m for file in FILES for m in file.messages], ids=lambda message: message.proto_name
)
def test_fields(theirs: Mapping[str, Any], message: Any) -> None:
    """Number, type, types of a map, oneof and cardinality are the same."""
    module = importlib.import_module(f"srv_protocol._gen.{message.ref.module}")
    ours = getattr(module, message.ref.name)
    assert issubclass(ours, betterproto2.Message)
    assert declared(ours) == declared(theirs[message.proto_name])


def test_messages(theirs: Mapping[str, Any]) -> None:
    """There are the same messages."""
    assert sorted(message.proto_name for file in FILES for message in file.messages) == sorted(theirs)


@pytest.mark.parametrize("enum", [enum for file in FILES for enum in file.enums], ids=lambda enum: enum.proto_name)
def test_enums(enum: Any) -> None:
    """Members go by their protobuf names, in the order of the file."""
    module = importlib.import_module(f"srv_protocol._gen.{enum.ref.module}")
    ours = getattr(module, enum.ref.name)
    assert [(member.name, member.value) for member in ours] == [(value.name, value.number) for value in enum.values]

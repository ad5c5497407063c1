"""Runs the pinned protoc."""

from __future__ import annotations

import tempfile
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc  # pyright: ignore[reportMissingTypeStubs]  # it has none

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class ProtocError(Exception):
    """protoc refused the files; it has written why to standard error."""


def compile_protos(root: Path, files: Sequence[str]) -> FileDescriptorSet:
    """Return the descriptors of `files` (paths below `root`), imports first, with their comments.

    Raises:
        ProtocError: a file is wrong.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "descriptors.bin")
        include = resources.files("grpc_tools") / "_proto"
        arguments = ["protoc", f"-I{root}", f"-I{include}", "--include_imports", "--include_source_info"]
        main: Callable[[list[str]], int] = protoc.main  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # untyped
        if main([*arguments, f"--descriptor_set_out={out}", *files]) != 0:
            message = f"protoc failed on {', '.join(files)}"
            raise ProtocError(message)
        return FileDescriptorSet.FromString(out.read_bytes())


def protoc_version() -> str:
    """Return the version of the package that bundles protoc."""
    return f"grpcio-tools {metadata.version('grpcio-tools')}"

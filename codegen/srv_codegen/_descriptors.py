"""IR -> the file descriptors that gRPC server reflection hands out."""

from __future__ import annotations

from base64 import b64encode
from textwrap import wrap
from typing import TYPE_CHECKING

from srv_codegen._module import Module

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srv_codegen._ir import File


def render_descriptors(files: Sequence[File], tools: str) -> Module:
    """Return the module with the serialised descriptor of each file, and which file has which symbol."""
    module = Module("descriptors", "every .proto file", tools)
    module.document("File descriptors for gRPC server reflection.")
    decode = module.use("base64", "b64decode")
    for name in ("DEPENDENCIES", "FILES", "SERVICES", "SYMBOLS"):
        module.export(name)
    module.add("", "FILES = {")
    for file in files:
        lines = "\n".join(f'        "{line}"' for line in wrap(b64encode(file.descriptor).decode(), 100))
        module.add(f'    "{file.path}": {decode}(\n{lines}\n    ),')
    module.add("}", '"""Path -> serialised FileDescriptorProto."""', "", "DEPENDENCIES = {")
    module.add(*(f'    "{file.path}": {file.dependencies!r},' for file in files))
    module.add("}", '"""Path -> the paths that it imports."""', "", "SYMBOLS = {")
    module.add(*(f'    "{name}": "{file.path}",' for file in files for name in _symbols(file)))
    module.add("}", '"""Full name of a service, method, message or enum -> the path that defines it."""', "")
    services = [service.proto_name for file in files for service in file.services]
    module.add(f"SERVICES = {services!r}", '"""Full names of the services."""')
    return module


def _symbols(file: File) -> list[str]:
    names = [message.proto_name for message in file.messages]
    names += [enum.proto_name for enum in file.enums]
    for service in file.services:
        names.append(service.proto_name)
        names += [f"{service.proto_name}.{method.name}" for method in service.methods]
    return sorted(names)

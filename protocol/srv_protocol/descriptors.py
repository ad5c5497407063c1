"""The serialised descriptors of the .proto files, for reflection."""

from __future__ import annotations

from srv_protocol._gen.descriptors import DEPENDENCIES, FILES, SERVICES, SYMBOLS

__all__ = ["DEPENDENCIES", "FILES", "SERVICES", "SYMBOLS"]

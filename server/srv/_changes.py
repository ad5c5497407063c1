"""What clients may change of a running server, as values that can be handed on to other processes."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class Load(msgspec.Struct, frozen=True, tag=True):
    """Load a model; the files among the parameters are bytes."""

    name: str
    parameters: dict[str, object]


class Unload(msgspec.Struct, frozen=True, tag=True):
    """Unload a model."""

    name: str
    parameters: dict[str, object]


class ChangeTrace(msgspec.Struct, frozen=True, tag=True):
    """Change trace settings of a model, or of all (``""``)."""

    changes: dict[str, list[str] | None]
    model: str = ""


class ChangeLog(msgspec.Struct, frozen=True, tag=True):
    """Change log settings."""

    changes: dict[str, object]


class Register(msgspec.Struct, frozen=True, tag=True):
    """Map a region of shared memory."""

    name: str
    key: str
    offset: int
    byte_size: int


class Unregister(msgspec.Struct, frozen=True, tag=True):
    """Forget a region of shared memory, or all of them (``""``)."""

    name: str


Change: TypeAlias = Load | Unload | ChangeTrace | ChangeLog | Register | Unregister

"""Enumerations whose members are text."""

from __future__ import annotations

import enum


class TextEnum(str, enum.Enum):  # noqa: UP042  # enum.StrEnum, which Python 3.10 does not have
    """As ``enum.StrEnum``: each member is its value, printed and formatted as that."""

    __str__ = str.__str__

    def __format__(self, format_spec: str) -> str:
        """Return what the text's own gives."""
        return str.__format__(self, format_spec)

"""Codecs that installed packages offer, by entry points of the groups ``srv.input_codecs`` and ``srv.request_codecs``.

Source: PyPA, "Entry points specification". The entry's name is the content type, what it points to is the codec.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def find_entry_points(group: str) -> dict[str, tuple[EntryPoint, ...]]:
    """Return the entry points of a group by name; imports none of what they point to."""
    found: dict[str, dict[tuple[str, str], EntryPoint]] = {}
    for entry in entry_points(group=group):
        # A distribution that is on the path twice, as an editable one may be, is one.
        found.setdefault(entry.name, {})[entry.value, _distribution(entry)] = entry
    return {name: tuple(entries.values()) for name, entries in found.items()}


def show_entry_point(entry: EntryPoint) -> str:
    """Return what an entry point is called in errors: ``pkg.mod:Codec of my-package``."""
    return f"{entry.value} of {_distribution(entry)}"


def offers(entry: EntryPoint, codec: type[object]) -> bool:
    """Whether a class is from the package that an entry point points into, which may register it as well."""
    return entry.module.partition(".")[0] == codec.__module__.partition(".")[0]


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else "an unknown package"

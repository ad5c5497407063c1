"""The command line; see ``srv --help``."""

from __future__ import annotations

from srv._cli import main

__all__ = ["main"]

"""JSON text, with msgspec or without."""

from __future__ import annotations

from srv_protocol._json_text import JsonError, find_msgspec, read_json, read_plain, to_builtins, write_json

__all__ = ["JsonError", "find_msgspec", "read_json", "read_plain", "to_builtins", "write_json"]

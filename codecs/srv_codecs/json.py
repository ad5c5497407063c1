"""JSON bodies, read strictly."""

from __future__ import annotations

from srv_codecs._envelope import explain, parse_json

__all__ = ["explain", "parse_json"]

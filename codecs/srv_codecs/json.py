"""JSON bodies, read strictly."""

from __future__ import annotations

from srv_codecs._envelope import parse_json

__all__ = ["parse_json"]

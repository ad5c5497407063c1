"""Tensors on their way to another process of the same machine, as they are."""

from __future__ import annotations

from srv_codecs._handover import ALIGNMENT, Bundle, pack_data, unpack_data

__all__ = ["ALIGNMENT", "Bundle", "pack_data", "unpack_data"]

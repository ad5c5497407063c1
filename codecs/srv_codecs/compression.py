"""Content encodings of HTTP bodies."""

from __future__ import annotations

from srv_codecs._compression import ENCODINGS, IDENTITY, choose_encoding, compress, decompress

__all__ = ["ENCODINGS", "IDENTITY", "choose_encoding", "compress", "decompress"]

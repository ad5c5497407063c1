"""Free-form JSON of language models <-> inference messages."""

from __future__ import annotations

from srv_codecs._generate import ExpectedInput, GenerateBody, decode_generate, encode_generate, parse_generate

__all__ = ["ExpectedInput", "GenerateBody", "decode_generate", "encode_generate", "parse_generate"]

"""V2 bodies of HTTP: JSON with an optional binary tail."""

from __future__ import annotations

from srv_codecs._rest import (
    HEADER_LENGTH,
    EncodedBody,
    OutputForms,
    decode_request,
    encode_response,
    parse_header_length,
)

__all__ = ["HEADER_LENGTH", "EncodedBody", "OutputForms", "decode_request", "encode_response", "parse_header_length"]

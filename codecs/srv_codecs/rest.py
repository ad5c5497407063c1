"""V2 bodies of HTTP <-> inference messages."""

from __future__ import annotations

from srv_codecs._forms import OutputForms
from srv_codecs._raw_request import decode_raw_request
from srv_codecs._rest import (
    HEADER_LENGTH,
    EncodedBody,
    decode_request,
    encode_response,
    parse_header_length,
)
from srv_codecs._rest_client import decode_response, encode_request

__all__ = [
    "HEADER_LENGTH",
    "EncodedBody",
    "OutputForms",
    "decode_raw_request",
    "decode_request",
    "decode_response",
    "encode_request",
    "encode_response",
    "parse_header_length",
]

"""Codecs: how tensors and requests are presented to a runtime, and ``decode_args``.

The codecs of pandas and Arrow import their packages when they are first named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from srv_codecs import content_types
from srv_codecs.content_types import (
    Base64Codec,
    DatetimeCodec,
    InputCodec,
    JsonCellsCodec,
    NumpyCodec,
    NumpyRequestCodec,
    RequestCodec,
    StringCodec,
    StringRequestCodec,
    get_decoded,
    get_decoded_or_raw,
    has_decoded,
    register_input_codec,
    register_request_codec,
)
from srv_codecs.hints import Output, decode_args

if TYPE_CHECKING:
    from srv_codecs.content_types import ArrowBatchCodec, ArrowCodec, ArrowTableCodec, PandasCodec

__all__ = [
    "ArrowBatchCodec",
    "ArrowCodec",
    "ArrowTableCodec",
    "Base64Codec",
    "DatetimeCodec",
    "InputCodec",
    "JsonCellsCodec",
    "NumpyCodec",
    "NumpyRequestCodec",
    "Output",
    "PandasCodec",
    "RequestCodec",
    "StringCodec",
    "StringRequestCodec",
    "decode_args",
    "get_decoded",
    "get_decoded_or_raw",
    "has_decoded",
    "register_input_codec",
    "register_request_codec",
]


def __getattr__(name: str) -> object:
    if name in __all__:
        return getattr(content_types, name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)

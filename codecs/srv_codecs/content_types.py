"""How tensors and requests are presented to a runtime: codecs, and where they are found.

The codecs of pandas and Arrow are loaded, and their packages imported, when they are first named.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from srv_codecs._base64 import Base64Codec
from srv_codecs._codec import InputCodec, RequestCodec
from srv_codecs._content_types import (
    decode_tensor,
    find_input_codec,
    find_request_codec,
    get_decoded,
    get_decoded_or_raw,
    has_decoded,
)
from srv_codecs._datetime import DatetimeCodec
from srv_codecs._json_cells import JsonCellsCodec
from srv_codecs._numpy import NumpyCodec, NumpyRequestCodec
from srv_codecs._registry import (
    AnyInputCodec,
    AnyRequestCodec,
    CodecRegistry,
    LazyCodec,
    codec_package,
    codec_scope,
    input_codecs,
    load_offered_codecs,
    register_input_codec,
    register_request_codec,
    release_codecs,
    request_codecs,
)
from srv_codecs._string import StringCodec, StringRequestCodec

if TYPE_CHECKING:
    from srv_codecs._arrow import ArrowBatchCodec, ArrowCodec, ArrowTableCodec
    from srv_codecs._pandas import PandasCodec

__all__ = [
    "AnyInputCodec",
    "AnyRequestCodec",
    "ArrowBatchCodec",
    "ArrowCodec",
    "ArrowTableCodec",
    "Base64Codec",
    "CodecRegistry",
    "DatetimeCodec",
    "InputCodec",
    "JsonCellsCodec",
    "LazyCodec",
    "NumpyCodec",
    "NumpyRequestCodec",
    "PandasCodec",
    "RequestCodec",
    "StringCodec",
    "StringRequestCodec",
    "codec_package",
    "codec_scope",
    "decode_tensor",
    "find_input_codec",
    "find_request_codec",
    "get_decoded",
    "get_decoded_or_raw",
    "has_decoded",
    "input_codecs",
    "load_offered_codecs",
    "register_input_codec",
    "register_request_codec",
    "release_codecs",
    "request_codecs",
]

_LAZY: Final = {
    "ArrowBatchCodec": "srv_codecs._arrow",
    "ArrowCodec": "srv_codecs._arrow",
    "ArrowTableCodec": "srv_codecs._arrow",
    "PandasCodec": "srv_codecs._pandas",
}


def __getattr__(name: str) -> object:
    module = _LAZY.get(name)
    if module is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(importlib.import_module(module), name)

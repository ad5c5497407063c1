"""A typed ``predict``: type hints -> codecs, resolved once."""

from __future__ import annotations

from srv_codecs._decode_args import decode_args, signature_of
from srv_codecs._output import Output
from srv_codecs._signature import Argument, ImpliedInput, Signature, takes_headers

__all__ = ["Argument", "ImpliedInput", "Output", "Signature", "decode_args", "signature_of", "takes_headers"]

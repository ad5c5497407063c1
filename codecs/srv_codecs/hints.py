"""A typed ``predict``: type hints -> codecs, resolved once."""

from __future__ import annotations

from srv_codecs._decode_args import decode_args, signature_of
from srv_codecs._fields import fields_of
from srv_codecs._output import Output
from srv_codecs._signature import Argument, Signature, SignatureSummary
from srv_codecs._tensor_form import ImpliedTensor
from srv_codecs._type_hints import expand, resolve_hints, show

__all__ = [
    "Argument",
    "ImpliedTensor",
    "Output",
    "Signature",
    "SignatureSummary",
    "decode_args",
    "expand",
    "fields_of",
    "resolve_hints",
    "show",
    "signature_of",
]

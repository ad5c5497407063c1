"""The names of ``mlserver.codecs.json`` and ``.string``: text and JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from srv_protocol.inference import InferInputTensor, InferOutputTensor

__all__ = [
    "JSONEncoderWithArray",
    "decode_from_bytelike_json_to_dict",
    "decode_json_input_or_output",
    "decode_str",
    "encode_str",
    "encode_to_json",
    "encode_to_json_bytes",
]


def encode_str(elem: str) -> bytes:
    """Return text as UTF-8."""
    return elem.encode()


def decode_str(encoded: str | bytes, str_codec: str = "utf-8") -> str:
    """Return bytes as text; text as it is."""
    return encoded if isinstance(encoded, str) else encoded.decode(str_codec)


def encode_to_json(v: object, use_bytes: bool = True) -> str | bytes:  # noqa: FBT001, FBT002  # MLServer's signature
    """Return a value as compact JSON, arrays as lists.

    Raises:
        TypeError, ValueError: it has no JSON form, as NaN has none.
    """
    text = json.dumps(v, ensure_ascii=False, allow_nan=False, separators=(",", ":"), cls=JSONEncoderWithArray)
    return text.encode() if use_bytes else text


def encode_to_json_bytes(v: object) -> bytes:
    """Return a value as compact JSON; bytes are UTF-8 text.

    Raises:
        TypeError, ValueError: it has no JSON form, as NaN has none.
    """
    return json.dumps(v, ensure_ascii=False, allow_nan=False, separators=(",", ":"), cls=_BytesEncoder).encode()


def decode_from_bytelike_json_to_dict(v: bytes | str) -> Any:
    """Return what JSON holds.

    Raises:
        ValueError: it is no JSON.
    """
    return json.loads(v)


def decode_json_input_or_output(input_or_output: InferInputTensor | InferOutputTensor) -> list[Any]:
    """Return what the elements of a tensor, each of which is JSON text, hold.

    Raises:
        ValueError: one is no JSON.
    """
    return [json.loads(cast("str | bytes", each)) for each in input_or_output.data]


class JSONEncoderWithArray(json.JSONEncoder):
    """A JSON encoder that writes arrays as lists, and numpy's scalars as numbers."""

    def default(self, o: object) -> object:
        """Return a value that JSON has."""
        return cast("object", o.tolist()) if isinstance(o, (np.ndarray, np.generic)) else super().default(o)


class _BytesEncoder(JSONEncoderWithArray):
    def default(self, o: object) -> object:
        return o.decode() if isinstance(o, bytes) else super().default(o)

"""Which codec a tensor or a request asks for: its own content type before that of the model's metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from srv_codecs._registry import input_codecs, request_codecs
from srv_protocol.inference import InferInputTensor, InferOutputTensor

if TYPE_CHECKING:
    from srv_codecs._registry import AnyInputCodec, AnyRequestCodec
    from srv_protocol.inference import ModelInferRequest, Tensor


def find_input_codec(tensor: Tensor, metadata_content_type: str | None = None) -> AnyInputCodec | None:
    """Return the codec that a tensor is to be presented with, ``None`` when nobody asks for one.

    Raises:
        CodecNotFound: no codec has the content type.
        WireError: the tensor's ``content_type`` is no string.
    """
    content_type = tensor.parameters.content_type or metadata_content_type
    noun = "output" if isinstance(tensor, InferOutputTensor) else "input"
    return input_codecs.find(content_type, f"{noun} '{tensor.name}'") if content_type else None


def find_request_codec(request: ModelInferRequest, metadata_content_type: str | None = None) -> AnyRequestCodec | None:
    """Return the codec that a whole request is to be presented with, ``None`` when nobody asks for one.

    Raises:
        CodecNotFound: no codec has the content type.
        WireError: the request's ``content_type`` is no string.
    """
    content_type = request.parameters.content_type or metadata_content_type
    return request_codecs.find(content_type) if content_type else None


def decode_tensor(tensor: Tensor, metadata_content_type: str | None = None) -> tuple[AnyInputCodec, object] | None:
    """Return what a tensor's content type makes of it, and the codec; ``None`` when nobody has asked for one.

    The tensor keeps it: it is decoded once, and request codecs find what the model's metadata has said.

    Raises:
        CodecError: no codec has the content type, or the data is not what the codec takes.
    """
    codec = find_input_codec(tensor, metadata_content_type)
    known = cast("tuple[AnyInputCodec, object] | None", tensor.decoded)
    if codec is not None and (known is None or known[0] is not codec):
        known = tensor.decoded = (codec, _decode(tensor, codec))
    return known


def _decode(tensor: Tensor, codec: AnyInputCodec) -> object:
    if isinstance(tensor, InferOutputTensor):
        return codec.decode_output(tensor)
    assert isinstance(tensor, InferInputTensor)  # noqa: S101  # there are no other tensors
    return codec.decode_input(tensor)


def has_decoded(tensor: Tensor) -> bool:
    """Whether a tensor was decoded by its content type, as it is before a request codec sees it."""
    return tensor.decoded is not None


def get_decoded(tensor: Tensor) -> object:
    """Return what a tensor was decoded to, ``None`` if it was not."""
    return None if tensor.decoded is None else tensor.decoded[1]


def get_decoded_or_raw(tensor: Tensor) -> object:
    """Return what a tensor was decoded to, or its ``data``."""
    return tensor.data if tensor.decoded is None else tensor.decoded[1]

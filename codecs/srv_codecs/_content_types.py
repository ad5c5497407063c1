"""Which codec a tensor or a request asks for: its own content type before that of the model's metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    return input_codecs.find(content_type, f"tensor '{tensor.name}'") if content_type else None


def find_request_codec(request: ModelInferRequest, metadata_content_type: str | None = None) -> AnyRequestCodec | None:
    """Return the codec that a whole request is to be presented with, ``None`` when nobody asks for one.

    Raises:
        CodecNotFound: no codec has the content type.
        WireError: the request's ``content_type`` is no string.
    """
    content_type = request.parameters.content_type or metadata_content_type
    return request_codecs.find(content_type) if content_type else None


def decode_tensor(tensor: Tensor, codec: AnyInputCodec) -> object:
    """Return the value that a codec presents an input, or a client's output, as."""
    if isinstance(tensor, InferOutputTensor):
        return codec.decode_output(tensor)
    assert isinstance(tensor, InferInputTensor)  # noqa: S101  # there are no other tensors
    return codec.decode_input(tensor)

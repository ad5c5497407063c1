"""The base of our own input codecs: how a value is packed and unpacked, whichever way it goes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, TypeVar

from srv_codecs._codec import InputCodec
from srv_codecs._side import RECEIVED_RESPONSE, REQUEST, RESPONSE
from srv_codecs._tensor_form import TensorForm

if TYPE_CHECKING:
    from srv_codecs._packed import Packed
    from srv_codecs._place import Place
    from srv_protocol.inference import InferInputTensor, InferOutputTensor, Tensor

T = TypeVar("T")


class TensorCodec(InputCodec[T], ABC):
    """An input codec whose `pack` and `unpack` check all that they are given.

    Attributes:
        takes: the tensors that it decodes.
        gives: those that it encodes values as.

    Raises:
        CodecError: an input that cannot be encoded or decoded, or an output that cannot be decoded.
        InferenceError: an output that cannot be encoded.
    """

    takes: ClassVar[TensorForm] = TensorForm()
    gives: ClassVar[TensorForm] = TensorForm()

    @classmethod
    @abstractmethod
    def pack(cls, payload: T, place: Place) -> Packed:
        """Return `payload` as a tensor without a name; fail at `place`."""

    @classmethod
    @abstractmethod
    def unpack(cls, tensor: Tensor, place: Place) -> T:
        """Return the value that `tensor` holds; fail at `place`."""

    @classmethod
    def encode_output(cls, name: str, payload: T, *, use_bytes: bool = True) -> InferOutputTensor:
        """Return a response's tensor; without `use_bytes`, BYTES are ``str``, as other JSON encoders want them."""
        return cls._pack(payload, RESPONSE.place(name), use_bytes=use_bytes).as_output(name)

    @classmethod
    def encode_input(cls, name: str, payload: T, *, use_bytes: bool = True) -> InferInputTensor:
        """Return a request's tensor; `use_bytes` as for :meth:`encode_output`."""
        return cls._pack(payload, REQUEST.place(name), use_bytes=use_bytes).as_input(name)

    @classmethod
    def decode_input(cls, request_input: InferInputTensor) -> T:
        """Return the value that a request's tensor holds."""
        return cls.unpack(request_input, REQUEST.place(request_input.name))

    @classmethod
    def decode_output(cls, response_output: InferOutputTensor) -> T:
        """Return the value that a response's tensor holds."""
        return cls.unpack(response_output, RECEIVED_RESPONSE.place(response_output.name))

    @classmethod
    def _pack(cls, payload: T, place: Place, *, use_bytes: bool) -> Packed:
        packed = cls.pack(payload, place)
        return packed if use_bytes else packed.as_text(place)

"""The base of our own request codecs: a value <-> the tensors of a whole message."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, TypeVar, cast

from srv_codecs._codec import RequestCodec
from srv_codecs._side import RECEIVED_RESPONSE, REQUEST, RESPONSE
from srv_protocol.errors import CodecError
from srv_protocol.inference import ModelInferRequest, ModelInferResponse, Parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from srv_codecs._packed import Packed
    from srv_codecs._side import Side
    from srv_codecs._tensor_codec import TensorCodec
    from srv_protocol.inference import InferInputTensor, InferOutputTensor, Tensor

T = TypeVar("T")


class TableCodec(RequestCodec[T], ABC):
    """A request codec whose `pack` and `unpack` check all that they are given.

    Raises:
        CodecError: a request that cannot be encoded or decoded, or a response that cannot be decoded.
        InferenceError: a response that cannot be encoded.
    """

    @classmethod
    @abstractmethod
    def pack(cls, payload: T, side: Side) -> Iterable[tuple[str, Packed]]:
        """Return the tensors that hold `payload`, each with its name."""

    @classmethod
    @abstractmethod
    def unpack(cls, tensors: Sequence[Tensor], side: Side) -> T:
        """Return the value that `tensors` hold."""

    @classmethod
    def encode_response(
        cls, model_name: str, payload: T, model_version: str | None = None, *, use_bytes: bool = True
    ) -> ModelInferResponse:
        """Return a model's response; without `use_bytes`, BYTES are ``str``, as other JSON encoders want them."""
        outputs = [packed.as_output(name) for name, packed in cls._pack(payload, RESPONSE, use_bytes=use_bytes)]
        return ModelInferResponse(
            model_name, model_version, parameters=Parameters(content_type=cls.ContentType), outputs=outputs
        )

    @classmethod
    def encode_request(cls, payload: T, *, use_bytes: bool = True) -> ModelInferRequest:
        """Return a request that holds `payload`; `use_bytes` as for :meth:`encode_response`."""
        inputs = [packed.as_input(name) for name, packed in cls._pack(payload, REQUEST, use_bytes=use_bytes)]
        return ModelInferRequest(parameters=Parameters(content_type=cls.ContentType), inputs=inputs)

    @classmethod
    def decode_request(cls, request: ModelInferRequest) -> T:
        """Return the value that a request holds."""
        return cls.unpack(request.inputs, REQUEST)

    @classmethod
    def decode_response(cls, response: ModelInferResponse) -> T:
        """Return the value that a response holds."""
        return cls.unpack(response.outputs, RECEIVED_RESPONSE)

    @classmethod
    def encode_outputs(cls, payload: T, *, use_bytes: bool = True) -> list[InferOutputTensor]:
        """Return the tensors of a response alone."""
        return cls.encode_response("", payload, use_bytes=use_bytes).outputs

    @classmethod
    def encode_inputs(cls, payload: T, *, use_bytes: bool = True) -> list[InferInputTensor]:
        """Return the tensors of a request alone."""
        return cls.encode_request(payload, use_bytes=use_bytes).inputs

    @classmethod
    def _pack(cls, payload: T, side: Side, *, use_bytes: bool) -> Iterable[tuple[str, Packed]]:
        packed = cls.pack(payload, side)
        return packed if use_bytes else ((name, each.as_text(side.place(name))) for name, each in packed)


class SingleTensorCodec(TableCodec[T]):
    """A request of exactly one tensor, named ``input-1``, and a response of one, ``output-1``.

    A tensor that was decoded before, as its own content type says, is left as it is.
    """

    @classmethod
    @abstractmethod
    def tensor_codec(cls) -> type[TensorCodec[T]]:
        """Return the codec of the one tensor."""

    @classmethod
    def can_encode(cls, payload: object) -> bool:
        """Whether the tensor's codec encodes `payload`."""
        return cls.tensor_codec().can_encode(payload)

    @classmethod
    def pack(cls, payload: T, side: Side) -> Iterable[tuple[str, Packed]]:
        """Return the one tensor."""
        name = f"{side.noun}-1"
        return [(name, cls.tensor_codec().pack(payload, side.place(name)))]

    @classmethod
    def unpack(cls, tensors: Sequence[Tensor], side: Side) -> T:
        """Return the value of the one tensor."""
        if len(tensors) != 1:
            names = ", ".join(f"'{tensor.name}'" for tensor in tensors) or "none"
            raise CodecError(f"content type '{cls.ContentType}' expects exactly one {side.noun}, got {names}")
        (tensor,) = tensors
        if tensor.decoded is not None:
            # As the tensor's own content type has it, which may be no T: it says more than that of the request.
            return cast("T", tensor.decoded[1])
        return cls.tensor_codec().unpack(tensor, side.place(tensor.name))

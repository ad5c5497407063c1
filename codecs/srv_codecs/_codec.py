"""The two kinds of codec, with the interface of MLServer's: subclass one and register it.

An :class:`InputCodec` presents one tensor to the runtime, a :class:`RequestCodec` all tensors of a request.
"""

from __future__ import annotations

import warnings
from typing import ClassVar, Generic, TypeVar

from srv_protocol.errors import CodecError, InferenceError
from srv_protocol.inference import InferInputTensor, InferOutputTensor, ModelInferRequest, ModelInferResponse

T = TypeVar("T")


class InputCodec(Generic[T]):
    """How one tensor becomes a Python value and back.

    A subclass gives `encode_output` and `decode_input`, or one of them for one way only, and `can_encode` where the
    codec is to be found by the type of a value; `encode_input` and `decode_output`, which clients need, follow.

    Attributes:
        ContentType: the name under which requests and metadata ask for the codec.
        TypeHint: the hint under which ``decode_args`` finds it; ``None`` for no hint.
    """

    ContentType: ClassVar[str] = ""
    TypeHint: ClassVar[object] = None

    @classmethod
    def can_encode(cls, payload: object) -> bool:  # noqa: ARG003  # for subclasses
        """Whether `payload` is a value that this codec encodes."""
        return False

    @classmethod
    def encode_output(cls, name: str, payload: T) -> InferOutputTensor:
        """Return a response's tensor that holds `payload`."""
        kind = type(payload).__name__
        raise InferenceError(f"output '{name}': {cls.__name__} does not encode {kind}: it has no encode_output")

    @classmethod
    def decode_input(cls, request_input: InferInputTensor) -> T:
        """Return the value that a request's tensor holds."""
        raise CodecError(f"input '{request_input.name}': {cls.__name__} does not decode: it has no decode_input")

    @classmethod
    def encode_input(cls, name: str, payload: T) -> InferInputTensor:
        """Return a request's tensor that holds `payload`."""
        return _as_input(cls.encode_output(name, payload))

    @classmethod
    def decode_output(cls, response_output: InferOutputTensor) -> T:
        """Return the value that a response's tensor holds."""
        return cls.decode_input(_as_input(response_output))

    @classmethod
    def encode(cls, name: str, payload: T) -> InferOutputTensor:
        """Call :meth:`encode_output`: MLServer's old name of it, deprecated there too."""
        _warn_of_old_name("encode", "encode_output")
        return cls.encode_output(name, payload)

    @classmethod
    def decode(cls, request_input: InferInputTensor) -> T:
        """Call :meth:`decode_input`: MLServer's old name of it, deprecated there too."""
        _warn_of_old_name("decode", "decode_input")
        return cls.decode_input(request_input)


class RequestCodec(Generic[T]):
    """How all tensors of a request become one Python value, and one value a whole response.

    A subclass gives `encode_response` and `decode_request`, or one of them for one way only, and `can_encode` where the
    codec is to be found by the type of a value; `encode_request` and `decode_response`, which clients need, follow.

    Attributes:
        ContentType: the name under which requests and metadata ask for the codec.
        TypeHint: the hint under which ``decode_args`` finds it; ``None`` for no hint.
    """

    ContentType: ClassVar[str] = ""
    TypeHint: ClassVar[object] = None

    @classmethod
    def can_encode(cls, payload: object) -> bool:  # noqa: ARG003  # for subclasses
        """Whether `payload` is a value that this codec encodes."""
        return False

    @classmethod
    def encode_response(
        cls,
        model_name: str,
        payload: T,
        model_version: str | None = None,  # noqa: ARG003  # for subclasses
    ) -> ModelInferResponse:
        """Return the response of a model that holds `payload`."""
        kind = type(payload).__name__
        raise InferenceError(f"model '{model_name}': {cls.__name__} does not encode {kind}: it has no encode_response")

    @classmethod
    def decode_request(cls, request: ModelInferRequest) -> T:
        """Return the value that a request holds."""
        raise CodecError(f"model '{request.model_name}': {cls.__name__} does not decode: it has no decode_request")

    @classmethod
    def encode_request(cls, payload: T) -> ModelInferRequest:
        """Return a request that holds `payload`."""
        response = cls.encode_response("", payload)
        return ModelInferRequest(
            parameters=response.parameters, inputs=[_as_input(output) for output in response.outputs]
        )

    @classmethod
    def decode_response(cls, response: ModelInferResponse) -> T:
        """Return the value that a response holds."""
        return cls.decode_request(
            ModelInferRequest(
                response.model_name,
                response.model_version,
                response.id,
                response.parameters,
                [_as_input(output) for output in response.outputs],
            )
        )

    @classmethod
    def encode(cls, model_name: str, payload: T, model_version: str | None = None) -> ModelInferResponse:
        """Call :meth:`encode_response`: MLServer's old name of it, deprecated there too."""
        _warn_of_old_name("encode", "encode_response")
        return cls.encode_response(model_name, payload, model_version)

    @classmethod
    def decode(cls, request: ModelInferRequest) -> T:
        """Call :meth:`decode_request`: MLServer's old name of it, deprecated there too."""
        _warn_of_old_name("decode", "decode_request")
        return cls.decode_request(request)


def _warn_of_old_name(old: str, new: str) -> None:
    warnings.warn(f"{old}() is deprecated; use {new}()", DeprecationWarning, stacklevel=3)


def _as_input(output: InferOutputTensor) -> InferInputTensor:
    """Return an output as an input; both share their data and parameters."""
    return InferInputTensor(output.name, output.datatype, output.shape, output.parameters, data=output.data)

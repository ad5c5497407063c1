"""The names of ``mlserver.codecs`` and its sub-modules that srv has no other use for.

MLServer keeps a decoded value on the tensor or request that it came from; so do these functions.
"""

from __future__ import annotations

from types import UnionType
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias, TypeVar, Union, cast, get_args, get_origin

import numpy as np

from srv_codecs import content_types
from srv_codecs.content_types import (
    InputCodec,
    NumpyCodec,
    RequestCodec,
    decode_tensor,
    input_codecs,
    request_codecs,
)
from srv_protocol.datatypes import DATATYPES, Datatype, datatype_of
from srv_protocol.errors import CodecError, CodecNotFound, InferenceError
from srv_protocol.inference import (
    InferInputTensor,
    InferOutputTensor,
    ModelInferRequest,
    ModelInferResponse,
    Parameters,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from srv._model_settings import ModelSettings
    from srv_codecs.content_types import AnyInputCodec, AnyRequestCodec, CodecRegistry
    from srv_protocol.inference import InferRequestedOutputTensor, TensorMetadata

__all__ = [
    "DecodedParameterName",
    "InputCodecLike",
    "InputOrOutput",
    "Parametrised",
    "RequestCodecLike",
    "SingleInputRequestCodec",
    "_encode_data",
    "_save_decoded",
    "_to_ndarray",
    "as_list",
    "decode_inference_request",
    "decode_request_input",
    "encode_inference_response",
    "encode_response_output",
    "find_input_codec",
    "find_input_codec_by_payload",
    "find_input_codec_by_type_hint",
    "find_request_codec",
    "find_request_codec_by_payload",
    "find_request_codec_by_type_hint",
    "get_content_type",
    "get_decoded",
    "get_decoded_or_raw",
    "has_decoded",
    "inject_batch_dimension",
    "is_list_of",
    "to_datatype",
    "to_dtype",
]

DecodedParameterName: Final = "_decoded_payload"

InputOrOutput: TypeAlias = InferInputTensor | InferOutputTensor
Parametrised: TypeAlias = InferInputTensor | ModelInferRequest
InputCodecLike: TypeAlias = "type[InputCodec[Any]]"
RequestCodecLike: TypeAlias = "type[RequestCodec[Any]]"

_C = TypeVar("_C", "AnyInputCodec", "AnyRequestCodec")


# ---- Values that were decoded


def has_decoded(parametrised_obj: Parametrised) -> bool:
    """Whether :func:`get_decoded` has a value."""
    if isinstance(parametrised_obj, ModelInferRequest):
        return DecodedParameterName in vars(parametrised_obj)
    return content_types.has_decoded(parametrised_obj)


def get_decoded(parametrised_obj: Parametrised) -> object:
    """Return the value that a tensor or request was decoded to; ``None`` if it was not."""
    if isinstance(parametrised_obj, ModelInferRequest):
        return vars(parametrised_obj).get(DecodedParameterName)
    return content_types.get_decoded(parametrised_obj)


def get_decoded_or_raw(parametrised_obj: Parametrised) -> object:
    """Return the value that a tensor or request was decoded to; else the tensor's data, or the request itself."""
    if isinstance(parametrised_obj, ModelInferRequest):
        return vars(parametrised_obj).get(DecodedParameterName, parametrised_obj)
    return content_types.get_decoded_or_raw(parametrised_obj)


def _save_decoded(parametrised_obj: Parametrised, decoded_payload: object) -> None:
    # Private in MLServer too; its runtime for Hugging Face uses it.
    if isinstance(parametrised_obj, ModelInferRequest):
        vars(parametrised_obj)[DecodedParameterName] = decoded_payload
    else:
        parametrised_obj.decoded = (None, decoded_payload)


# ---- Codecs by content type or payload


def get_content_type(request: object, metadata: object = None) -> str | None:
    """Return the content type of a tensor or request, else that of its metadata or of a model's settings."""
    for each in (request, metadata):
        found: str | None = getattr(getattr(each, "parameters", None), "content_type", None)
        if found:
            return found
    return None


def find_input_codec(
    content_type: str | None = None, payload: object = None, type_hint: object = None
) -> AnyInputCodec | None:
    """Return the input codec of a content type; without one that of a value, else of a type hint; or ``None``."""
    return _find(input_codecs, content_type, payload, type_hint)


def find_request_codec(
    content_type: str | None = None, payload: object = None, type_hint: object = None
) -> AnyRequestCodec | None:
    """Return the request codec of a content type; without one that of a value, else of a type hint; or ``None``."""
    return _find(request_codecs, content_type, payload, type_hint)


def find_input_codec_by_payload(payload: object) -> AnyInputCodec | None:
    """Return the first input codec that can encode a value, ``None`` if there is none."""
    return input_codecs.find_for(payload)


def find_request_codec_by_payload(payload: object) -> AnyRequestCodec | None:
    """Return the first request codec that can encode a value, ``None`` if there is none."""
    return request_codecs.find_for(payload)


def find_input_codec_by_type_hint(type_hint: object) -> AnyInputCodec | None:
    """Return the first input codec of a type hint, ``None`` if there is none."""
    return _find_by_hint(input_codecs, type_hint)


def find_request_codec_by_type_hint(type_hint: object) -> AnyRequestCodec | None:
    """Return the first request codec of a type hint, ``None`` if there is none."""
    return _find_by_hint(request_codecs, type_hint)


def _find(codecs: CodecRegistry[_C], content_type: str | None, payload: object, type_hint: object) -> _C | None:
    if content_type:
        try:
            return codecs.find(content_type)
        except CodecNotFound:
            return None
    return _find_by_hint(codecs, type_hint) if payload is None else codecs.find_for(payload)


def _find_by_hint(codecs: CodecRegistry[_C], type_hint: object) -> _C | None:
    if type_hint is None:
        return None
    return next((codec for codec in codecs if _spelled(codec.TypeHint) == _spelled(type_hint)), None)


def _spelled(hint: object) -> object:
    """Return what is the same for ``typing.List[str]`` and ``list[str]``."""
    origin: Any = get_origin(hint)
    if origin is None:
        return hint
    # The members of a union have no order.
    members = [_spelled(each) for each in get_args(hint)]
    return (Union, frozenset(members)) if origin in {Union, UnionType} else (origin, tuple(members))


# ---- Whole requests and responses


def decode_request_input(
    request_input: InferInputTensor, metadata_inputs: Mapping[str, TensorMetadata] | None = None
) -> object:
    """Return an input as its content type, or that of its metadata, says; ``None`` if none does. The value is kept.

    Raises:
        CodecNotFound: nobody registered the content type.
        CodecError: the data is not what the codec takes.
    """
    content_type = get_content_type(request_input, (metadata_inputs or {}).get(request_input.name))
    if content_type is None:
        return None
    decode_tensor(request_input, content_type)
    return get_decoded(request_input)


def decode_inference_request(
    inference_request: ModelInferRequest,
    model_settings: ModelSettings | None = None,
    metadata_inputs: Mapping[str, TensorMetadata] | None = None,
) -> object:
    """Decode every input, then the request, by their content types; the values are kept.

    Without a content type of its own, or of the model's settings, the request itself is returned.

    Raises:
        As :func:`decode_request_input`.
    """
    for request_input in inference_request.inputs:
        decode_request_input(request_input, metadata_inputs)
    content_type = get_content_type(inference_request, model_settings)
    if content_type is None:
        return inference_request
    decoded: object = request_codecs.find(content_type).decode_request(inference_request)
    _save_decoded(inference_request, decoded)
    return decoded


def encode_response_output(
    payload: object,
    request_output: InferRequestedOutputTensor,
    metadata_outputs: Mapping[str, TensorMetadata] | None = None,
) -> InferOutputTensor | None:
    """Return a value as the output that was asked for, by content type, else by its type; ``None`` if neither helps.

    Raises:
        CodecNotFound: nobody registered the content type.
        InferenceError: the codec cannot encode the value.
    """
    content_type = get_content_type(request_output, (metadata_outputs or {}).get(request_output.name))
    where = f"output '{request_output.name}'"
    codec = input_codecs.find(content_type, where) if content_type else input_codecs.find_for(payload)
    return None if codec is None else codec.encode_output(request_output.name, payload)


def encode_inference_response(payload: object, model_settings: ModelSettings) -> ModelInferResponse | None:
    """Return a value as a whole response, by its type; ``None`` if no codec takes it.

    Raises:
        InferenceError: the codec cannot encode the value.
    """
    codec = request_codecs.find_for(payload)
    return None if codec is None else codec.encode_response(model_settings.name, payload, model_settings.version)


class SingleInputRequestCodec(RequestCodec[Any]):
    """A request of exactly one tensor, which `InputCodec` presents."""

    InputCodec: ClassVar[AnyInputCodec | None] = None

    @classmethod
    def _tensor_codec(cls) -> AnyInputCodec:
        if cls.InputCodec is None:
            raise CodecError(f"{cls.__qualname__}.InputCodec: expected an input codec, got none")
        return cls.InputCodec

    @classmethod
    def can_encode(cls, payload: object) -> bool:
        """Whether `InputCodec` encodes `payload`."""
        return cls._tensor_codec().can_encode(payload)

    @classmethod
    def encode_response(
        cls, model_name: str, payload: Any, model_version: str | None = None, **options: Any
    ) -> ModelInferResponse:
        """Return a response with one output, ``output-1``; `options` go to the input codec."""
        output = cls._tensor_codec().encode_output("output-1", payload, **options)
        return ModelInferResponse(
            model_name, model_version, parameters=Parameters(content_type=cls.ContentType), outputs=[output]
        )

    @classmethod
    def decode_response(cls, response: ModelInferResponse) -> Any:
        """Return the value that the only output holds."""
        if len(response.outputs) != 1:
            raise CodecError(f"{cls.__name__}: expected exactly one output, got {len(response.outputs)}")
        return cls._tensor_codec().decode_output(response.outputs[0])

    @classmethod
    def encode_request(cls, payload: Any, **options: Any) -> ModelInferRequest:
        """Return a request with one input, ``input-1``; `options` go to the input codec."""
        tensor = cls._tensor_codec().encode_input("input-1", payload, **options)
        return ModelInferRequest(parameters=Parameters(content_type=cls.ContentType), inputs=[tensor])

    @classmethod
    def decode_request(cls, request: ModelInferRequest) -> Any:
        """Return the value that the only input holds."""
        if len(request.inputs) != 1:
            raise CodecError(f"{cls.__name__}: expected exactly one input, got {len(request.inputs)}")
        (request_input,) = request.inputs
        if has_decoded(request_input):
            return get_decoded(request_input)
        return cls._tensor_codec().decode_input(request_input)


# ---- Lists, shapes, datatypes


def is_list_of(payload: object, instance_type: type) -> bool:
    """Whether a value is a list whose items all are of a type."""
    return isinstance(payload, list) and all(isinstance(item, instance_type) for item in cast("list[object]", payload))


def as_list(payload: object) -> Iterable[Any]:
    """Return one text or bytes value in a list; anything else as it is."""
    return [payload] if isinstance(payload, (str, bytes)) else cast("Iterable[Any]", payload)


def inject_batch_dimension(shape: Sequence[int]) -> list[int]:
    """Return a shape of one dimension as that of a column; any other as it is."""
    return [shape[0], 1] if len(shape) == 1 else list(shape)


def to_dtype(input_or_output: InputOrOutput) -> np.dtype[np.generic]:
    """Return the dtype of a tensor's datatype; ``object`` for BYTES.

    Raises:
        CodecError: the datatype is none.
    """
    spec = DATATYPES.get(input_or_output.datatype)
    if spec is None:
        raise CodecError(f"'{input_or_output.name}': unknown datatype {input_or_output.datatype!r}")
    return spec.dtype


def to_datatype(dtype: np.dtype[np.generic]) -> Datatype:
    """Return the datatype that carries a dtype.

    Raises:
        InferenceError: there is none.
    """
    try:
        return datatype_of(np.empty(0, dtype))
    except TypeError as error:
        raise InferenceError(str(error)) from None


def _to_ndarray(input_or_output: InputOrOutput) -> NDArray[np.generic]:
    # Private in MLServer too, as the next one; its runtime for Hugging Face uses both.
    if isinstance(input_or_output, InferInputTensor):
        return NumpyCodec.decode_input(input_or_output)
    return NumpyCodec.decode_output(input_or_output)


def _encode_data(data: NDArray[np.generic], datatype: str) -> list[object]:
    del datatype
    values: list[object] = np.ravel(data).tolist()
    return values

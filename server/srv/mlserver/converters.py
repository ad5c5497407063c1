"""``mlserver.grpc.converters``: here, gRPC's messages and a runtime's types are one; only the data changes its form.

Messages of other generated code are taken too, by way of their bytes.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from srv_codecs.grpc import OutputForms, bind_request, bind_response, lower_request, lower_response
from srv_protocol.inference import (
    ModelInferRequest,
    ModelInferResponse,
    ModelMetadataResponse,
    ServerMetadataResponse,
)
from srv_protocol.message import Message

__all__ = [
    "ModelInferRequestConverter",
    "ModelInferResponseConverter",
    "ModelMetadataResponseConverter",
    "ServerMetadataResponseConverter",
]

_M = TypeVar("_M", bound=Message)


class ProtobufMessage(Protocol):
    """A message of Google's protobuf."""

    def SerializeToString(self) -> bytes:  # noqa: N802  # protobuf's name
        """Return the wire form."""
        ...


def _parsed(kind: type[_M], message: _M | ProtobufMessage) -> _M:
    return message if isinstance(message, kind) else kind.parse(message.SerializeToString())


class ModelInferRequestConverter:
    """Requests."""

    @classmethod
    def to_types(cls, pb_object: ModelInferRequest | ProtobufMessage) -> ModelInferRequest:
        """Return the request with data in its inputs: one of ours is the same object.

        Raw contents become read-only views, typed ones and BYTES new arrays.

        Raises:
            InvalidInput: an input's contents do not fit its description.
        """
        request = _parsed(ModelInferRequest, pb_object)
        if not all(tensor.has_data for tensor in request.inputs):
            bind_request(request)
        return request

    @classmethod
    def from_types(
        cls,
        type_object: ModelInferRequest,
        model_name: str,
        model_version: str | None = None,
        use_raw: bool = False,  # noqa: FBT001, FBT002  # MLServer's signature
    ) -> ModelInferRequest:
        """Return a request to a model whose inputs are in wire form; numbers are views wherever they can be.

        Raises:
            InvalidInput: an input's datatype, shape and data do not belong together.
        """
        lowered = lower_request(type_object, typed=not use_raw)
        lowered.model_name = model_name
        lowered.model_version = model_version or ""
        return lowered


class ModelInferResponseConverter:
    """Responses."""

    @classmethod
    def to_types(cls, pb_object: ModelInferResponse | ProtobufMessage) -> ModelInferResponse:
        """Return the response with data in its outputs: one of ours is the same object.

        Views and copies are as in requests.

        Raises:
            InferenceError: an output's contents do not fit its description.
        """
        response = _parsed(ModelInferResponse, pb_object)
        if not all(tensor.has_data for tensor in response.outputs):
            bind_response(response)
        return response

    @classmethod
    def from_types(
        cls,
        type_object: ModelInferResponse,
        use_raw: bool = False,  # noqa: FBT001, FBT002  # MLServer's signature
    ) -> ModelInferResponse:
        """Return a response whose outputs are in wire form; numbers are views wherever they can be.

        Raises:
            InferenceError: an output's datatype, shape and data do not belong together.
        """
        return lower_response(type_object, OutputForms(), typed=not use_raw)


class ModelMetadataResponseConverter:
    """Metadata of models, whose two forms are one."""

    @classmethod
    def to_types(cls, pb_object: ModelMetadataResponse | ProtobufMessage) -> ModelMetadataResponse:
        """Return the message."""
        return _parsed(ModelMetadataResponse, pb_object)

    @classmethod
    def from_types(cls, type_object: ModelMetadataResponse) -> ModelMetadataResponse:
        """Return the message itself."""
        return type_object


class ServerMetadataResponseConverter:
    """Metadata of servers, whose two forms are one."""

    @classmethod
    def to_types(cls, pb_object: ServerMetadataResponse | ProtobufMessage) -> ServerMetadataResponse:
        """Return the message."""
        return _parsed(ServerMetadataResponse, pb_object)

    @classmethod
    def from_types(cls, type_object: ServerMetadataResponse) -> ServerMetadataResponse:
        """Return the message itself."""
        return type_object

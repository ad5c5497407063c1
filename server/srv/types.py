"""The types that a runtime receives and returns: the generated messages, under the names that MLServer gave them."""

from __future__ import annotations

from srv_protocol.datatypes import Datatype
from srv_protocol.inference import (
    ErrorResponse as InferenceErrorResponse,
)
from srv_protocol.inference import (
    InferInputTensor as RequestInput,
)
from srv_protocol.inference import (
    InferOutputTensor as ResponseOutput,
)
from srv_protocol.inference import (
    InferRequestedOutputTensor as RequestOutput,
)
from srv_protocol.inference import (
    ModelIndex as RepositoryIndexResponseItem,
)
from srv_protocol.inference import (
    ModelInferRequest as InferenceRequest,
)
from srv_protocol.inference import (
    ModelInferResponse as InferenceResponse,
)
from srv_protocol.inference import (
    ModelMetadataResponse as MetadataModelResponse,
)
from srv_protocol.inference import (
    Parameters,
    RepositoryIndexRequest,
    State,
    TensorData,
)
from srv_protocol.inference import (
    RepositoryIndex as RepositoryIndexResponse,
)
from srv_protocol.inference import (
    ServerMetadataResponse as MetadataServerResponse,
)
from srv_protocol.inference import (
    TensorMetadata as MetadataTensor,
)

__all__ = [
    "Datatype",
    "InferenceErrorResponse",
    "InferenceRequest",
    "InferenceResponse",
    "MetadataModelResponse",
    "MetadataServerResponse",
    "MetadataTensor",
    "Parameters",
    "RepositoryIndexRequest",
    "RepositoryIndexResponse",
    "RepositoryIndexResponseItem",
    "RequestInput",
    "RequestOutput",
    "ResponseOutput",
    "State",
    "TensorData",
]

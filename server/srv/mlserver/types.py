"""MLServer's other names for the answer of a request that has failed."""

from __future__ import annotations

from srv_protocol.inference import (
    ErrorResponse as MetadataModelErrorResponse,
)
from srv_protocol.inference import (
    ErrorResponse as MetadataServerErrorResponse,
)
from srv_protocol.inference import (
    ErrorResponse as RepositoryIndexErrorResponse,
)
from srv_protocol.inference import (
    ErrorResponse as RepositoryLoadErrorResponse,
)
from srv_protocol.inference import (
    ErrorResponse as RepositoryUnloadErrorResponse,
)

__all__ = [
    "MetadataModelErrorResponse",
    "MetadataServerErrorResponse",
    "RepositoryIndexErrorResponse",
    "RepositoryLoadErrorResponse",
    "RepositoryUnloadErrorResponse",
]

"""What both protocols can be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from srv.client._answer import Answer
    from srv.client._call import Call, HeaderItems
    from srv_protocol.inference import (
        ModelIndex,
        ModelInferRequest,
        ModelMetadataResponse,
        ModelStatistics,
        ServerMetadataResponse,
    )
    from srv_protocol.model_config import ModelConfig


class Dialect(Protocol):
    """Makes calls, and reads their replies. It does no I/O."""

    def is_live(self) -> Call[bool]: ...

    def is_ready(self) -> Call[bool]: ...

    def is_model_ready(self, model: str, version: str) -> Call[bool]: ...

    def server_metadata(self) -> Call[ServerMetadataResponse]: ...

    def model_metadata(self, model: str, version: str) -> Call[ModelMetadataResponse]: ...

    def model_config(self, model: str, version: str) -> Call[ModelConfig]: ...

    def statistics(self, model: str, version: str) -> Call[list[ModelStatistics]]: ...

    def index(self, *, ready: bool) -> Call[list[ModelIndex]]: ...

    def load(self, model: str, parameters: Mapping[str, object]) -> Call[None]: ...

    def unload(self, model: str, parameters: Mapping[str, object]) -> Call[None]: ...

    def trace_settings(self, model: str, changes: Mapping[str, Sequence[str] | None]) -> Call[dict[str, list[str]]]: ...

    def log_settings(self, changes: Mapping[str, bool | int | str]) -> Call[dict[str, bool | int | str]]: ...

    def infer(self, request: ModelInferRequest, headers: HeaderItems) -> Call[Answer]: ...

    def infer_stream(self, request: ModelInferRequest, headers: HeaderItems) -> Call[Answer]:
        """Return the call whose reply is read once for each response."""
        ...

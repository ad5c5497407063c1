"""The functions of ``mlserver.utils`` that runtimes use; ``get_model_uri`` is in :mod:`srv.settings`."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

from srv_protocol.inference import Headers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srv._model_settings import ModelSettings
    from srv_protocol.inference import ModelInferRequest, ModelInferResponse

__all__ = [
    "extract_headers",
    "generate_uuid",
    "get_import_path",
    "insert_headers",
    "to_absolute_path",
]


def generate_uuid() -> str:
    """Return a new random UUID."""
    return str(uuid.uuid4())


def get_import_path(klass: type) -> str:
    """Return where a class can be imported from: ``module.Class``."""
    return f"{klass.__module__}.{klass.__name__}"


def to_absolute_path(model_settings: ModelSettings, uri: str) -> str:
    """Return a path as seen from the model's folder; without a folder, from the current one."""
    return os.path.join(model_settings.folder or os.getcwd(), uri)  # noqa: PTH109, PTH118  # MLServer's: text, as joined


def insert_headers(inference_request: ModelInferRequest, headers: Mapping[str, str]) -> ModelInferRequest:
    """Put headers into a request's parameters, in place of those that are there, and return the request."""
    inference_request.parameters.headers = Headers(headers)
    return inference_request


def extract_headers(inference_response: ModelInferResponse) -> Headers | None:
    """Take the headers out of a response's parameters, and return them."""
    headers = inference_response.parameters.headers
    inference_response.parameters.headers = None
    return headers

"""Raw and typed contents of gRPC messages."""

from __future__ import annotations

from srv_codecs._forms import OutputForms
from srv_codecs._grpc import bind_request, bind_response, lower_request, lower_response

__all__ = ["OutputForms", "bind_request", "bind_response", "lower_request", "lower_response"]

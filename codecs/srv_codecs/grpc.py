"""Raw and typed contents of gRPC messages."""

from __future__ import annotations

from srv_codecs._grpc import bind_request, lower_response

__all__ = ["bind_request", "lower_response"]

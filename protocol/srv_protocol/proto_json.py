"""Messages of the model configuration as protobuf's JSON, both ways."""

from __future__ import annotations

from srv_protocol._proto_json import from_json, given_fields, to_json

__all__ = ["from_json", "given_fields", "to_json"]

"""Errors of every layer; see the tree in :mod:`srv_protocol._errors`."""

from __future__ import annotations

from srv_protocol._errors import (
    CodecError,
    CodecNotFound,
    ErrorKind,
    InferenceError,
    InputsNotFound,
    InvalidInput,
    LoadError,
    ModelNotFound,
    ModelNotReady,
    OutputNotFound,
    RequestTooLarge,
    SettingsError,
    SrvError,
    Unsupported,
    WireError,
)

__all__ = [
    "CodecError",
    "CodecNotFound",
    "ErrorKind",
    "InferenceError",
    "InputsNotFound",
    "InvalidInput",
    "LoadError",
    "ModelNotFound",
    "ModelNotReady",
    "OutputNotFound",
    "RequestTooLarge",
    "SettingsError",
    "SrvError",
    "Unsupported",
    "WireError",
]

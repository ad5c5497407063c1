"""Errors of every layer; see the tree in :mod:`srv_protocol._errors`."""

from __future__ import annotations

from srv_protocol._errors import (
    AlreadyExists,
    CodecError,
    CodecNotFound,
    DeadlineExceeded,
    ErrorKind,
    InferenceError,
    InputsNotFound,
    InvalidInput,
    LoadError,
    ModelNotFound,
    ModelNotReady,
    NotFound,
    OutputNotFound,
    QueueFull,
    QueueTimeout,
    RequestTooLarge,
    SettingsError,
    SrvError,
    Unsupported,
    WireError,
)

__all__ = [
    "AlreadyExists",
    "CodecError",
    "CodecNotFound",
    "DeadlineExceeded",
    "ErrorKind",
    "InferenceError",
    "InputsNotFound",
    "InvalidInput",
    "LoadError",
    "ModelNotFound",
    "ModelNotReady",
    "NotFound",
    "OutputNotFound",
    "QueueFull",
    "QueueTimeout",
    "RequestTooLarge",
    "SettingsError",
    "SrvError",
    "Unsupported",
    "WireError",
]

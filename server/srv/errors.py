"""The errors that a runtime may raise, and the client sees; see :mod:`srv_protocol.errors` for the tree."""

from __future__ import annotations

from srv_protocol.errors import (
    AlreadyExists,
    CodecError,
    CodecNotFound,
    DeadlineExceeded,
    ErrorKind,
    InferenceError,
    InputsNotFound,
    InvalidInput,
    InvalidModelContext,
    InvalidModelURI,
    LoadError,
    MetricError,
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

MLServerError = SrvError

__all__ = [
    "AlreadyExists",
    "CodecError",
    "CodecNotFound",
    "DeadlineExceeded",
    "ErrorKind",
    "InferenceError",
    "InputsNotFound",
    "InvalidInput",
    "InvalidModelContext",
    "InvalidModelURI",
    "LoadError",
    "MLServerError",
    "MetricError",
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

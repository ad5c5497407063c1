"""Errors of MLServer's that srv has no other use for, or that are constructed in another way.

Their statuses are MLServer's.
"""

from __future__ import annotations

from typing import ClassVar

from srv_protocol import errors
from srv_protocol.errors import ErrorKind, SrvError

__all__ = [
    "EnvironmentNotFound",
    "InferenceError",
    "InvalidBatchingMethod",
    "InvalidMessageHeaders",
    "InvalidModelURI",
    "MetricNotFound",
    "ModelNotReady",
    "ModelParametersMissing",
    "WorkerStop",
]


class InferenceError(errors.InferenceError):
    """A request that the model does not answer. Raised by a runtime it is, as in MLServer, the client's fault: 400."""

    kind: ClassVar[ErrorKind] = ErrorKind.INVALID_ARGUMENT


class InvalidModelURI(errors.InvalidModelURI):
    """A model's artefacts are not where its settings say."""

    status_code = 422

    def __init__(self, name: str, model_uri: str | None = None) -> None:
        where = "" if model_uri is None else f" ({model_uri})"
        super().__init__(f"Invalid URI specified for model {name}{where}")


class ModelNotReady(errors.ModelNotReady):
    """The model cannot answer yet."""

    def __init__(self, name: str, version: str | None = None) -> None:
        of_version = "" if version is None else f" with version {version}"
        super().__init__(f"Model {name}{of_version} is not ready yet.")


class ModelParametersMissing(SrvError):
    """The model's settings lack parameters that the runtime needs."""

    def __init__(self, model_name: str, reason: str | None = None) -> None:
        super().__init__(f"Parameters missing for model {model_name}{'' if reason is None else f' {reason}'}.")


class InvalidMessageHeaders(SrvError):
    """A message lacks headers."""

    status_code = 422

    def __init__(self, missing_headers: object) -> None:
        super().__init__(f"Invalid message headers: missing {missing_headers}")


class InvalidBatchingMethod(SrvError):
    """A method cannot be batched."""

    def __init__(self, method_name: str, reason: str | None = None) -> None:
        super().__init__(f"Method {method_name} can't be used for adaptive batching{f': {reason}' if reason else '.'}")


class _ServerFault(SrvError):
    kind: ClassVar[ErrorKind] = ErrorKind.INTERNAL


class MetricNotFound(_ServerFault):
    """Nobody has registered a metric of that name."""

    def __init__(self, metric_name: str) -> None:
        super().__init__(f"Metric not found: {metric_name}.")


class EnvironmentNotFound(_ServerFault):
    """A model's environment is not there."""

    def __init__(self, model_settings: object, env_hash: str | None = None) -> None:
        name = getattr(model_settings, "name", model_settings)
        super().__init__(f"Environment{f' with hash {env_hash}' if env_hash else ''} not found for model {name}.")


class WorkerStop(_ServerFault):
    """A worker has ended."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(f"Worker ended with exit code {exit_code}.")

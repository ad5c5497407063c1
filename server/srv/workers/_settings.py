"""A model's settings on their way to a worker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from srv._model_parameters import ModelParameters
from srv._model_settings import ModelSettings
from srv.workers._messages import pack_tensors, unpack_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srv._settings import Settings

_PLAIN: Final = ("name", "platform", "versions", "max_batch_size", "max_batch_time", "cache_enabled")
_PARAMETERS: Final = ("uri", "version", "format", "content_type", "extra", "model_extra")
_SERVER: Final = ("debug", "use_structured_logging", "logging_settings", "json_nonfinite")


def pack_settings(settings: ModelSettings) -> dict[str, object]:
    """Return what a runtime may want of its settings, as JSON."""
    return {
        **{name: getattr(settings, name) for name in _PLAIN},
        "implementation": settings.implementation_,
        "inputs": pack_tensors(settings.inputs),
        "outputs": pack_tensors(settings.outputs),
        "source": None if settings.source is None else str(settings.source),
        "parameters": {name: getattr(settings.parameters, name) for name in _PARAMETERS},
    }


def unpack_settings(packed: object) -> ModelSettings:
    """Return the settings."""
    given = cast("Mapping[str, Any]", packed)
    return ModelSettings(
        **{name: given[name] for name in _PLAIN},
        implementation=given["implementation"],
        inputs=unpack_tensors(given["inputs"]),
        outputs=unpack_tensors(given["outputs"]),
        source=None if given["source"] is None else Path(given["source"]),
        parameters=ModelParameters(**given["parameters"]),
    )


def pack_server(settings: Settings) -> dict[str, object]:
    """Return what of the server's settings a worker has to know, as JSON."""
    return {name: getattr(settings, name) for name in _SERVER}

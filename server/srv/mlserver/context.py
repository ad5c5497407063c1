"""The names of ``mlserver.context``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srv._logging import model_context as _model_context
from srv._logging import model_name as model_name_var
from srv._logging import model_version as model_version_var

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from srv._model_settings import ModelSettings

__all__ = ["model_context", "model_name_var", "model_version_var"]


def model_context(model_settings: ModelSettings) -> AbstractContextManager[None]:
    """Mark what is logged inside, and what is counted, as that of a model."""
    return _model_context(model_settings.name, model_settings.version or "")

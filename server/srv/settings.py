"""Settings of the server and of models, and how to read them."""

from __future__ import annotations

from srv._environment import read_environment
from srv._model_parameters import ModelParameters
from srv._model_settings import MODEL_SETTINGS_FILE, ModelSettings
from srv._model_uri import get_model_uri
from srv._settings import SETTINGS_FILE, CORSSettings, Settings, load_settings

__all__ = [
    "MODEL_SETTINGS_FILE",
    "SETTINGS_FILE",
    "CORSSettings",
    "ModelParameters",
    "ModelSettings",
    "Settings",
    "get_model_uri",
    "load_settings",
    "read_environment",
]

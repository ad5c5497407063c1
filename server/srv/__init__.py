"""An inference server for people who write their own model code.

MLModel         the base class of a runtime
decode_args     a typed ``predict``: names are inputs, hints choose codecs
types, codecs, errors, settings
what a runtime works with
rest/, grpc/    the fronts; they only move bytes
"""

from __future__ import annotations

from srv._model import MLModel
from srv._model_settings import ModelParameters, ModelSettings
from srv._settings import Settings
from srv_protocol.inference import Headers

__all__ = ["Headers", "MLModel", "ModelParameters", "ModelSettings", "Settings"]

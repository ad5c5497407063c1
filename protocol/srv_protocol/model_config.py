"""The messages of Triton's model configuration, by their protobuf names."""

from __future__ import annotations

from srv_protocol._gen import model_config as _generated
from srv_protocol._gen.model_config import *  # noqa: F403  # one public name for the generated module
from srv_protocol._gen.model_config_json import ModelConfigView

__all__ = ["ModelConfigView"]
__all__ += _generated.__all__

"""The messages of Triton's model configuration, by their protobuf names."""

from __future__ import annotations

from srv_protocol._gen import model_config as _generated
from srv_protocol._gen.model_config import *  # noqa: F403  # one public name for the generated module

__all__: list[str] = []
__all__ += _generated.__all__

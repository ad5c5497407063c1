"""msgspec views of the inference messages, in the shape of V2 JSON."""

from __future__ import annotations

from srv_protocol._gen import inference_json as _generated
from srv_protocol._gen.inference_json import *  # noqa: F403  # one public name for the generated module

__all__: list[str] = []
__all__ += _generated.__all__

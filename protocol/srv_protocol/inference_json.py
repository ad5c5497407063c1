"""msgspec views of the inference messages, in the shape of V2 JSON."""

from __future__ import annotations

from srv_protocol._gen.inference_json import *  # noqa: F403  # one public name for the generated module
from srv_protocol._gen.inference_json import __all__ as __all__

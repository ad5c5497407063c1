"""The version of the installed distribution."""

from __future__ import annotations

from importlib import metadata
from typing import Final

__version__: Final = metadata.version("srv-inference")

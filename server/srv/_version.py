"""The version of the installed distribution."""

from __future__ import annotations

from importlib import metadata
from typing import Final


def _installed_version() -> str:
    try:
        return metadata.version("srv-inference")
    except metadata.PackageNotFoundError:  # run from a source tree
        return "0+unknown"


__version__: Final = _installed_version()

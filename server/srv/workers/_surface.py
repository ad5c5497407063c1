"""What the process of a model's own environment gets of the server's packages."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path
from typing import Final

from srv._version import __version__

BOOTSTRAP: Final = Path(__file__).with_name("_bootstrap.py")
"""The script that the environment's Python runs."""

PACKAGES: Final = ("srv", "srv_codecs", "srv_protocol")
"""What model code may import."""

PRIVATE: Final = ("betterproto2", "typing_extensions")
"""What these packages need beside numpy, in plain Python; hidden from model code."""


def surface_arguments() -> dict[str, object]:
    """Return what :data:`BOOTSTRAP` is told of the server's packages: those of its arguments that it reads itself."""
    return {
        "packages": {name: str(_place(name)) for name in PACKAGES},
        "private": {name: {"path": str(_place(name)), "version": importlib.metadata.version(name)} for name in PRIVATE},
        "version": __version__,
    }


def _place(name: str) -> Path:
    """Return the folder of an importable package, or the file of a module."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(name, name=name)
    origin = Path(spec.origin)
    return origin.parent if origin.name == "__init__.py" else origin

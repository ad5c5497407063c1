"""What it takes to start an environment's Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

REMOVED: Final = frozenset(
    {
        *("PYTHONPATH", "PYTHONHOME", "PYTHONEXECUTABLE", "PYTHONPLATLIBDIR", "PYTHONUSERBASE", "__PYVENV_LAUNCHER__"),
        *("VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT"),
        *("CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CONDA_PROMPT_MODIFIER", "CONDA_PYTHON_EXE", "CONDA_SHLVL"),
    }
)
"""Variables that lead a Python, or what it starts, into the environment of the server."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """An environment whose Python has been started once.

    Attributes:
        python: the executable and its flags, to which a script and its arguments are added.
        version: of that Python, 3.10 or newer.
        folder: the environment's own; what is in it may be read, and nothing written.
        variables: environment variables that are set for it, ``PATH`` among them, which begins with its ``bin``.
        removed: variables that it must not have from the server, unless `variables` sets them.
    """

    python: tuple[str, ...]
    version: tuple[int, int]
    folder: Path
    variables: Mapping[str, str]
    removed: frozenset[str] = REMOVED

    def environ(self, base: Mapping[str, str]) -> dict[str, str]:
        """Return all environment variables of a process in it that is started by one which has `base`."""
        return {name: value for name, value in base.items() if name not in self.removed} | dict(self.variables)

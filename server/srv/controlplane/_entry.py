"""One version of a model: its state, and its place among the others."""

from __future__ import annotations

import enum
import itertools
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from srv.runtimes._loaded import LoadedModel

# Triton's word for it.
_UNLOADED: Final = "unloaded"
_DIGITS: Final = re.compile("([0-9]+)")


class ModelState(enum.StrEnum):
    """A model's state, in the words of Triton's repository index."""

    UNKNOWN = "UNKNOWN"
    LOADING = "LOADING"
    READY = "READY"
    UNLOADING = "UNLOADING"
    UNAVAILABLE = "UNAVAILABLE"


class ModelEntry:
    """One version of a model: its state, and the runtime while there is one."""

    def __init__(self, name: str, version: str, state: ModelState, reason: str = "") -> None:
        self.name = name
        self.version = version
        self.state = state
        self.reason = reason
        self.loaded: LoadedModel | None = None
        self._unloaded = False

    @property
    def wanted(self) -> bool:
        """Whether the model should be ready; one that somebody unloaded should not."""
        return not self._unloaded

    @property
    def says_ready(self) -> bool:
        """Whether no runtime says of itself that it is not ready."""
        return self.loaded is None or self.loaded.runtime.ready

    @property
    def shown(self) -> tuple[ModelState, str]:
        """The state and the reason that the repository index shows."""
        if self.loaded is None or self.says_ready:
            return self.state, self.reason
        return ModelState.UNAVAILABLE, self.loaded.runner.failure or "its runtime is not ready"

    @property
    def of_version(self) -> str:
        """What texts say behind the model's name."""
        return f" version {self.version}" if self.version else ""

    def set_ready(self, loaded: LoadedModel) -> None:
        """Become ready, with the runtime that answers from now on."""
        self.loaded, self.state, self.reason, self._unloaded = loaded, ModelState.READY, "", False

    def fail(self, reason: str) -> None:
        """Become unavailable for a reason."""
        self.state, self.reason, self._unloaded = ModelState.UNAVAILABLE, reason, False

    def set_unloaded(self) -> None:
        """Become unavailable because somebody wanted it."""
        self.state, self.reason, self._unloaded = ModelState.UNAVAILABLE, _UNLOADED, True


def version_key(version: str) -> tuple[bool, tuple[str | tuple[int, str], ...], str]:
    """Sort versions: words first, then numbers; the digits in both by value, the rest by letter.

    Text and digits alternate, from the first place on, so that any two versions have the same kind in the same place.
    """
    parts = _DIGITS.split(version)
    numbers = tuple(each.lstrip("0") for each in parts[1::2])
    values = [(len(each), each) for each in numbers]
    key = itertools.chain.from_iterable(itertools.zip_longest(parts[::2], values, fillvalue=""))
    return is_number(version), tuple(key)[:-1], version


def is_number(version: str) -> bool:
    """Whether a version is one of Triton's, which are numbers alone."""
    return version.isascii() and version.isdigit()

"""What the running server logs: Triton's "Logging Extension"."""

from __future__ import annotations

import logging
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from srv._logging import enabled_levels, set_iso_times, set_levels
from srv_protocol.errors import InvalidInput, Unsupported

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    LogValue: TypeAlias = bool | int | str

_logger: Final = logging.getLogger("srv")

_LEVELS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "log_info": logging.INFO,
        "log_warning": logging.WARNING,
        "log_error": logging.ERROR,
        "log_verbose_level": logging.DEBUG,
    }
)
_FORMATS: Final = ("default", "ISO8601")
_LARGEST: Final = 2**32 - 1
# Triton's words, but for "int32" of a number that is unsigned.
_KINDS: Final[Mapping[type[LogValue], str]] = MappingProxyType({bool: "boolean", int: "uint32", str: "string"})


class LogSettings:
    """The settings, which begin as the process's logging is set up."""

    def __init__(self) -> None:
        on = enabled_levels()
        self._values: dict[str, LogValue] = {
            "log_file": "",
            "log_info": logging.INFO in on,
            "log_warning": logging.WARNING in on,
            "log_error": logging.ERROR in on,
            "log_verbose_level": int(logging.DEBUG in on),
            "log_format": _FORMATS[0],
        }
        self.on_change: list[Callable[[Mapping[str, LogValue]], None]] = []
        """Called with what has been changed."""

    def settings(self) -> dict[str, LogValue]:
        """Return all of them; `log_file` is empty, as lines go to standard output."""
        return dict(self._values)

    def update(self, changes: Mapping[str, object]) -> None:
        """Change what is logged from now on; all of the changes are made, or none. ``None`` changes nothing.

        Raises:
            InvalidInput: a key is unknown, or a value wrong.
            Unsupported: `log_file` is among them.
        """
        checked = {key: self._check(key, value) for key, value in changes.items() if self._is_given(key, value)}
        if not checked:
            return
        if checked.get("log_error") is False and self._values["log_error"]:
            _logger.error("log_error is switched off: errors are not logged from here on")
        self._values |= checked
        if not checked.keys().isdisjoint(_LEVELS):
            set_levels({level for key, level in _LEVELS.items() if self._values[key]})
        if "log_format" in checked:
            set_iso_times(on=self._values["log_format"] != _FORMATS[0])
        for tell in self.on_change:
            tell(checked)

    def _is_given(self, key: str, value: object) -> bool:
        if key not in self._values:
            raise InvalidInput(f"unknown log setting {key[:40]!r}: expected one of {', '.join(self._values)}")
        return value is not None

    def _check(self, key: str, value: object) -> LogValue:
        if key == "log_file":
            raise Unsupported("log file location can not be updated through network protocol")
        kind = type(self._values[key])
        # By the very type: a boolean is an integer to Python.
        if not isinstance(value, (bool, int, str)) or type(value) is not kind:
            raise InvalidInput(f"expect {_KINDS[kind]} for '{key}', got {value!r:.40}")
        if isinstance(value, int) and not 0 <= value <= _LARGEST:
            raise InvalidInput(f"expect {_KINDS[kind]} for '{key}', got {value}")
        if isinstance(value, str) and value not in _FORMATS:
            raise InvalidInput(f"invalid argument for {key}, got: {value[:40]}")
        return value

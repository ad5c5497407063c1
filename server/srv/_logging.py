"""Logging: one line for each event, of text or of JSON, with the model that it belongs to.

Loggers: ``srv`` (start, stop, settings), ``srv.rest``, ``srv.grpc``, ``srv.model`` (loading and errors of models);
``logging.getLogger(__name__)`` in model code is below ``srv_models``. These log from INFO, or DEBUG with ``debug``;
every other logger from WARNING. Lines go to standard output, where MLServer's do and what containers collect.
"""

from __future__ import annotations

import logging
import logging.config
import sys
from contextvars import ContextVar
from datetime import datetime, timezone
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TextIO

from srv._environment import read_object
from srv.runtimes._importer import PACKAGE
from srv_protocol.errors import SettingsError
from srv_protocol.json_text import write_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from srv._settings import Settings

model_name: Final[ContextVar[str]] = ContextVar("model_name", default="")
"""The model whose code runs in this context; ``""`` outside of any."""

model_version: Final[ContextVar[str]] = ContextVar("model_version", default="")
"""Its version; ``""`` if it has none."""

LEVELS: Final[frozenset[int]] = frozenset((logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG))
"""The levels that can be on and off each for itself; a record belongs to the highest that is not above its own."""

_OURS: Final = ("srv", PACKAGE)
_UTC: Final = timezone.utc  # noqa: UP017  # datetime.UTC, which Python 3.10 does not have


class model_context:  # noqa: N801  # read as the function that it would be, were every request not to enter one
    """Mark what is logged inside as the model's."""

    __slots__ = ("_name", "_tokens", "_version")

    def __init__(self, name: str, version: str = "") -> None:
        self._name = name
        self._version = version

    def __enter__(self) -> None:
        """Begin."""
        self._tokens = model_name.set(self._name), model_version.set(self._version)

    def __exit__(self, *_: object) -> None:
        """End."""
        name, version = self._tokens
        model_version.reset(version)
        model_name.reset(name)


def configure_logging(settings: Settings) -> None:
    """Set up the process's logging; a second call replaces what the first one set up.

    `logging_settings`, a ``logging.config`` dictionary or the path of a JSON file that holds one, is applied last. If
    it has handlers of its own, they stand in for ours; if it has none, it changes levels only. Other than in
    ``logging.config``, loggers that it does not name stay enabled unless it says ``disable_existing_loggers``.

    Raises:
        SettingsError: `logging_settings` cannot be read or applied.
    """
    given = settings.logging_settings
    config = read_object(Path(given)) if isinstance(given, str) else given
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _OurHandler)]:
        root.removeHandler(handler)
    if not (config and config.get("handlers")):
        ours = _OurHandler(sys.stdout)
        ours.setFormatter(_JsonFormatter() if settings.use_structured_logging else _TextFormatter())
        root.addHandler(ours)
    root.setLevel(logging.WARNING)
    _levels.on = LEVELS
    for name in _OURS:
        logging.getLogger(name).setLevel(logging.DEBUG if settings.debug else logging.INFO)
    # Its one line for each REST request is what "debug" promises.
    logging.getLogger("uvicorn.access").setLevel(logging.INFO if settings.debug else logging.WARNING)
    if config:
        try:
            logging.config.dictConfig({"version": 1, "disable_existing_loggers": False} | config)
        except (ValueError, TypeError, AttributeError, ImportError) as error:
            place = given if isinstance(given, str) else "logging_settings"
            cause = f": {error.__cause__}" if error.__cause__ else ""
            raise SettingsError(f"{place}: expected a logging.config dictionary: {error}{cause}") from error


def enabled_levels() -> frozenset[int]:
    """Return those of :data:`LEVELS` at which our loggers log now."""
    lowest = logging.getLogger("srv").getEffectiveLevel()
    return frozenset(level for level in _levels.on if level >= lowest)


def set_levels(levels: AbstractSet[int]) -> None:
    """Log records of our loggers, and of the models' code, at these of :data:`LEVELS` alone."""
    _levels.on = levels
    for name in _OURS:
        logging.getLogger(name).setLevel(min(levels, default=logging.CRITICAL + 1))
    # On handlers, since records of a logger's children do not pass its own filters.
    for handler in _handlers():
        handler.addFilter(_levels)


def set_iso_times(*, on: bool) -> None:
    """Write the time in our lines of text as ISO 8601 has it, in UTC; lines of JSON always have it so."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, _TextFormatter):
            handler.formatter.iso_times = on


def _handlers() -> Iterator[logging.Handler]:
    """Yield the handlers that records of ours come to."""
    yield from logging.getLogger().handlers
    for name in list(logging.root.manager.loggerDict):
        if _is_ours(name):
            yield from logging.getLogger(name).handlers


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] in _OURS


class _Levels(logging.Filter):
    """Lets records of ours through whose level is on; all, until somebody asks for less than their loggers' levels."""

    def __init__(self) -> None:
        super().__init__()
        self.on: AbstractSet[int] = LEVELS

    def filter(self, record: logging.LogRecord) -> bool:
        below = [level for level in LEVELS if level <= record.levelno]
        return max(below, default=logging.DEBUG) in self.on or not _is_ours(record.name)


_levels: Final = _Levels()


if TYPE_CHECKING:
    _StreamHandler = logging.StreamHandler[TextIO]
else:
    _StreamHandler = logging.StreamHandler


class _OurHandler(_StreamHandler):
    """The handler that :func:`configure_logging` adds, so that it knows it again."""


# Everything that moves the cursor or that a terminal or a reader of lines may take for the end of a line. Whoever can
# put a name into a message must not be able to write a line of their own.
_CONTROLS: Final[Mapping[int, str]] = MappingProxyType(
    {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) != "\t"}
    | {ord("\n"): "\\n", ord("\r"): "\\r", 0x2028: "\\u2028", 0x2029: "\\u2029"}
)
_CONTROLS_BUT_NEWLINE: Final[Mapping[int, str]] = MappingProxyType(
    {code: text for code, text in _CONTROLS.items() if code != ord("\n")}
)


class _TextFormatter(logging.Formatter):
    """``time [logger][model:version] LEVEL - message``, on one line; tracebacks below it, indented."""

    iso_times = False

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802  # the base's name
        if not self.iso_times:
            return super().formatTime(record, datefmt)
        return f"{datetime.fromtimestamp(record.created, tz=_UTC).replace(tzinfo=None).isoformat('T', 'milliseconds')}Z"

    def format(self, record: logging.LogRecord) -> str:
        name, version = model_name.get(), model_version.get()
        model = f"[{name}:{version}]" if name and version else f"[{name}]" if name else ""
        line = f"{self.formatTime(record)} [{record.name}]{model} {record.levelname} - {record.getMessage()}"
        lines = [line.translate(_CONTROLS)]
        for text in _details(record):
            lines += [f"    {each}" for each in text.translate(_CONTROLS_BUT_NEWLINE).split("\n")]
        return _encodable("\n".join(lines))


class _JsonFormatter(logging.Formatter):
    """One JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, tz=_UTC),
            "level": record.levelname,
            "logger": _encodable(record.name),
            "message": _encodable(record.getMessage()),
        }
        more = {"model": model_name.get(), "version": model_version.get(), "exception": "\n".join(_details(record))}
        line |= {name: _encodable(text) for name, text in more.items() if text}
        return write_json(line).decode()


_plain: Final = logging.Formatter()


def _details(record: logging.LogRecord) -> list[str]:
    """Return the traceback and the stack that a record carries."""
    details: list[str] = []
    if record.exc_info:
        details.append(_plain.formatException(record.exc_info))
    if record.stack_info:
        details.append(record.stack_info)
    return details


def _encodable(text: str) -> str:
    """Return text that UTF-8 can carry: lone surrogates, as in names of undecodable bytes, are escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")

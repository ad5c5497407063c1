"""Which requests are traced: Triton's "Trace Extension", with settings for all models and for single ones."""

from __future__ import annotations

import asyncio
import enum
import logging
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import msgspec

from srv.tracing._trace_file import Rotation, TraceRecord, TraceWriter
from srv_protocol.errors import InvalidInput, Unsupported

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import TypeAlias

    TraceChanges: TypeAlias = Mapping[str, Sequence[str] | None]
    """Trace settings by key, in text; ``None`` takes a choice back."""

_logger: Final = logging.getLogger("srv")


class TraceLevel(enum.StrEnum):
    """What is traced of a request."""

    TIMESTAMPS = "TIMESTAMPS"
    TENSORS = "TENSORS"


NOT_TRACED: Final[frozenset[TraceLevel]] = frozenset()
"""The levels of a request that is not traced."""

_OFF: Final = "OFF"
_LEVELS: Final[Mapping[str, frozenset[TraceLevel]]] = MappingProxyType(
    {_OFF: NOT_TRACED} | {level.value: frozenset((level,)) for level in TraceLevel}
)
_MODE: Final = "triton"
_INTEGER: Final = re.compile(r"-?[0-9]{1,19}")
_RANGES: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {"trace_rate": (1, 2**32 - 1), "trace_count": (-1, 2**31 - 1), "log_frequency": (0, 2**32 - 1)}
)
"""Key -> the smallest and the largest value; a rate of 0 would be one trace in none."""


class _Values(msgspec.Struct, frozen=True, kw_only=True):
    """What the keys say; the defaults are what a server starts with."""

    trace_level: frozenset[TraceLevel] = NOT_TRACED
    trace_rate: int = 1000
    trace_count: int = -1
    log_frequency: int = 0


_START: Final = _Values()


class _Scope:
    """The settings of all models or of one, and how far sampling has come with them."""

    __slots__ = ("_chosen", "_remaining", "_seen", "_values", "rotation")

    def __init__(self, chosen: Mapping[str, object], base: _Values) -> None:
        self._chosen = chosen
        self._values = msgspec.structs.replace(base, **chosen)
        self._remaining = self._values.trace_count
        self._seen = 0
        self.rotation = Rotation(self._values.log_frequency)

    @property
    def values(self) -> _Values:
        """The settings as they are now: ``trace_count`` is what remains of it."""
        return msgspec.structs.replace(self._values, trace_count=self._remaining)

    @property
    def chosen(self) -> dict[str, object]:
        """Those of the settings that somebody chose here."""
        return {key: getattr(self.values, key) for key in self._chosen}

    @property
    def is_on(self) -> bool:
        """Whether a request may be traced."""
        return bool(self._values.trace_level) and self._remaining != 0

    def sample(self) -> frozenset[TraceLevel]:
        if not self.is_on:
            return NOT_TRACED
        self._seen += 1
        if self._seen % self._values.trace_rate:
            return NOT_TRACED
        if self._remaining > 0:
            self._remaining -= 1
        return self._values.trace_level


class Tracer:
    """Says which requests are traced, and hands their traces to the file. For the event loop's thread alone.

    Without `trace_file` the settings can be read and changed, and nothing is traced.

    Attributes:
        is_active: whether there is a model of which requests may be traced.

    Raises:
        SettingsError: `trace_file` cannot be one.
    """

    def __init__(self, trace_file: Path | None) -> None:
        self._file = "" if trace_file is None else str(trace_file)
        self._writer = None if trace_file is None else TraceWriter(trace_file)
        self._all = _Scope({}, _START)
        self._models: dict[str, _Scope] = {}
        self.is_active = False

    def sample(self, model: str) -> frozenset[TraceLevel]:
        """Return what to trace of a request that has come for a model, nothing for most; this counts the request."""
        return self._scope(model).sample() if self.is_active else NOT_TRACED

    def write(self, record: TraceRecord) -> None:
        """Hand on a trace, without waiting for the file."""
        if self._writer is not None:
            self._writer.put(record, self._scope(record.model_name).rotation)

    async def close(self) -> None:
        """Trace nothing more, and return once every trace is in its file."""
        self.is_active = False
        if self._writer is not None:
            await asyncio.wrap_future(self._writer.close())

    def settings(self, model: str = "") -> dict[str, list[str]]:
        """Return the settings that hold for a model, ``""`` for those of all, in text."""
        values = self._scope(model).values
        return {
            "trace_level": [level.value for level in TraceLevel if level in values.trace_level] or [_OFF],
            "trace_rate": [str(values.trace_rate)],
            "trace_count": [str(values.trace_count)],
            "log_frequency": [str(values.log_frequency)],
            "trace_file": [self._file],
            "trace_mode": [_MODE],
        }

    def update(self, changes: TraceChanges, model: str = "") -> None:
        """Change the settings of a model, ``""`` for those of all; all of the changes are made, or none.

        A model has the settings of all where it has no choice of its own, and ``None`` takes a choice back: that of a
        model to the settings of all, that for all to those that the server started with. Sampling begins anew.

        Raises:
            InvalidInput: a key is unknown, or a value wrong.
            Unsupported: ``trace_file`` is among them.
        """
        parsed = {key: _parse(key, values) for key, values in changes.items()}
        if not parsed:
            return
        if model:
            self._choose(model, parsed)
        else:
            self._all = _Scope(_merged(self._all.chosen, parsed), _START)
            for name in list(self._models):
                self._choose(name, {})
        is_on = any(scope.is_on for scope in (self._all, *self._models.values()))
        self.is_active = is_on and self._writer is not None
        if self._writer is None and parsed.get("trace_level"):
            _logger.warning("trace_level is on, and nothing is traced: the setting trace_file names no file")

    def _choose(self, model: str, parsed: Mapping[str, object]) -> None:
        current = self._models.pop(model, None)
        chosen = _merged({} if current is None else current.chosen, parsed)
        if chosen:
            self._models[model] = _Scope(chosen, self._all.values)

    def _scope(self, model: str) -> _Scope:
        return self._models.get(model, self._all)


def _merged(chosen: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in {**chosen, **changes}.items() if value is not None}


def _parse(key: str, values: Sequence[str] | None) -> object:
    """Return what a key's text says; ``None`` stays ``None``. The words are Triton's, which lets some of it pass."""
    if key == "trace_file":
        raise Unsupported("trace file location can not be updated through network protocol")
    if key not in _Values.__struct_fields__:
        known = ", ".join(_Values.__struct_fields__)
        raise InvalidInput(f"unknown trace setting {key[:40]!r}: expected one of {known}")
    if values is None:
        return None
    return _parse_levels(values) if key == "trace_level" else _parse_integer(key, values)


def _parse_levels(values: Sequence[str]) -> frozenset[TraceLevel]:
    if not values:
        raise InvalidInput("trace_level: expected at least one level, got none")
    for value in values:
        if value not in _LEVELS:
            raise InvalidInput(f"Unsupported trace level {value[:40]!r}: expected one of {', '.join(_LEVELS)}")
    if _OFF in values and len(values) > 1:
        raise InvalidInput("Expect only one trace level 'OFF' is specified")
    return NOT_TRACED.union(*(_LEVELS[value] for value in values))


def _parse_integer(key: str, values: Sequence[str]) -> int:
    if len(values) != 1:
        raise InvalidInput(f"expect only 1 value for '{key}', got {len(values)}")
    (text,) = values
    if not _INTEGER.fullmatch(text):
        raise InvalidInput(f"Unable to parse '{key}', got: {text[:40]}")
    low, high = _RANGES[key]
    number = int(text)
    if number < low:
        raise InvalidInput(f"Unable to parse '{key}'. Expecting value >= {low}, got: {number}")
    if number > high:
        raise InvalidInput(f"Unable to parse '{key}', value is out of range [ {low}, {high} ], got: {number}")
    return number

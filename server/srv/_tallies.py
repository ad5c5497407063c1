"""Counters for the event loop's thread alone, and the families that prometheus-client renders of them.

prometheus-client's own take a lock for each number: eight of them cost a request 6 us, these 1.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, Final, Protocol, cast

from prometheus_client import Histogram
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, SummaryMetricFamily
from prometheus_client.utils import floatToGoString  # pyright: ignore[reportUnknownVariableType]  # untyped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Labels = Sequence[str]

_BOUNDS: Final = Histogram.DEFAULT_BUCKETS
_BOUND_TEXTS: Final = tuple(map(cast("Callable[[float], str]", floatToGoString), _BOUNDS))


class Tally:
    """A number of events."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class Durations:
    """A number of events, and the seconds that they took in all."""

    __slots__ = ("count", "seconds")

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count an event."""
        self.count += 1
        self.seconds += seconds


class DurationBuckets:
    """Events by the seconds that each took, in prometheus-client's default buckets."""

    __slots__ = ("_counts", "_seconds")

    def __init__(self) -> None:
        self._counts = [0] * len(_BOUNDS)
        self._seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count an event."""
        # The last bound is infinity.
        self._counts[bisect_left(_BOUNDS, seconds)] += 1
        self._seconds += seconds

    @property
    def count(self) -> int:
        """The number of events."""
        return sum(self._counts)

    @property
    def seconds(self) -> float:
        """The seconds that they took in all."""
        return self._seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Return the number of events up to each bound, as the text format has them."""
        return list(zip(_BOUND_TEXTS, accumulate(self._counts), strict=True))


class Counted(Protocol):
    """Whatever counts events."""

    @property
    def count(self) -> int:
        """The number of events."""
        ...


def counter(name: str, text: str, labels: Labels, tallies: Iterable[tuple[Labels, Counted]]) -> CounterMetricFamily:
    """Return tallies, each with the values of its labels, as a counter."""
    family = CounterMetricFamily(name, text, labels=labels)
    for values, tally in tallies:
        family.add_metric(values, tally.count)
    return family


def summary(name: str, text: str, labels: Labels, all_: Iterable[tuple[Labels, Durations]]) -> SummaryMetricFamily:
    """Return durations, each with the values of its labels, as a summary."""
    family = SummaryMetricFamily(name, text, labels=labels)
    for values, durations in all_:
        family.add_metric(values, durations.count, durations.seconds)
    return family


def histogram(
    name: str, text: str, labels: Labels, all_: Iterable[tuple[Labels, DurationBuckets]]
) -> HistogramMetricFamily:
    """Return buckets, each with the values of its labels, as a histogram."""
    family = HistogramMetricFamily(name, text, labels=labels)
    for values, durations in all_:
        family.add_metric(values, durations.buckets(), durations.seconds)
    return family

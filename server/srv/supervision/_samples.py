"""The metrics of several processes, added up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_COUNTED: Final = frozenset(("counter", "histogram", "summary"))
"""The kinds of metrics that never go back while their process lives."""
_NO_SUMS: Final[Mapping[str, Callable[[float, float], float]]] = {
    "process_start_time_seconds": min,
    "process_max_fds": min,
    "python_info": max,
}
_CREATED: Final = "_created"


class Family(msgspec.Struct, array_like=True):
    """The samples of one metric: name, labels and value, which is text since JSON has no infinities."""

    name: str
    documentation: str
    kind: str
    samples: list[tuple[str, dict[str, str], str]]


def read_families(metrics: Iterable[Metric]) -> list[Family]:
    """Return what metrics say now."""
    return [
        Family(
            each.name,
            each.documentation,
            each.type,
            [(sample.name, dict(sample.labels), repr(float(sample.value))) for sample in each.samples],
        )
        for each in metrics
    ]


def counted(families: Iterable[Family]) -> list[Family]:
    """Return what still counts of a process that has ended."""
    return [each for each in families if each.kind in _COUNTED]


def add_up(processes: Iterable[Iterable[Family]]) -> list[Family]:
    """Return the metrics of all: sums, but for what has none. Of two kinds under one name the first is taken."""
    made: dict[str, tuple[Family, dict[tuple[object, ...], float]]] = {}
    for families in processes:
        for family in families:
            sums = made.setdefault(family.name, (family, {}))[1]
            if made[family.name][0].kind != family.kind:
                continue
            for name, labels, text in family.samples:
                key = (name, *sorted(labels.items()))
                value = float(text)
                before = sums.get(key)
                sums[key] = value if before is None else _rule(name)(before, value)
    return [
        Family(
            first.name,
            first.documentation,
            first.kind,
            [(str(key[0]), _labels(key[1:]), repr(value)) for key, value in sums.items()],
        )
        for first, sums in made.values()
    ]


def _labels(pairs: Iterable[object]) -> dict[str, str]:
    return {name: value for name, value in pairs}  # type: ignore[misc,has-type]  # noqa: C416


def _rule(name: str) -> Callable[[float, float], float]:
    return min if name.endswith(_CREATED) else _NO_SUMS.get(name, float.__add__)


class _Shown(Collector):
    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        for each in self._families:
            metric = Metric(each.name, each.documentation, each.kind)
            metric.samples = [Sample(name, labels, float(value)) for name, labels, value in each.samples]
            yield metric


def render(families: Iterable[Family]) -> bytes:
    """Return metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Shown(families))
    return generate_latest(registry)

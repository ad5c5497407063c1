"""Metrics that models' code registers with prometheus-client itself, in its registry of the process."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

from srv._logging import model_name, model_version
from srv_protocol.errors import MetricError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import Collector

_SUFFIXES: Final = {
    "counter": ("_total", "_created"),
    "histogram": ("_bucket", "_count", "_sum", "_created"),
    "summary": ("_count", "_sum", "_created"),
}


def written_names(name: str, kind: str) -> set[str]:
    """Return the names that a metric has in Prometheus' text format."""
    # A counter is known without its end, in prometheus-client as here.
    base = name.removesuffix("_total") if kind == "counter" else name
    return {base, *(f"{base}{suffix}" for suffix in _SUFFIXES.get(kind, ()))}


class Load:
    """One load of a model, from before its code is imported until the last of it has run."""

    def __init__(self, name: str, version: str | None) -> None:
        self.key: Final = name, version or ""
        self.replaced: Final[list[tuple[Collector, _Owned]]] = []
        self.ended = False


class _Owned(NamedTuple):
    collector: Collector
    load: Load
    makes_room: bool


class RawMetrics:
    """Lets a model that is loaded anew register its metrics again, which the registry alone would refuse.

    Modules of a model's folder are run by each load, so a metric that one registers comes again with each. Its
    namesake of an earlier load of the model, or of a model that is gone, makes room. What an installed package has
    registered stays, since its modules run once.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._loads: dict[tuple[str, str], list[Load]] = {}
        self._owned: list[_Owned] = []
        self._reserved: set[str] = set()
        self._plain: Callable[[Collector], None] | None = None

    def install(self, reserved: Collection[str]) -> None:
        """Watch the process's registry, in which models may not have the `reserved` names; again adds to those."""
        from prometheus_client import REGISTRY  # `import srv` stays without it

        self._reserved.update(reserved)
        if self._plain is None:
            self._plain = REGISTRY.register
            REGISTRY.register = self._register  # type: ignore[method-assign]  # prometheus-client has no other way

    def begin(self, load: Load) -> None:
        """Take note of a load; what its model's code registers from now on is its own."""
        with self._lock:
            self._loads.setdefault(load.key, []).append(load)

    def end(self, load: Load) -> None:
        """Take note of the end of a load; what it has replaced comes back if its own load goes on."""
        load.ended = True
        with self._lock:
            for collector, before in reversed(load.replaced):
                if not before.load.ended and self._remove(collector):
                    self._add(before)
            others = self._loads[load.key]
            others.remove(load)
            for other in others:
                # What this load had will not come back, and need not be kept.
                other.replaced[:] = [each for each in other.replaced if each[1].load is not load]
            if not others:
                del self._loads[load.key]

    def add(self, collector: Collector) -> None:
        """Register a metric that is not the model's to replace, as its own are; they make room for it.

        Raises:
            ValueError: there is another of its name.
        """
        from prometheus_client import REGISTRY

        if self._plain is None:
            REGISTRY.register(collector)
        else:
            self._register(collector, makes_room=False)

    def remove(self, collector: Collector) -> None:
        """Take a metric of :meth:`add` out of the registry, if it is still there."""
        from prometheus_client import REGISTRY

        with self._lock:
            if not self._remove(collector):
                with contextlib.suppress(KeyError):
                    REGISTRY.unregister(collector)

    def _register(self, collector: Collector, *, makes_room: bool = True) -> None:
        with self._lock:
            loads = self._loads.get((model_name.get(), model_version.get()))
            if not loads:
                self._register_plain(collector)
                return
            load = loads[-1]
            taken = sorted(_names(collector) & self._reserved)
            if taken:
                raise MetricError(
                    f"metric '{taken[0]}': expected a name of its own, got that of a metric of the server's"
                )
            owned = _Owned(collector, load, makes_room)
            try:
                self._add(owned)
            except ValueError:
                clashing = [each for each in self._owned if _names(each.collector) & _names(collector)]
                if not clashing or not all(_makes_room(each, load) for each in clashing):
                    raise
                for each in clashing:
                    self._remove(each.collector)
                self._add(owned)
                load.replaced.extend((collector, each) for each in clashing)

    def _register_plain(self, collector: Collector) -> None:
        assert self._plain is not None  # noqa: S101  # install() has set it
        self._plain(collector)

    def _add(self, owned: _Owned) -> None:
        self._register_plain(owned.collector)
        self._owned.append(owned)

    def _remove(self, collector: Collector) -> bool:
        """Take a collector out of the registry, and return whether it was there."""
        from prometheus_client import REGISTRY

        kept = [each for each in self._owned if each.collector is not collector]
        there = len(kept) < len(self._owned)
        self._owned = kept
        if there:
            REGISTRY.unregister(collector)
        return there


def _makes_room(owned: _Owned, new: Load) -> bool:
    old = owned.load
    return owned.makes_room and (old.ended or (old.key == new.key and old is not new))


def _names(collector: Collector) -> set[str]:
    # A collector of a model's own need not say beforehand what it has.
    describe: Callable[[], Iterable[Metric]] = getattr(collector, "describe", tuple)
    return {name for each in describe() for name in written_names(each.name, each.type)}

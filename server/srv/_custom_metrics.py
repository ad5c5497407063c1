"""Metrics that models' code registers, and what becomes of them when models come and go."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, TypeVar, cast

from srv._logging import model_name, model_version
from srv._raw_metrics import Load, RawMetrics, written_names
from srv_protocol.errors import InvalidModelContext, MetricError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from prometheus_client import Counter, Gauge, Histogram
    from prometheus_client.registry import Collector

    ModelKey = tuple[str, str]

_OWN_LABELS: Final = ("model_name", "model_version")
_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL: Final = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
# `value` and `amount` are the methods' own arguments; `le` is that of a histogram's buckets.
_TAKEN_LABELS: Final = frozenset((*_OWN_LABELS, "le", "value", "amount"))
_T = TypeVar("_T", bound="_Metric")


@dataclass(frozen=True, slots=True)
class _Definition:
    """What two registrations of one name must agree in."""

    kind: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] | None = None

    def __str__(self) -> str:
        labels = f" with the labels {', '.join(self.labels)}" if self.labels else " without labels"
        return f"a {self.kind}{labels}" + (f" and the buckets {self.buckets}" if self.buckets else "")


class _Metric:
    """A metric of models; the same name gives the same one again."""

    kind: ClassVar[str]

    def __init__(self, name: str, definition: _Definition, collector: Collector) -> None:
        self.name = name
        self.definition = definition
        self.collector = collector

    def _child(self, labels: dict[str, str]) -> object:
        """Return what counts for the running model.

        Raises:
            InvalidModelContext: no model's code runs, or that of one that is unloaded.
            MetricError: the labels are not those that were registered, or another model has taken the name.
        """
        name = model_name.get()
        if not name:
            raise InvalidModelContext(
                f"metric '{self.name}': expected to be used by a model's code, got no model; threads that a model "
                "starts itself need its context: threading.Thread(target=contextvars.copy_context().run, args=(…))"
            )
        given = self.definition.labels
        if labels.keys() != set(given):
            raise MetricError(f"metric '{self.name}': expected the labels {list(given)}, got {list(labels)}")
        key = name, model_version.get()
        values = (*key, *(labels[each] for each in given))
        return cast("Any", _custom.collector_of(self, key)).labels(*values)


class CounterMetric(_Metric):
    """A number that grows."""

    kind = "counter"

    def inc(self, amount: float = 1.0, **labels: str) -> None:
        """Add to the number.

        Raises:
            InvalidModelContext: no model's code runs.
            MetricError: the labels are not those that were registered, or the amount is negative.
        """
        if amount < 0:
            raise MetricError(f"metric '{self.name}': expected an amount that is not negative, got {amount}")
        cast("Counter", self._child(labels)).inc(amount)


class GaugeMetric(_Metric):
    """A number that rises and falls."""

    kind = "gauge"

    def set(self, value: float, **labels: str) -> None:
        """Set the number.

        Raises:
            As :meth:`CounterMetric.inc`.
        """
        cast("Gauge", self._child(labels)).set(value)

    def inc(self, amount: float = 1.0, **labels: str) -> None:
        """Add to the number.

        Raises:
            As :meth:`CounterMetric.inc`.
        """
        cast("Gauge", self._child(labels)).inc(amount)

    def dec(self, amount: float = 1.0, **labels: str) -> None:
        """Take from the number.

        Raises:
            As :meth:`CounterMetric.inc`.
        """
        cast("Gauge", self._child(labels)).dec(amount)


class HistogramMetric(_Metric):
    """How many values there were, by their size."""

    kind = "histogram"

    def observe(self, value: float, **labels: str) -> None:
        """Count a value.

        Raises:
            As :meth:`CounterMetric.inc`.
        """
        cast("Histogram", self._child(labels)).observe(value)


class MetricUse(NamedTuple):
    """What a model's code has done with a metric, for another process to do the same.

    Attributes:
        method: of the metric, ``""`` for its registration alone.
        amount: the method's argument.
        values: those of the metric's own labels.
    """

    kind: str
    name: str
    description: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] | None
    method: str = ""
    amount: float = 0.0
    values: tuple[str, ...] = ()


class _Forwarding:
    """Stands where prometheus-client's collectors do, in a process whose metrics another one shows."""

    def __init__(self, use: MetricUse, to: Callable[[MetricUse], None]) -> None:
        self._use = use
        self._to = to

    def labels(self, *values: str) -> _Forwarding:
        return _Forwarding(self._use._replace(values=values[len(_OWN_LABELS) :]), self._to)

    def inc(self, amount: float) -> None:
        self._tell("inc", amount)

    def dec(self, amount: float) -> None:
        self._tell("dec", amount)

    def set(self, value: float) -> None:
        self._tell("set", value)

    def observe(self, value: float) -> None:
        self._tell("observe", value)

    def _tell(self, method: str, amount: float) -> None:
        self._to(self._use._replace(method=method, amount=float(amount)))


class _CustomMetrics:
    """The metrics of all models of the process, and which loads of which models there are."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._metrics: dict[str, _Metric] = {}
        # The models that have registered a metric, by its name.
        self._users: dict[str, set[ModelKey]] = {}
        # The loads of each model, oldest first, with the metrics that each has made, and what had their names before.
        self._loads: dict[ModelKey, dict[Load, list[tuple[_Metric, _Metric | None]]]] = {}
        self._reserved: set[str] = set()
        self._forward: Callable[[MetricUse], None] | None = None

    def forward(self, to: Callable[[MetricUse], None]) -> None:
        """Count nothing here, but tell of it."""
        self._forward = to

    def reserve(self, names: Collection[str]) -> None:
        """Take note of names that are the server's own."""
        self._reserved.update(names)

    def register(
        self, kind: type[_T], name: str, description: str, labels: Sequence[str], buckets: Sequence[float] | None
    ) -> _T:
        definition = _Definition(kind.kind, tuple(labels), None if buckets is None else tuple(map(float, buckets)))
        _check(name, definition)
        user = model_name.get(), model_version.get()
        with self._lock:
            if user[0]:
                self._check_loaded(name, user)
            found = self._metrics.get(name)
            if found is None or found.definition != definition:
                if found is not None:
                    self._check_sole(found, definition, user)
                made = kind(name, definition, self._collect(name, description, definition))
                self._replace(found, made, user)
                found = made
            self._users[name].add(user)
            return cast("_T", found)

    def _check_loaded(self, name: str, user: ModelKey) -> None:
        if user not in self._loads:
            raise InvalidModelContext(
                f"metric '{name}': expected to be used by the code of a loaded model, got model '{user[0]}', which is "
                "unloaded"
            )

    def _check_sole(self, found: _Metric, definition: _Definition, user: ModelKey) -> None:
        if self._users[found.name] - {user}:
            raise MetricError(
                f"metric '{found.name}': expected {found.definition}, as it is registered, got {definition}"
            )

    def _replace(self, before: _Metric | None, made: _Metric, user: ModelKey) -> None:
        """Show a metric, in the place of one of the same model that has been changed and is loaded anew."""
        if before is not None:
            self._remove(before.name)
        try:
            self._show(made)
        except MetricError:
            if before is not None:
                self._show(before)
                self._users[before.name].add(user)
            raise
        loads = self._loads.get(user)
        if loads:
            loads[next(reversed(loads))].append((made, before))

    def collector_of(self, metric: _Metric, user: ModelKey) -> Collector:
        """Return where a metric is counted for a model; the model need not have registered it itself.

        The module of an installed package runs once, for all models that import it and for all their loads.

        Raises:
            InvalidModelContext: the model is unloaded.
            MetricError: another model has the name for a metric that differs.
        """
        name = metric.name
        if self._metrics.get(name) is metric and user in self._users.get(name, ()):
            return metric.collector
        with self._lock:
            self._check_loaded(name, user)
            found = self._metrics.get(name)
            if found is None:
                self._show(metric)
                found = metric
            elif found.definition != metric.definition:
                self._check_sole(found, metric.definition, user)
                return metric.collector  # of a request that still runs on the load before
            self._users[name].add(user)
            return found.collector

    def _collect(self, name: str, description: str, definition: _Definition) -> Collector:
        """Return a new collector, which nothing shows yet."""
        if self._forward is not None:
            use = MetricUse(definition.kind, name, description, definition.labels, definition.buckets)
            self._forward(use)
            return cast("Collector", _Forwarding(use, self._forward))
        import prometheus_client as prometheus  # `import srv` stays without it

        own = sorted(written_names(name, definition.kind) & self._reserved)
        if own:
            raise MetricError(f"metric '{name}': expected a name of its own, got '{own[0]}', which is the server's")
        labels = (*_OWN_LABELS, *definition.labels)
        text = description or name
        try:
            if definition.kind == CounterMetric.kind:
                return prometheus.Counter(name, text, labels, registry=None)
            if definition.kind == GaugeMetric.kind:
                return prometheus.Gauge(name, text, labels, registry=None)
            if definition.buckets is None:
                return prometheus.Histogram(name, text, labels, registry=None)
            return prometheus.Histogram(name, text, labels, registry=None, buckets=definition.buckets)
        except ValueError as error:
            raise MetricError(f"metric '{name}': {error}") from error

    def histogram_named(self, name: str) -> HistogramMetric:
        """Return the histogram that ``log`` means: one that is registered, or a new one."""
        found = self._metrics.get(name)
        if found is None:
            return self.register(HistogramMetric, name, "", (), None)
        if not isinstance(found, HistogramMetric):
            raise MetricError(f"metric '{name}': expected a histogram, got {found.definition}")
        return found

    def begin(self, load: Load) -> None:
        with self._lock:
            self._loads.setdefault(load.key, {})[load] = []

    def end(self, load: Load) -> None:
        key = load.key
        with self._lock:
            loads = self._loads[key]
            failed = next(reversed(loads)) is load
            made = loads.pop(load)
            if loads:
                # A load that failed leaves the metrics of the one before as they were.
                for metric, before in reversed(made) if failed else ():
                    if self._metrics.get(metric.name) is metric and self._users[metric.name] == {key}:
                        self._remove(metric.name)
                        if before is not None:
                            self._show(before)
                            self._users[before.name].add(key)
                return
            del self._loads[key]
            for name, metric in list(self._metrics.items()):
                if self._forward is None:
                    _remove_children(metric.collector, key)
                users = self._users[name]
                if key in users:
                    users.remove(key)
                    if not users:
                        self._remove(name)

    def _show(self, metric: _Metric) -> None:
        try:
            if self._forward is None:
                _raw.add(metric.collector)
        except ValueError as error:
            raise MetricError(f"metric '{metric.name}': {error}") from error
        self._metrics[metric.name] = metric
        self._users[metric.name] = set()

    def _remove(self, name: str) -> None:
        collector = self._metrics.pop(name).collector
        if self._forward is None:
            _raw.remove(collector)
        del self._users[name]


def _remove_children(collector: Collector, key: ModelKey) -> None:
    """Forget what a metric says of a model."""
    metric = cast("Any", collector)
    for values in list(metric._metrics):  # noqa: SLF001  # the only way to a metric's labels
        if values[: len(key)] == key:
            metric.remove(*values)


def _check(name: str, definition: _Definition) -> None:
    """Refuse what Prometheus' text format cannot carry, or what would be lost in it."""
    given = cast("object", name)
    if not isinstance(given, str) or not _NAME.fullmatch(given):
        raise MetricError(f"metric {given!r:.80}: expected a name of letters, digits, '_' and ':'")
    for label in definition.labels:
        if not _LABEL.fullmatch(label) or label in _TAKEN_LABELS:
            raise MetricError(
                f"metric '{name}': expected labels of letters, digits and '_' other than "
                f"{', '.join(sorted(_TAKEN_LABELS))}, got {label!r:.80}"
            )
    if len(set(definition.labels)) != len(definition.labels):
        raise MetricError(f"metric '{name}': expected labels of different names, got {list(definition.labels)}")


_KINDS: Final[Mapping[str, type[_Metric]]] = {each.kind: each for each in (CounterMetric, GaugeMetric, HistogramMetric)}
_custom: Final = _CustomMetrics()
_raw: Final = RawMetrics()


def begin_serving(own_names: Collection[str]) -> None:
    """Show models' metrics beside a server's, whose names are `own_names`."""
    _custom.reserve(own_names)
    _raw.install(own_names)


def forward_metrics(to: Callable[[MetricUse], None]) -> None:
    """Have `to` called, on any thread, with what models' code does with metrics; they count nowhere in this process."""
    _custom.forward(to)


def repeat_use(use: MetricUse) -> None:
    """Do what the code of the running model has done in another process.

    Raises:
        MetricError: as :func:`counter`.
    """
    metric: Any = _custom.register(_KINDS[use.kind], use.name, use.description, use.labels, use.buckets)
    if use.method:
        getattr(metric, use.method)(use.amount, **dict(zip(use.labels, use.values, strict=True)))


class ModelMetrics:
    """The metrics of one load of a model: the last one to be released takes the model's values with it."""

    def __init__(self, name: str, version: str | None) -> None:
        self._load = Load(name, version)
        _custom.begin(self._load)
        _raw.begin(self._load)

    def release(self) -> None:
        """Say that the load's code runs no more."""
        _raw.end(self._load)
        _custom.end(self._load)


def counter(name: str, description: str = "", labels: Sequence[str] = ()) -> CounterMetric:
    """Return the counter of a name; it is shown with ``_total`` behind it.

    Args:
        name: letters, digits, ``_`` and ``:``.
        description: what Prometheus shows for it.
        labels: the names of further labels, each of which :meth:`CounterMetric.inc` is given.

    Raises:
        MetricError: the name or a label is not valid, the name is the server's own, or that of another kind of metric.
    """
    return _custom.register(CounterMetric, name, description, labels, None)


def gauge(name: str, description: str = "", labels: Sequence[str] = ()) -> GaugeMetric:
    """Return the gauge of a name.

    Raises:
        As :func:`counter`.
    """
    return _custom.register(GaugeMetric, name, description, labels, None)


def histogram(
    name: str, description: str = "", labels: Sequence[str] = (), buckets: Sequence[float] | None = None
) -> HistogramMetric:
    """Return the histogram of a name; without `buckets` it has Prometheus' own, which suit seconds.

    Raises:
        As :func:`counter`.
    """
    return _custom.register(HistogramMetric, name, description, labels, buckets)


def register(name: str, description: str) -> HistogramMetric:
    """Return the histogram of a name, as MLServer's ``register``.

    Raises:
        As :func:`counter`.
    """
    return histogram(name, description)


def log(**values: float) -> None:
    """Count values, each in the histogram of its name, as MLServer's ``log``; one that is missing is registered.

    Raises:
        InvalidModelContext: no model's code runs.
        MetricError: as :func:`counter`.
    """
    for name, value in values.items():
        _custom.histogram_named(name).observe(value)

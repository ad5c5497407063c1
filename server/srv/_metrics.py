"""Prometheus metrics, by the names that MLServer's dashboards know."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from srv._custom_metrics import begin_serving
from srv._raw_metrics import written_names
from srv._tallies import DurationBuckets, Durations, Tally, counter, histogram, summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

METRICS_TYPE: Final = CONTENT_TYPE_LATEST

_MODEL: Final = ("model", "version")
_ROUTE: Final = ("method", "path", "status_code")
_COUNTERS: Final = (
    ("model_infer_request_success", "Model infer request success count", "success"),
    ("model_infer_request_failure", "Model infer request failure count", "failure"),
    ("model_infer_cache_hit", "Model infer requests answered from the cache", "cache_hit"),
    ("model_infer_cache_miss", "Model infer requests that the cache had no answer to", "cache_miss"),
)
"""Name, text, and the attribute of :class:`InferenceMetrics` that counts."""
_CALL: Final = ("grpc_type", "grpc_service", "grpc_method")


class InferenceMetrics:
    """The metrics of the inferences of one model."""

    __slots__ = ("cache_hit", "cache_miss", "duration", "failure", "success")

    def __init__(self) -> None:
        self.success = Tally()
        self.failure = Tally()
        self.duration = Durations()
        self.cache_hit = Tally()
        self.cache_miss = Tally()


class RpcMetrics:
    """The metrics of one RPC."""

    __slots__ = ("begun", "by_code", "duration")

    def __init__(self) -> None:
        self.begun = Tally()
        self.by_code: dict[str, Tally] = {}
        self.duration = DurationBuckets()

    def started(self) -> float:
        """Count a call that starts, and return the time."""
        self.begun.count += 1
        return time.perf_counter()

    def finished(self, code: str, started: float) -> None:
        """Count a call that has ended; `code` is the name of its status."""
        found = self.by_code.get(code)
        if found is None:
            found = self.by_code[code] = Tally()
        found.count += 1
        self.duration.add(time.perf_counter() - started)


class Metrics(Collector):
    """The metrics of one server; what runtimes register with prometheus-client itself is shown beside them.

    To be counted with on the event loop alone.
    """

    def __init__(self, rest_prefix: str) -> None:
        self._prefix = rest_prefix
        self._running = 0
        self._inferences: dict[tuple[str, str], InferenceMetrics] = {}
        self._routes: dict[tuple[str, str, int], DurationBuckets] = {}
        self._calls: dict[tuple[str, str, str], RpcMetrics] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)
        begin_serving({name for each in self.collect() for name in written_names(each.name, each.type)})

    def inference(self, model: str, version: str) -> InferenceMetrics:
        """Return the metrics of one model."""
        found = self._inferences.get((model, version))
        if found is None:
            found = self._inferences[model, version] = InferenceMetrics()
        return found

    def http_started(self) -> float:
        """Count a running HTTP request, and return the time."""
        self._running += 1
        return time.perf_counter()

    def http_finished(self, method: str, path: str, status: int, started: float) -> None:
        """Count a finished HTTP request; `path` is the route, not what the client wrote."""
        found = self._routes.get((method, path, status))
        if found is None:
            found = self._routes[method, path, status] = DurationBuckets()
        self._running -= 1
        found.add(time.perf_counter() - started)

    def rpc(self, kind: str, service: str, method: str) -> RpcMetrics:
        """Return the metrics of one RPC."""
        return self._calls.setdefault((kind, service, method), RpcMetrics())

    def collect(self) -> Iterator[Metric]:
        """Yield what has been counted so far."""
        models = self._inferences.items()
        for name, text, attribute in _COUNTERS:
            yield counter(name, text, _MODEL, ((key, getattr(each, attribute)) for key, each in models))
        yield summary(
            "model_infer_request_duration",
            "Model infer request duration in seconds",
            _MODEL,
            ((key, each.duration) for key, each in models),
        )
        routes = [((method, path, str(status)), each) for (method, path, status), each in self._routes.items()]
        yield counter(f"{self._prefix}_requests", "HTTP requests", _ROUTE, routes)
        yield histogram(f"{self._prefix}_request_duration_seconds", "HTTP request duration in seconds", _ROUTE, routes)
        yield GaugeMetricFamily(f"{self._prefix}_requests_in_progress", "HTTP requests in progress", self._running)
        calls = self._calls.items()
        yield counter("grpc_server_started", "RPCs started", _CALL, ((key, each.begun) for key, each in calls))
        yield counter(
            "grpc_server_handled",
            "RPCs finished",
            (*_CALL, "code"),
            (((*key, code), tally) for key, each in calls for code, tally in each.by_code.items()),
        )
        yield histogram(
            "grpc_server_handling_seconds",
            "RPC duration in seconds",
            _CALL,
            ((key, each.duration) for key, each in calls),
        )

    def all_families(self) -> Iterator[Metric]:
        """Yield the server's metrics, and those of the process and of models."""
        yield from self._registry.collect()
        yield from REGISTRY.collect()

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry) + generate_latest(REGISTRY)

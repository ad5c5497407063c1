"""Prometheus metrics, by the names that MLServer's dashboards know."""

from __future__ import annotations

import time
from typing import Final, NamedTuple

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, Summary
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from srv._custom_metrics import begin_serving
from srv._raw_metrics import written_names

METRICS_TYPE: Final = CONTENT_TYPE_LATEST


class InferenceMetrics(NamedTuple):
    """The metrics of the inferences of one model."""

    success: Counter
    failure: Counter
    duration: Summary
    cache_hit: Counter
    cache_miss: Counter


class _Finished(NamedTuple):
    requests: Counter
    duration: Histogram


class RpcMetrics:
    """The metrics of one RPC, by its name."""

    def __init__(self, started: Counter, handled: Counter, duration: Histogram, labels: tuple[str, str, str]) -> None:
        self._started = started
        self._handled = handled
        self._duration = duration
        self._labels = labels
        self._by_code: dict[str, Counter] = {}

    def started(self) -> float:
        """Count a call that starts, and return the time."""
        self._started.inc()
        return time.perf_counter()

    def finished(self, code: str, started: float) -> None:
        """Count a call that has ended; `code` is the name of its status."""
        found = self._by_code.get(code)
        if found is None:
            found = self._by_code[code] = self._handled.labels(*self._labels, code)
        found.inc()
        self._duration.observe(time.perf_counter() - started)


class Metrics:
    """The metrics of one server; what runtimes register with prometheus-client itself is shown beside them."""

    def __init__(self, rest_prefix: str) -> None:
        self._registry = registry = CollectorRegistry()
        labels = ("model", "version")
        self._success = Counter(
            "model_infer_request_success", "Model infer request success count", labels, registry=registry
        )
        self._failure = Counter(
            "model_infer_request_failure", "Model infer request failure count", labels, registry=registry
        )
        self._duration = Summary(
            "model_infer_request_duration", "Model infer request duration in seconds", labels, registry=registry
        )
        self._cache_hit = Counter(
            "model_infer_cache_hit", "Model infer requests answered from the cache", labels, registry=registry
        )
        self._cache_miss = Counter(
            "model_infer_cache_miss", "Model infer requests that the cache had no answer to", labels, registry=registry
        )
        route = ("method", "path")
        self._http_requests = Counter(
            f"{rest_prefix}_requests", "HTTP requests", (*route, "status_code"), registry=registry
        )
        self._http_duration = Histogram(
            f"{rest_prefix}_request_duration_seconds",
            "HTTP request duration in seconds",
            (*route, "status_code"),
            registry=registry,
        )
        self._http_running = Gauge(
            f"{rest_prefix}_requests_in_progress", "HTTP requests in progress", registry=registry
        )
        call = ("grpc_type", "grpc_service", "grpc_method")
        self._grpc_started = Counter("grpc_server_started", "RPCs started", call, registry=registry)
        self._grpc_handled = Counter("grpc_server_handled", "RPCs finished", (*call, "code"), registry=registry)
        self._grpc_duration = Histogram(
            "grpc_server_handling_seconds", "RPC duration in seconds", call, registry=registry
        )
        begin_serving({name for each in registry.collect() for name in written_names(each.name, each.type)})
        # Finding a labelled child costs more than counting with it.
        self._inferences: dict[tuple[str, str], InferenceMetrics] = {}
        self._routes: dict[tuple[str, str, int], _Finished] = {}

    def inference(self, model: str, version: str) -> InferenceMetrics:
        """Return the metrics of one model."""
        found = self._inferences.get((model, version))
        if found is None:
            found = self._inferences[model, version] = InferenceMetrics(
                self._success.labels(model, version),
                self._failure.labels(model, version),
                self._duration.labels(model, version),
                self._cache_hit.labels(model, version),
                self._cache_miss.labels(model, version),
            )
        return found

    def http_started(self) -> float:
        """Count a running HTTP request, and return the time."""
        self._http_running.inc()
        return time.perf_counter()

    def http_finished(self, method: str, path: str, status: int, started: float) -> None:
        """Count a finished HTTP request; `path` is the route, not what the client wrote."""
        found = self._routes.get((method, path, status))
        if found is None:
            found = self._routes[method, path, status] = _Finished(
                self._http_requests.labels(method, path, status), self._http_duration.labels(method, path, status)
            )
        self._http_running.dec()
        found.requests.inc()
        found.duration.observe(time.perf_counter() - started)

    def rpc(self, kind: str, service: str, method: str) -> RpcMetrics:
        """Return the metrics of one RPC."""
        labels = (kind, service, method)
        return RpcMetrics(
            self._grpc_started.labels(*labels), self._grpc_handled, self._grpc_duration.labels(*labels), labels
        )

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry) + generate_latest(REGISTRY)

"""Prometheus metrics, by the names that MLServer's dashboards know."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, Summary
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

if TYPE_CHECKING:
    from collections.abc import Generator

METRICS_TYPE: Final = CONTENT_TYPE_LATEST


class _Inference(NamedTuple):
    success: Counter
    failure: Counter
    duration: Summary


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
        # Finding a labelled child costs more than counting with it.
        self._inferences: dict[tuple[str, str], _Inference] = {}

    @contextlib.contextmanager
    def inference(self, model: str, version: str) -> Generator[None]:
        """Count one inference and its duration; anything but a normal return is a failure."""
        found = self._inferences.get((model, version))
        if found is None:
            found = _Inference(
                self._success.labels(model, version),
                self._failure.labels(model, version),
                self._duration.labels(model, version),
            )
            self._inferences[model, version] = found
        start = time.perf_counter()
        try:
            yield
        except BaseException:
            found.failure.inc()
            raise
        found.success.inc()
        found.duration.observe(time.perf_counter() - start)

    def http_started(self) -> float:
        """Count a running HTTP request, and return the time."""
        self._http_running.inc()
        return time.perf_counter()

    def http_finished(self, method: str, path: str, status: int, started: float) -> None:
        """Count a finished HTTP request; `path` is the route, not what the client wrote."""
        self._http_running.dec()
        self._http_requests.labels(method, path, status).inc()
        self._http_duration.labels(method, path, status).observe(time.perf_counter() - started)

    def grpc_started(self, kind: str, service: str, method: str) -> float:
        """Count an RPC that starts, and return the time."""
        self._grpc_started.labels(kind, service, method).inc()
        return time.perf_counter()

    def grpc_finished(self, kind: str, service: str, method: str, code: str, started: float) -> None:
        """Count an RPC that has ended; `code` is the name of its status."""
        self._grpc_handled.labels(kind, service, method, code).inc()
        self._grpc_duration.labels(kind, service, method).observe(time.perf_counter() - started)

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry) + generate_latest(REGISTRY)

from __future__ import annotations

from prometheus_client import CollectorRegistry, Histogram, Metric, generate_latest
from prometheus_client.registry import Collector

from srv._metrics import Metrics
from srv._tallies import DurationBuckets, histogram


def test_inferences_are_counted_by_model_version_and_outcome() -> None:
    metrics = Metrics("rest_server")
    found = metrics.inference("m", "1")
    found.success.count += 1
    found.duration.add(0.5)
    found.failure.count += 1
    text = metrics.render().decode()

    assert 'model_infer_request_success_total{model="m",version="1"} 1.0' in text
    assert 'model_infer_request_failure_total{model="m",version="1"} 1.0' in text
    assert 'model_infer_request_duration_count{model="m",version="1"} 1.0' in text


def test_http_requests_are_counted_by_route_and_status() -> None:
    metrics = Metrics("prefix")
    started = metrics.http_started()

    assert "prefix_requests_in_progress 1.0" in metrics.render().decode()
    metrics.http_finished("GET", "/v2", 200, started)
    text = metrics.render().decode()

    assert 'prefix_requests_total{method="GET",path="/v2",status_code="200"} 1.0' in text
    assert "prefix_requests_in_progress 0.0" in text


def test_rpcs_are_counted_by_method_and_code() -> None:
    metrics = Metrics("rest_server")
    rpc = metrics.rpc("unary", "s", "M")
    rpc.finished("OK", rpc.started())
    text = metrics.render().decode()

    assert 'grpc_server_started_total{grpc_method="M",grpc_service="s",grpc_type="unary"} 1.0' in text
    assert 'grpc_server_handled_total{code="OK",grpc_method="M",grpc_service="s",grpc_type="unary"} 1.0' in text


def test_servers_in_one_process_count_apart() -> None:
    one, other = Metrics("rest_server"), Metrics("rest_server")
    one.inference("m", "").success.count += 1

    assert "model_infer_request_success_total{" not in other.render().decode()


def test_durations_are_counted_as_prometheus_own_histogram_counts_them() -> None:
    registry = CollectorRegistry()
    expected = Histogram("d", "text", registry=registry)
    found = DurationBuckets()
    for seconds in (0.0, 0.001, 0.005, 0.0051, 0.1, 7.5, 10.0, 11.0, 1e9):
        expected.observe(seconds)
        found.add(seconds)
    lines = [line for line in generate_latest(registry).decode().splitlines() if "created" not in line]

    class Shown(Collector):
        def collect(self) -> list[Metric]:
            return [histogram("d", "text", (), [((), found)])]

    shown = CollectorRegistry()
    shown.register(Shown())
    assert generate_latest(shown).decode().splitlines() == lines

from __future__ import annotations

from srv._metrics import Metrics


def test_inferences_are_counted_by_model_version_and_outcome() -> None:
    metrics = Metrics("rest_server")
    found = metrics.inference("m", "1")
    found.success.inc()
    found.duration.observe(0.5)
    found.failure.inc()
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
    one.inference("m", "").success.inc()

    assert "model_infer_request_success_total{" not in other.render().decode()

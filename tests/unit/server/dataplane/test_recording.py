"""What is kept of each inference."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from srv._metrics import Metrics
from srv.dataplane._recording import Recording
from srv.dataplane._statistics import Statistics
from srv.dataplane._timeline import Timeline, now
from srv.types import InferenceResponse

if TYPE_CHECKING:
    from srv_protocol.inference import ModelStatistics


class Request:
    """One request to a model, and what was kept of it."""

    def __init__(self) -> None:
        self.metrics = Metrics("rest_server")
        self.statistics = Statistics()
        self.times = Timeline()
        self.times.mark_queued()
        self.recording = Recording(self.metrics.inference("m", ""), self.statistics, self.times, 3, None)

    @property
    def kept(self) -> ModelStatistics:
        return self.statistics.to_message("m", "")

    def counts(self) -> dict[str, int]:
        """Return what has been counted, by its name."""
        stats = self.kept.inference_stats
        assert stats is not None
        found = {name: getattr(stats, name).count for name in ("success", "fail", "queue", "compute_infer")}
        return {name: count for name, count in found.items() if count}


def test_an_answer_counts_in_the_metrics_and_in_the_statistics() -> None:
    request = Request()
    with request.recording as recording:
        request.times.mark_started()
        request.times.mark_computed()
        recording.add_answer(InferenceResponse())

    assert request.counts() == {"success": 1, "queue": 1, "compute_infer": 1}
    assert request.kept.inference_count == 3
    assert 'model_infer_request_success_total{model="m",version=""} 1.0' in request.metrics.render().decode()
    stats, times = request.kept.inference_stats, request.times
    assert stats is not None
    assert stats.compute_infer is not None
    assert stats.compute_infer.ns == times.computed - times.started
    assert times.arrived == times.received <= times.queued <= times.started <= times.computed <= times.ended


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError])
def test_anything_but_a_normal_end_is_a_failure(error: type[BaseException]) -> None:
    request = Request()
    with pytest.raises(error), request.recording:
        raise error

    assert request.counts() == {"fail": 1}
    assert 'model_infer_request_failure_total{model="m",version=""} 1.0' in request.metrics.render().decode()


def test_the_responses_of_a_stream_count_one_by_one_and_as_one_inference() -> None:
    request = Request()
    with request.recording as recording:
        request.times.mark_started()
        for _ in range(2):
            asked = now()
            request.times.mark_computed()
            recording.add_response(InferenceResponse(), asked)
        recording.add_stream_end(now())

    assert request.counts() == {"success": 1, "queue": 1, "compute_infer": 1}
    found = request.kept.response_stats
    assert {key: (each.success.count, each.empty_response.count) for key, each in found.items()} == {  # type: ignore[union-attr]  # all of them are set
        "0": (1, 0),
        "1": (1, 0),
        "2": (0, 1),
    }


@pytest.mark.parametrize(("error", "counter"), [(ValueError(), "fail"), (GeneratorExit(), "cancel")])
def test_a_stream_that_breaks_off_says_at_which_response_and_why(error: BaseException, counter: str) -> None:
    request = Request()
    request.times.mark_started()
    request.recording.add_stream_failure(now(), error)
    with pytest.raises(type(error)), request.recording:
        raise error

    (found,) = request.kept.response_stats.values()
    assert getattr(found, counter).count == 1
    assert request.counts() == {"fail": 1}

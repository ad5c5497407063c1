"""What a model has done so far."""

from __future__ import annotations

from srv._metrics import Metrics
from srv.dataplane import _statistics
from srv.dataplane._recording import Recording
from srv.dataplane._statistics import Statistics
from srv.dataplane._timeline import Timeline, now
from srv_protocol.inference import StatisticDuration


def times(received: int, queued: int, started: int, computed: int, ended: int) -> Timeline:
    made = Timeline()
    made.received, made.queued, made.started, made.computed, made.ended = received, queued, started, computed, ended
    return made


def duration(count: int, ns: int) -> StatisticDuration:
    return StatisticDuration(count=count, ns=ns)


def test_a_success_counts_in_every_phase_and_in_its_batch_size() -> None:
    statistics = Statistics()
    statistics.add_success(times(100, 110, 130, 170, 250), 4, 40, 80)
    statistics.add_success(times(100, 110, 130, 170, 250), 1, 40, 80)
    found = statistics.to_message("m", "2")

    assert (found.name, found.version, found.inference_count, found.execution_count) == ("m", "2", 5, 2)
    assert found.last_inference > 0
    stats = found.inference_stats
    assert stats is not None
    assert (stats.success, stats.fail) == (duration(2, 300), duration(0, 0))
    assert (stats.queue, stats.compute_input) == (duration(2, 40), duration(2, 20))
    assert (stats.compute_infer, stats.compute_output) == (duration(2, 80), duration(2, 160))
    assert (stats.cache_hit, stats.cache_miss) == (duration(0, 0), duration(0, 0))
    assert [(each.batch_size, each.compute_infer) for each in found.batch_stats] == [
        (1, duration(1, 40)),
        (4, duration(1, 40)),
    ]
    assert found.response_stats == {}


def test_a_model_without_version_counts_as_version_1() -> None:
    assert Statistics().to_message("m", "").version == "1"


def test_a_failure_counts_with_its_duration_alone() -> None:
    statistics = Statistics()
    statistics.add_failure(times(100, 110, 0, 0, 250))
    found = statistics.to_message("m", "")

    assert found.inference_stats is not None
    assert (found.inference_stats.fail, found.inference_stats.success) == (duration(1, 150), duration(0, 0))
    assert (found.inference_count, found.execution_count, found.last_inference) == (0, 0, 0)


def test_the_responses_of_streams_count_by_position() -> None:
    statistics = Statistics()
    statistics.add_response(0, 10, 1)
    statistics.add_response(0, 20, 2)
    statistics.add_response(1, 30, 3)
    statistics.add_stream_end(2, 4)
    statistics.add_stream_failure(1, 5, cancelled=False)
    statistics.add_stream_failure(1, 6, cancelled=True)
    found = statistics.to_message("m", "").response_stats

    assert sorted(found) == ["0", "1", "2"]
    assert (found["0"].compute_infer, found["0"].success) == (duration(2, 30), duration(2, 33))
    assert (found["1"].fail, found["1"].cancel) == (duration(1, 5), duration(1, 6))
    assert (found["2"].empty_response, found["2"].success) == (duration(1, 4), duration(0, 0))


def test_the_wait_for_a_model_is_no_part_of_what_it_takes() -> None:
    statistics, metrics = Statistics(), Metrics("rest_server").inference("m", "")
    made = times(now(), now(), 0, 0, 0)
    asked = now() - 3_600_000_000_000
    with Recording(metrics, statistics, made, 1, None) as recording:
        made.mark_started()
        recording.add_stream_end(asked)
    with Recording(metrics, statistics, made, 1, None) as recording:
        recording.add_stream_failure(asked, ValueError())
    found = statistics.to_message("m", "")
    first = found.response_stats["0"]

    assert found.inference_stats is not None
    for counted in (found.inference_stats.compute_infer, first.empty_response, first.fail):
        assert counted is not None
        assert counted.count
        assert counted.ns < 3_600_000_000_000


def test_what_clients_choose_does_not_grow_without_bound() -> None:
    statistics = Statistics()
    for size in range(_statistics.MAX_BATCH_SIZES + 10):
        statistics.add_success(times(1, 2, 3, 4, 5), size, 1, 1)
        statistics.add_response(size, 1, 1)
    found = statistics.to_message("m", "")

    assert len(found.batch_stats) == _statistics.MAX_BATCH_SIZES
    assert len(found.response_stats) == _statistics.MAX_RESPONSES
    assert found.execution_count == _statistics.MAX_BATCH_SIZES + 10

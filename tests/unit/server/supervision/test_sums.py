"""The sums of metrics and statistics, and what a new process is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from srv._changes import ChangeLog, ChangeTrace, Load, Register, Unload, Unregister
from srv.dataplane._statistics import Statistics
from srv.dataplane._timeline import HTTP, Timeline
from srv.supervision._journal import Journal
from srv.supervision._samples import Family, add_up, counted, read_families, render
from srv.supervision._sums import sum_statistics

VALUES = st.lists(st.integers(0, 1000), min_size=1, max_size=8)


def registry_of(values: list[int]) -> CollectorRegistry:
    """Return the metrics of a process that has counted some values."""
    registry = CollectorRegistry()
    counter = Counter("c", "a counter", ["label"], registry=registry)
    gauge = Gauge("g", "a gauge", registry=registry)
    histogram = Histogram("h", "a histogram", registry=registry)
    for value in values:
        counter.labels(str(value % 3)).inc(value)
        gauge.inc(value)
        histogram.observe(value)
    return registry


def lines(text: bytes) -> set[str]:
    """Return the samples, without when they began."""
    return {line for line in text.decode().splitlines() if "_created" not in line}


@given(VALUES, VALUES)
def test_the_sum_of_two_processes_is_what_one_would_have_counted(first: list[int], second: list[int]) -> None:
    """Counters, gauges and histograms, with labels that only one of them has."""
    families = [read_families(registry_of(each).collect()) for each in (first, second)]
    assert lines(render(add_up(families))) == lines(generate_latest(registry_of(first + second)))


def test_what_has_no_sum_is_none() -> None:
    """The start of the server is that of its oldest process."""
    families = [
        [Family("process_start_time_seconds", "", "gauge", [("process_start_time_seconds", {}, each)])]
        for each in ("5.0", "3.0")
    ]
    assert add_up(families)[0].samples == [("process_start_time_seconds", {}, "3.0")]


def test_numbers_that_json_has_no_words_for_arrive() -> None:
    """They are text on their way."""
    registry = CollectorRegistry()
    Gauge("g", "a gauge", registry=registry).set(float("inf"))
    assert b"g +Inf" in render(read_families(registry.collect()))


def test_of_a_process_that_has_ended_the_counters_stay() -> None:
    """Its gauges go with it; under a name that has another kind by now, the new one is shown."""
    ended = counted(read_families(registry_of([1, 2]).collect()))
    assert [each.kind for each in ended] == ["counter", "histogram"]
    changed = [Family("h", "", "gauge", [("h", {}, "1.0")])]
    assert {each.name: each.kind for each in add_up([changed, ended])} == {"h": "gauge", "c": "counter"}


def statistics_of(batches: list[int]) -> Statistics:
    """Return the counters of a model that has answered requests of these sizes."""
    statistics = Statistics()
    for size in batches:
        times = Timeline(HTTP)
        times.received, times.queued, times.started, times.ended = 10, 20, 30, 40 + size
        statistics.add_success(times, size, 5, 6)
        statistics.add_response(size, 7, 8)
    return statistics


@given(st.lists(st.integers(1, 20), max_size=8), st.lists(st.integers(1, 20), max_size=8))
def test_the_sum_of_statistics_is_what_one_process_would_say(first: list[int], second: list[int]) -> None:
    """All but the time of the last inference, which is that of the later."""
    both = [[statistics_of(each).to_message("m", "1")] for each in (first, second)]
    (found,) = sum_statistics(both)
    expected = statistics_of(first + second).to_message("m", "1")
    assert found.last_inference == max(each.last_inference for (each,) in both)
    found.last_inference = expected.last_inference
    assert found == expected


def test_models_that_one_process_alone_has_are_in_the_sum() -> None:
    """As while it loads them."""
    one, other = Statistics().to_message("a", "1"), Statistics().to_message("b", "")
    assert [each.name for each in sum_statistics([[one], [one, other], []])] == ["a", "b"]


def test_the_journal_keeps_what_still_counts() -> None:
    """The last load or unload of a model, the regions that are left, and the last value of each setting."""
    journal = Journal()
    for change in (
        Load("m", {}),
        Unload("m", {}),
        Load("n", {"config": "{}"}),
        Register("r", "/r", 0, 1),
        Register("s", "/s", 0, 1),
        Unregister("r"),
        ChangeLog({"log_info": False, "log_error": None}),
        ChangeLog({"log_info": True}),
        ChangeTrace({"trace_rate": ["1"], "trace_count": ["2"]}),
        ChangeTrace({"trace_rate": None}, "m"),
        ChangeTrace({"trace_rate": ["3"]}),
    ):
        journal.record(change)
    assert journal.changes() == [
        Unload("m", {}),
        Load("n", {"config": "{}"}),
        Register("s", "/s", 0, 1),
        ChangeTrace({"trace_rate": ["3"], "trace_count": ["2"]}),
        ChangeTrace({"trace_rate": None}, "m"),
        ChangeLog({"log_info": True}),
    ]
    journal.record(Unregister(""))
    assert not any(isinstance(each, Register) for each in journal.changes())

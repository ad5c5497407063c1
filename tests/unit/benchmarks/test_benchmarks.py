"""What the benchmark makes of the tools' output and of its figures; nothing is measured here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tritonclient.grpc", reason="the clients of others are not installed")

from load import Round, read_h2load, read_wrk
from payloads import SCENARIOS, read_grpc, read_rest
from report import Figures, find_regressions, is_met, ratio_table, ratios, replace_between, summarize

WRK = """Running 2s test @ http://127.0.0.1:1/x
  1 threads and 4 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   400.00us    1.00ms  20.00ms   95.00%
  Latency Distribution
     50%  302.00us
     75%  411.00us
     90%    1.20ms
     99%    4.06ms
  20664 requests in 2.00s, 4.10MB read
Requests/sec:  10332.00
"""
H2LOAD = """finished in 2.00s, 3304.00 req/s, 600.00KB/s
requests: 6608 total, 6612 started, 6608 done, 6608 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 6608 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 1.21MB (1266570) total, 320.42KB (328106) headers (space savings 76.47%), 387.19KB (396480) data
"""


def test_what_wrk_prints() -> None:
    assert read_wrk(WRK) == (20664, 0.302, 4.06)


@pytest.mark.parametrize(
    "line", ["Non-2xx or 3xx responses: 4", "Socket errors: connect 0, read 3, write 0, timeout 0"]
)
def test_a_failed_request_of_wrk_is_an_error(line: str) -> None:
    with pytest.raises(RuntimeError, match="requests have failed"):
        read_wrk(WRK + line)


def test_what_h2load_prints() -> None:
    assert read_h2load(H2LOAD) == (6608, 396480)


@pytest.mark.parametrize(
    ("old", "new"), [("0 failed", "1 failed"), ("0 5xx", "2 5xx"), ("6608 succeeded", "0 succeeded")]
)
def test_a_failed_request_of_h2load_is_an_error(old: str, new: str) -> None:
    with pytest.raises(RuntimeError, match="requests have failed"):
        read_h2load(H2LOAD.replace(old, new))


def figures(ours: float, floor: float = 20.0) -> Figures:
    def of(cpu: float) -> dict[str, float]:
        return {"rate": 1e6 / cpu, "p50": 1.0, "p99": 2.0, "cpu": cpu, "peak": 10.0}

    return {"REST JSON, 4 values": {"srv": of(ours), "mlserver": of(300), "kserve": of(400), "floor-rest": of(floor)}}


def test_ratios_say_how_many_times_faster() -> None:
    found = ratios(figures(50))

    assert found == {
        "REST JSON, 4 values": {
            "rate:mlserver": pytest.approx(6),
            "cpu:mlserver": 6,
            "rate:kserve": pytest.approx(8),
            "cpu:kserve": 8,
            "cpu:floor": 2.5,
        }
    }
    assert is_met(SCENARIOS[0], found["REST JSON, 4 values"] | {"rate:mlserver": 6.0}) == "yes"
    assert "| 6.00x | 6.00x | ≥ 6x |" in ratio_table(found)


def test_a_target_that_is_missed_says_so() -> None:
    assert is_met(SCENARIOS[0], ratios(figures(51))["REST JSON, 4 values"]) == "no"


def test_what_mlserver_cannot_do_is_compared_with_its_best_way() -> None:
    measured = figures(50) | {"REST binary, 4 values": {"srv": figures(30)["REST JSON, 4 values"]["srv"]}}

    assert ratios(measured)["REST binary, 4 values"]["cpu:mlserver"] == 10


def test_ratios_are_compared_with_those_of_before() -> None:
    before, now = ratios(figures(50)), ratios(figures(70))

    assert find_regressions(before, before) == []
    assert find_regressions(now, before) == [
        "REST JSON, 4 values, cpu:mlserver: 6.00 before, 4.29 now",
        "REST JSON, 4 values, cpu:kserve: 8.00 before, 5.71 now",
        "REST JSON, 4 values, cpu:floor: 2.50 before, 3.50 now",
    ]
    # A slower machine is slower for all.
    slow = {
        name: {server: {**each, "cpu": each["cpu"] * 3} for server, each in of.items()}
        for name, of in figures(50).items()
    }
    assert find_regressions(ratios(slow), before) == []


def test_the_median_of_the_rounds_counts() -> None:
    rounds = [Round(rate, 1, 2, cpu, 10) for rate, cpu in ((1, 30), (100, 10), (2, 20))]

    assert summarize({"s": {"srv": rounds}})["s"]["srv"] == {"rate": 2, "p50": 1, "p99": 2, "cpu": 20, "peak": 10}


def test_a_page_keeps_what_is_around_its_tables() -> None:
    assert replace_between("a\n<!-- x -->\nold\n<!-- /x -->\nb", "x", "new") == "a\n<!-- x -->\n\nnew\n\n<!-- /x -->\nb"
    with pytest.raises(ValueError, match="the page has no <!-- y -->"):
        replace_between("a", "y", "new")


def test_every_scenario_makes_a_request_and_knows_its_answer() -> None:
    for scenario in SCENARIOS:
        if "4 MiB" not in scenario.name:
            assert scenario.make().body
            assert scenario.expected().size
        assert not scenario.against or scenario.against in {each.name for each in SCENARIOS}


def test_the_results_that_are_written_are_of_these_scenarios() -> None:
    results = Path(__file__).resolve().parents[3] / "docs" / "benchmarks" / "results.json"
    assert set(json.loads(results.read_text())["ratios"]) == {each.name for each in SCENARIOS}


def test_answers_of_both_protocols_are_read() -> None:
    head = b'{"outputs":[{"name":"o","datatype":"FP32","shape":[2],"parameters":{"binary_data_size":8}}]}'
    tail = np.array([1, 2], "<f4").tobytes()

    assert read_rest(head + tail, str(len(head))).tolist() == [1, 2]
    assert read_rest(b'{"outputs":[{"name":"o","datatype":"INT64","shape":[2],"data":[1,2]}]}', None).tolist() == [1, 2]
    assert read_grpc(bytes.fromhex("2a0c0a016f1204465033321a0101") + b"\x32\x04" + tail[:4]).tolist() == [1]

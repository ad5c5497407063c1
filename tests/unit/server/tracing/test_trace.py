from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from fronts import in_memory
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from srv import Settings, _server
from srv.tracing import _trace_file
from srv.tracing._trace import NOT_TRACED, TraceLevel, Tracer
from srv.tracing._trace_file import TraceRecord
from srv_protocol.errors import InvalidInput, ModelNotFound, SettingsError, Unsupported

if TYPE_CHECKING:
    from pathlib import Path

START = {"trace_level": ["OFF"], "trace_rate": ["1000"], "trace_count": ["-1"], "log_frequency": ["0"]}
ALL = {"trace_level": ["TIMESTAMPS", "TENSORS"], "trace_rate": ["1"]}
BOTH = frozenset(TraceLevel)


def choices(tracer: Tracer, model: str = "") -> dict[str, list[str]]:
    """Return the settings that can be changed."""
    return {key: values for key, values in tracer.settings(model).items() if key in START}


def sampled(tracer: Tracer, model: str, requests: int) -> list[int]:
    """Return which of the next requests are traced, counted from 1."""
    return [number for number in range(1, requests + 1) if tracer.sample(model)]


@pytest.fixture
def tracer(tmp_path: Path) -> Tracer:
    return Tracer(tmp_path / "trace.json")


def test_a_server_starts_with_tritons_defaults_and_traces_nothing(tracer: Tracer, tmp_path: Path) -> None:
    file = str(tmp_path / "trace.json")
    assert tracer.settings() == tracer.settings("m") == {**START, "trace_file": [file], "trace_mode": ["triton"]}
    assert tracer.sample("m") is NOT_TRACED
    assert Tracer(None).settings()["trace_file"] == [""]


# ---- Sampling


def test_every_nth_request_is_traced(tracer: Tracer) -> None:
    tracer.update({"trace_level": ["TIMESTAMPS"], "trace_rate": ["3"]})

    assert sampled(tracer, "m", 10) == [3, 6, 9]


def test_requests_are_traced_at_the_levels_that_were_chosen(tracer: Tracer) -> None:
    tracer.update(ALL)
    assert tracer.sample("m") == BOTH
    tracer.update({"trace_level": ["TENSORS", "TENSORS"]})
    assert tracer.sample("m") == {TraceLevel.TENSORS}
    tracer.update({"trace_level": ["OFF"]})
    assert tracer.sample("m") == NOT_TRACED


def test_the_count_counts_down_and_ends_tracing_at_zero(tracer: Tracer) -> None:
    tracer.update({**ALL, "trace_rate": ["2"], "trace_count": ["2"]})

    assert sampled(tracer, "m", 3) == [2]
    assert tracer.settings()["trace_count"] == ["1"]
    assert sampled(tracer, "m", 5) == [1]
    assert tracer.settings()["trace_count"] == ["0"]
    tracer.update({"trace_count": ["-1"]})
    assert sampled(tracer, "m", 4) == [2, 4]


def test_a_change_of_something_else_keeps_what_remains_of_the_count(tracer: Tracer) -> None:
    tracer.update({**ALL, "trace_count": ["5"]})
    tracer.update({"trace_count": ["4"]}, "m")
    assert len(sampled(tracer, "m", 3)) == 3
    assert len(sampled(tracer, "other", 2)) == 2

    tracer.update({"log_frequency": ["7"]})

    assert tracer.settings()["trace_count"] == ["3"]
    assert tracer.settings("m")["trace_count"] == ["1"]


def test_models_without_a_choice_share_one_count_and_others_have_their_own(tracer: Tracer) -> None:
    tracer.update({**ALL, "trace_rate": ["2"]})
    tracer.update({"trace_rate": ["1"]}, "own")

    assert [bool(tracer.sample(model)) for model in ("a", "b", "own", "a", "own", "b")] == [
        False, True, True, False, True, True,
    ]  # fmt: skip


def test_a_model_can_be_traced_alone(tracer: Tracer) -> None:
    tracer.update(ALL, "m")

    assert (tracer.sample("m"), tracer.sample("other")) == (BOTH, NOT_TRACED)


# ---- Changes


@pytest.mark.parametrize(
    ("key", "values", "message"),
    [
        ("trace_rate", ["0"], "Unable to parse 'trace_rate'. Expecting value >= 1, got: 0"),
        ("trace_rate", ["-1"], "Unable to parse 'trace_rate'. Expecting value >= 1, got: -1"),
        ("trace_rate", ["ten"], "Unable to parse 'trace_rate', got: ten"),
        ("trace_rate", ["1.5"], "Unable to parse 'trace_rate', got: 1.5"),
        ("trace_rate", ["1 "], "Unable to parse 'trace_rate', got: 1 "),
        ("trace_rate", ["\u0661"], "Unable to parse 'trace_rate', got: \u0661"),
        ("trace_rate", [""], "Unable to parse 'trace_rate', got: "),
        ("trace_rate", ["1" * 5000], "Unable to parse 'trace_rate', got: " + "1" * 40),
        (
            "trace_rate",
            ["4294967296"],
            "Unable to parse 'trace_rate', value is out of range [ 1, 4294967295 ], got: 4294967296",
        ),
        ("trace_rate", ["1", "2"], "expect only 1 value for 'trace_rate', got 2"),
        ("trace_count", ["-2"], "Unable to parse 'trace_count'. Expecting value >= -1, got: -2"),
        (
            "trace_count",
            ["2147483648"],
            "Unable to parse 'trace_count', value is out of range [ -1, 2147483647 ], got: 2147483648",
        ),
        ("log_frequency", ["-1"], "Unable to parse 'log_frequency'. Expecting value >= 0, got: -1"),
        ("trace_level", ["MAX"], "Unsupported trace level 'MAX': expected one of OFF, TIMESTAMPS, TENSORS"),
        ("trace_level", ["OFF", "TENSORS"], "Expect only one trace level 'OFF' is specified"),
        ("trace_level", [], "trace_level: expected at least one level, got none"),
        (
            "trace_mode",
            ["triton"],
            "unknown trace setting 'trace_mode': expected one of trace_level, trace_rate, trace_count, log_frequency",
        ),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(tracer: Tracer, key: str, values: list[str], message: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        tracer.update({**ALL, "log_frequency": ["5"], key: values})

    assert raised.value.message == message
    assert choices(tracer) == START
    assert tracer.sample("m") == NOT_TRACED


@pytest.mark.parametrize("values", [["elsewhere"], None])
def test_the_file_cannot_be_changed(tracer: Tracer, values: list[str] | None) -> None:
    with pytest.raises(Unsupported, match=r"^trace file location can not be updated through network protocol$"):
        tracer.update({**ALL, "trace_file": values})

    assert choices(tracer) == START


def test_without_a_file_nothing_is_traced_and_a_warning_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        tracer = Tracer(None)
        tracer.update({"trace_rate": ["1"]})
        tracer.update({"trace_level": ["OFF"]})
        assert caplog.messages == []
        tracer.update({"trace_level": ["TENSORS"]})

        assert caplog.messages == ["trace_level is on, and nothing is traced: the setting trace_file names no file"]
        assert tracer.settings()["trace_level"] == ["TENSORS"]
        assert tracer.sample("m") == NOT_TRACED
        tracer.write(TraceRecord("m", "", "", ()))
        await tracer.close()

    asyncio.run(run())


def test_a_file_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"^trace_file: expected a file in a folder that exists, got '.*trace.json'"
    ):
        Tracer(tmp_path / "missing" / "trace.json")
    with pytest.raises(SettingsError, match=r"^trace_file: expected a file, got the folder"):
        Tracer(tmp_path)


# ---- Files


def names_and_models(path: Path) -> list[tuple[int, str]]:
    """Return the ids and models in a file of traces."""
    traces: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))
    return [(each["id"], each["model_name"]) for each in traces if "model_name" in each]


def test_after_each_n_traces_a_new_file_begins(tmp_path: Path) -> None:
    """Each model with a choice of its own has files of its own, and each change begins another one."""

    async def run() -> None:
        tracer = Tracer(tmp_path / "t")
        tracer.update({**ALL, "log_frequency": ["2"]})
        tracer.update({"log_frequency": ["3"]}, "own")
        for model in ("a", "own", "b", "a", "own"):
            tracer.write(TraceRecord(model, "", "", ()))
        tracer.update({"log_frequency": ["0"]})
        for model in ("own", "a"):
            tracer.write(TraceRecord(model, "", "", ()))
        await tracer.close()

    asyncio.run(run())
    assert {path.name: names_and_models(path) for path in tmp_path.iterdir()} == {
        "t.0": [(1, "a"), (3, "b")],
        "t.1": [(2, "own"), (5, "own")],
        "t.2": [(4, "a")],
        "t.3": [(6, "own")],
        "t": [(7, "a")],
    }


def test_after_the_end_nothing_is_traced(tmp_path: Path) -> None:
    async def run() -> None:
        tracer = Tracer(tmp_path / "t")
        tracer.update(ALL)
        tracer.write(TraceRecord("m", "", "", ()))
        await tracer.close()
        assert tracer.sample("m") == NOT_TRACED
        tracer.write(TraceRecord("m", "", "", ()))
        await tracer.close()

    asyncio.run(run())
    assert names_and_models(tmp_path / "t") == [(1, "m")]


def test_a_server_that_traces_nothing_leaves_an_older_file_alone(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("older", "utf-8")

    asyncio.run(Tracer(tmp_path / "t").close())

    assert (tmp_path / "t").read_text("utf-8") == "older"


# ---- The server


def test_a_stop_waits_for_the_last_traces(tmp_path: Path) -> None:
    async def run() -> None:
        async with in_memory(Settings(trace_file=str(tmp_path / "t"))) as server:
            for _ in range(100):
                server.backend.tracer.write(TraceRecord("m", "", "", ()))
            assert await server.stop()

    asyncio.run(run())
    assert len(names_and_models(tmp_path / "t")) == 100


def test_a_stop_does_not_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that takes nothing any more, as on a network that is gone."""
    gone, back = threading.Event(), threading.Event()

    def append(*_: object) -> None:
        gone.set()
        back.wait()

    monkeypatch.setattr(_trace_file, "_append", append)
    monkeypatch.setattr(_server, "_LAST_TRACES", 0.01)

    async def run() -> None:
        async with in_memory(Settings(trace_file=str(tmp_path / "t"))) as server:
            server.backend.tracer.write(TraceRecord("m", "", "", ()))
            await asyncio.to_thread(gone.wait)
            assert await server.stop()

    try:
        asyncio.run(run())
    finally:
        back.set()
    assert caplog.messages == [f"{tmp_path / 't'}: some traces are not written yet, and are lost"]


def test_settings_can_be_made_before_a_model_is_loaded() -> None:
    """Others than those of the repository have none."""

    async def run() -> None:
        async with in_memory() as server:
            await server.registry.unload("echo")
            assert server.backend.trace_settings({"trace_rate": ["3"]}, "echo")["trace_rate"] == ["3"]
            with pytest.raises(ModelNotFound):
                server.backend.trace_settings({"trace_rate": ["3"]}, "nobody")

    asyncio.run(run())


# ---- Any order of changes


MODELS = ["", "a", "b"]
VALUES: dict[str, st.SearchStrategy[list[str] | None]] = {
    "trace_level": st.sampled_from([["OFF"], ["TIMESTAMPS"], ["TENSORS"], ["TIMESTAMPS", "TENSORS"], None]),
    "trace_rate": st.sampled_from([["1"], ["2"], ["3"], None]),
    "trace_count": st.sampled_from([["-1"], ["0"], ["3"], None]),
    "log_frequency": st.sampled_from([["0"], ["5"], None]),
}


class Changes(RuleBasedStateMachine):
    """The tracer against three dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.tracer = Tracer(None)
        self.chosen: dict[str, dict[str, list[str]]] = {model: {} for model in MODELS}

    def _choose(self, model: str, changes: dict[str, list[str] | None]) -> None:
        for key, values in changes.items():
            if values is None:
                self.chosen[model].pop(key, None)
            else:
                self.chosen[model][key] = values

    @rule(model=st.sampled_from(MODELS), changes=st.fixed_dictionaries({}, optional=VALUES))
    def change(self, model: str, changes: dict[str, list[str] | None]) -> None:
        self.tracer.update(changes, model)
        self._choose(model, changes)

    @rule(model=st.sampled_from(MODELS), changes=st.fixed_dictionaries({}, optional=VALUES))
    def change_wrongly(self, model: str, changes: dict[str, list[str] | None]) -> None:
        with pytest.raises(InvalidInput):
            self.tracer.update({**changes, "nonsense": ["1"]}, model)

    @rule(model=st.sampled_from(MODELS))
    def clear(self, model: str) -> None:
        self.tracer.update(dict.fromkeys(START), model)
        self.chosen[model] = {}

    @invariant()
    def a_choice_of_the_model_ranks_above_one_for_all(self) -> None:
        for model in (*MODELS, "c"):
            assert choices(self.tracer, model) == {**START, **self.chosen[""], **self.chosen.get(model, {})}


TestChanges = Changes.TestCase

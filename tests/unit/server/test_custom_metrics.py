"""Metrics of models' own."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import itertools
import threading
from typing import TYPE_CHECKING, Any

import prometheus_client
import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

import srv
from srv import MLModel, ModelParameters, ModelSettings
from srv._custom_metrics import ModelMetrics, _raw
from srv._logging import model_context
from srv._metrics import Metrics
from srv._state import Changes
from srv.controlplane._registry import ModelRegistry
from srv.errors import InvalidModelContext, LoadError, MetricError, MLServerError
from srv.metrics import counter, gauge, histogram

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

_numbers = itertools.count()


@pytest.fixture
def name() -> str:
    """Return a name that no other test has."""
    return f"custom_{next(_numbers)}"


@contextlib.contextmanager
def model(name: str = "counted", version: str = "") -> Generator[None]:
    """Run as a model that is loaded, and unloaded in the end."""
    metrics = ModelMetrics(name, version)
    try:
        with model_context(name, version):
            yield
    finally:
        metrics.release()


def samples(name: str) -> dict[tuple[str, ...], float]:
    """Return what is shown of a metric: the values of its labels -> its value."""
    text = Metrics("rest_server").render().decode()
    return {
        tuple(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def test_log_counts_in_a_histogram_with_the_models_labels(name: str) -> None:
    """It need not be registered, as with MLServer."""
    with model("counted", "1"):
        srv.log(**{name: 34})
        srv.log(**{name: 2, f"{name}_other": 1})

        assert samples(f"{name}_count") == {("counted", "1"): 2}
        assert samples(f"{name}_sum") == {("counted", "1"): 36}
        assert samples(f"{name}_other_sum") == {("counted", "1"): 1}


def test_the_same_name_is_the_same_metric(name: str) -> None:
    with model("counted", "1"):
        first = srv.register(name, "What it counts")
        first.observe(1)
    with model("n"), model("counted", "2"):
        second = srv.register(name, "What it counts")
        assert srv.register(name, "Said otherwise") is second
        assert histogram(name) is second
        second.observe(2)
        srv.log(**{name: 3})

        assert samples(f"{name}_sum") == {("counted", "2"): 5}


def test_counters_gauges_and_histograms(name: str) -> None:
    with model():
        requests = counter(name, "Requests", labels=["outcome"])
        requests.inc(outcome="good")
        requests.inc(2, outcome="bad")
        waiting = gauge(f"{name}_waiting")
        waiting.set(5)
        waiting.inc()
        waiting.dec(2)
        sizes = histogram(f"{name}_sizes", buckets=[1, 10])
        sizes.observe(4)

        assert samples(f"{name}_total") == {("counted", "", "good"): 1, ("counted", "", "bad"): 2}
        assert samples(f"{name}_waiting") == {("counted", ""): 4}
        assert samples(f"{name}_sizes_bucket") == {
            ("1.0", "counted", ""): 0,
            ("10.0", "counted", ""): 1,
            ("+Inf", "counted", ""): 1,
        }


def test_outside_of_a_model_counting_is_an_error(name: str) -> None:
    requests = counter(name)

    uses: list[Callable[[], None]] = [requests.inc, lambda: srv.log(**{f"{name}_log": 1})]
    for use in uses:
        with pytest.raises(InvalidModelContext, match="expected to be used by a model's code, got no model"):
            use()
    assert issubclass(InvalidModelContext, MLServerError)


def test_threads_of_a_model_count_in_its_context(name: str) -> None:
    failed: list[BaseException] = []

    def count() -> None:
        try:
            srv.log(**{name: 1})
        except InvalidModelContext as error:
            failed.append(error)

    async def run() -> None:
        await asyncio.to_thread(count)
        await asyncio.create_task(asyncio.to_thread(count))

    with model():
        asyncio.run(run())
        threads = [
            threading.Thread(target=count),
            threading.Thread(target=contextvars.copy_context().run, args=(count,)),
        ]
        for thread in threads:
            thread.start()
            thread.join()
        assert samples(f"{name}_count") == {("counted", ""): 3 + (not failed)}


REFUSED: list[tuple[Callable[[str], object], str]] = [
    (lambda _: counter("a-b"), "metric 'a-b': expected a name of letters, digits, '_' and ':'"),
    (lambda _: counter(""), "metric '': expected a name"),
    (lambda name: counter(name, labels=["model_name"]), "expected labels .* got 'model_name'"),
    (lambda name: counter(name, labels=["a b"]), "expected labels .* got 'a b'"),
    (lambda name: counter(name, labels=["a", "a"]), "expected labels of different names"),
    (lambda _: counter("model_infer_request_success"), "'model_infer_request_success.*', which is the server's"),
    (
        lambda _: gauge("model_infer_request_duration_sum"),
        "got 'model_infer_request_duration_sum', which is the server's",
    ),
    (lambda _: srv.register("grpc_server_handled_total", ""), "which is the server's"),
    (lambda _: gauge("python_info"), "metric 'python_info': Duplicated timeseries"),
]


@pytest.mark.parametrize(("register", "message"), REFUSED)
def test_names_that_cannot_be_had_are_refused(register: Any, message: str, name: str) -> None:
    Metrics("rest_server")
    with model(), pytest.raises(MetricError, match=message):
        register(name)


def test_another_kind_of_metric_under_one_name_is_refused(name: str) -> None:
    with model("a"):
        counter(name, labels=["x"])
        with (
            model("b"),
            pytest.raises(
                MetricError, match=f"metric '{name}': expected a counter with the labels x, .*, got a gauge without"
            ),
        ):
            gauge(name)
        with pytest.raises(MetricError, match="expected a histogram, got a counter"):
            srv.log(**{name: 1})


def test_other_labels_than_those_that_were_registered_are_refused(name: str) -> None:
    with model():
        with pytest.raises(MetricError, match=r"expected the labels \['x'\], got \['y'\]"):
            counter(name, labels=["x"]).inc(y="1")
        with pytest.raises(MetricError, match="not negative, got -1"):
            counter(f"{name}_other").inc(-1)


# ---- Models that come and go


class Counting(MLModel):
    name_of_metric = ""
    labels: tuple[str, ...] = ()

    def load(self) -> None:
        self.metric = counter(self.name_of_metric, labels=self.labels)
        self.metric.inc(1, **dict.fromkeys(self.labels, "a"))


def settings(cls: type[MLModel], name: str, version: str | None = None) -> ModelSettings:
    return ModelSettings(name=name, implementation=cls, parameters=ModelParameters(version=version))


def test_what_is_counted_outlives_a_reload_and_ends_with_the_model(name: str) -> None:
    cls = type("Counted", (Counting,), {"name_of_metric": name})

    async def run() -> None:
        registry = ModelRegistry(Changes())
        for version in ("1", "2"):
            await registry.load(settings(cls, "counted", version))
        await registry.load(settings(cls, "counted", "1"))
        await asyncio.gather(*registry._retiring)
        assert samples(f"{name}_total") == {("counted", "1"): 2, ("counted", "2"): 1}
        await registry.unload("counted", "1")
        assert samples(f"{name}_total") == {("counted", "2"): 1}
        await registry.unload("counted")
        assert samples(f"{name}_total") == {}
        await registry.load(settings(cls, "counted", "2"))
        assert samples(f"{name}_total") == {("counted", "2"): 1}
        await registry.close()

    asyncio.run(run())


def test_a_model_that_is_loaded_anew_may_change_its_metric(name: str) -> None:
    async def run() -> None:
        registry = ModelRegistry(Changes())
        for labels in ((), ("x",)):
            await registry.load(
                settings(type("Changed", (Counting,), {"name_of_metric": name, "labels": labels}), "counted")
            )
        assert samples(f"{name}_total") == {("counted", "", "a"): 1}
        await registry.close()

    asyncio.run(run())


def write_raw(folder: Path, name: str, rest: str = "") -> ModelSettings:
    """Write a model whose module registers with prometheus-client itself."""
    code = f"""
import prometheus_client
from srv import MLModel

SEEN = prometheus_client.Counter("{name}", "Seen")
SEEN.inc()
{rest}

class Raw(MLModel):
    pass
"""
    folder.joinpath("raw.py").write_text(code, encoding="utf-8")
    return ModelSettings(name="raw", implementation="raw.Raw", source=folder / "model-settings.json")


def test_raw_metrics_of_a_models_module_can_be_registered_by_each_load(name: str, tmp_path: Path) -> None:
    async def run() -> None:
        registry = ModelRegistry(Changes())
        raw = write_raw(tmp_path, name)
        for _ in range(3):
            await registry.load(raw)
        assert samples(f"{name}_total") == {(): 1}
        await asyncio.gather(*registry._retiring)
        (load,) = _raw._loads["raw", ""]
        assert load.replaced == []
        assert sum(each.load.key == load.key for each in _raw._owned) == 1
        await registry.unload("raw")
        await registry.load(raw)
        assert samples(f"{name}_total") == {(): 1}
        await registry.close()

    Metrics("rest_server")
    asyncio.run(run())


def test_raw_metrics_come_back_when_the_new_load_fails(name: str, tmp_path: Path) -> None:
    async def run() -> None:
        registry = ModelRegistry(Changes())
        await registry.load(write_raw(tmp_path, name, "SEEN.inc(6)"))
        with pytest.raises(LoadError, match="ZeroDivisionError"):
            await registry.load(write_raw(tmp_path, name, "1 / 0"))
        await asyncio.gather(*registry._retiring)
        assert samples(f"{name}_total") == {(): 7}
        await registry.close()

    Metrics("rest_server")
    asyncio.run(run())


def test_raw_metrics_of_two_models_or_twice_in_one_are_refused_as_ever(name: str, tmp_path: Path) -> None:
    async def run() -> None:
        registry = ModelRegistry(Changes())
        twice = f'prometheus_client.Gauge("{name}", "Again")'
        with pytest.raises(LoadError, match="Duplicated timeseries"):
            await registry.load(write_raw(tmp_path, name, twice))
        with pytest.raises(LoadError, match=r"metric 'rest_server_requests.*': expected a name of its own"):
            await registry.load(write_raw(tmp_path, "rest_server_requests"))
        await registry.close()

    Metrics("rest_server")
    asyncio.run(run())
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        prometheus_client.Counter("python_info", "Not a model's")
    assert callable(REGISTRY.register)


def test_a_metric_of_an_installed_package_outlives_the_model_that_imported_it_first(name: str) -> None:
    """Its module runs once: neither a second model, nor a second load, registers the metric again."""
    with model("first"):
        metric = counter(name)
        metric.inc()
        with model("second"):
            metric.inc(2)
            assert samples(f"{name}_total") == {("first", ""): 1, ("second", ""): 2}
    assert samples(f"{name}_total") == {}
    with model("second"):
        metric.inc(3)
        assert samples(f"{name}_total") == {("second", ""): 3}
        with model("first"):
            metric.inc(4)
        assert samples(f"{name}_total") == {("second", ""): 3}
    with model("other"):
        gauge(name)
        with model("second"), pytest.raises(MetricError, match=r"expected a gauge.*got a counter"):
            metric.inc()
    assert samples(f"{name}_total") == {}


def test_a_model_that_is_unloaded_counts_no_more(name: str) -> None:
    """As in a thread that it has left behind: its values would stay for ever."""
    with model("gone"):
        metric = counter(name)
        context = contextvars.copy_context()
    with pytest.raises(InvalidModelContext, match="got model 'gone', which is unloaded"):
        context.run(metric.inc)
    with pytest.raises(InvalidModelContext, match="got model 'gone', which is unloaded"):
        context.run(srv.log, **{f"{name}_log": 1})
    with model("stays"):
        metric.inc()
        with pytest.raises(InvalidModelContext, match="got model 'gone', which is unloaded"):
            context.run(metric.inc)
        assert samples(f"{name}_total") == {("stays", ""): 1}


class Failing(Counting):
    """Registers, counts, and fails to load."""

    def load(self) -> None:
        super().load()
        raise ZeroDivisionError


def test_a_load_that_fails_leaves_the_metrics_of_the_one_before(name: str) -> None:
    async def run() -> None:
        registry = ModelRegistry(Changes())
        await registry.load(settings(type("Good", (Counting,), {"name_of_metric": name}), "counted"))
        bad = type("Bad", (Failing,), {"name_of_metric": name, "labels": ("x",)})
        for _ in range(2):
            with pytest.raises(LoadError, match="ZeroDivisionError"):
                await registry.load(settings(bad, "counted"))
            await asyncio.gather(*registry._retiring)
            assert samples(f"{name}_total") == {("counted", ""): 1}
        other = type("Other", (Failing,), {"name_of_metric": f"{name}_other"})
        with pytest.raises(LoadError, match="ZeroDivisionError"):
            await registry.load(settings(other, "counted"))
        await asyncio.gather(*registry._retiring)
        assert samples(f"{name}_other_total") == {}
        await registry.close()
        assert samples(f"{name}_total") == {}

    asyncio.run(run())


def test_a_metric_of_the_servers_kind_may_take_the_place_of_a_raw_one_and_is_forgotten_with_its_model(
    name: str, tmp_path: Path
) -> None:
    own = (
        f"import srv.metrics\n\nclass Raw(MLModel):\n    def load(self):\n        srv.metrics.counter('{name}').inc(5)"
    )

    def write_own(rest: str = "") -> ModelSettings:
        made = write_raw(tmp_path, name)
        (tmp_path / "raw.py").write_text(f"from srv import MLModel\n{own}\n{rest}", encoding="utf-8")
        return made

    async def run() -> None:
        registry = ModelRegistry(Changes())
        before = len(_raw._owned)
        await registry.load(write_raw(tmp_path, name))
        with pytest.raises(LoadError, match="ZeroDivisionError"):
            await registry.load(write_own("        1 / 0"))
        await asyncio.gather(*registry._retiring)
        assert samples(f"{name}_total") == {(): 1}
        for _ in range(3):
            await registry.load(write_own())
        assert samples(f"{name}_total") == {("raw", ""): 15}
        with pytest.raises(LoadError, match="Duplicated timeseries"):
            await registry.load(write_raw(tmp_path, name))
        await asyncio.gather(*registry._retiring)
        assert samples(f"{name}_total") == {("raw", ""): 15}
        await registry.unload("raw")
        assert samples(f"{name}_total") == {}
        for _ in range(2):
            await registry.load(write_raw(tmp_path, name))
        assert samples(f"{name}_total") == {(): 1}
        await registry.close()
        assert len(_raw._owned) <= before + 1

    Metrics("rest_server")
    asyncio.run(run())

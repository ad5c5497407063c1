from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srv import MLModel, ModelParameters, ModelSettings
from srv._state import Changes
from srv.controlplane._entry import ModelState, version_key
from srv.controlplane._registry import ModelRegistry
from srv.controlplane._repository import BrokenModel
from srv.errors import LoadError, ModelNotFound, ModelNotReady
from srv.types import InferenceResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from srv.types import InferenceRequest


class Good(MLModel):
    unloaded = 0

    async def unload(self) -> bool:
        type(self).unloaded += 1
        return True


class Failing(MLModel):
    def load(self) -> None:
        message = "no artefact"
        raise ValueError(message)


class Refusing(MLModel):
    async def load(self) -> bool:
        return False


class ReturnsNothing(MLModel):
    def load(self) -> None:
        return


class Slow(MLModel):
    gate: asyncio.Event

    async def load(self) -> bool:
        await self.gate.wait()
        return True


def settings(cls: type[MLModel], name: str = "m", version: str | None = None) -> ModelSettings:
    return ModelSettings(name=name, implementation=cls, parameters=ModelParameters(version=version))


def registry() -> ModelRegistry:
    return ModelRegistry(Changes())


def test_a_loaded_model_is_found_and_ready() -> None:
    async def run() -> None:
        models = registry()
        await models.load(settings(Good))

        assert models.find("m").runtime.ready
        assert models.is_ready("m")
        assert [(each.name, each.state) for each in models.entries()] == [("m", ModelState.READY)]

    asyncio.run(run())


class SetsParameters(MLModel):
    async def load(self) -> bool:
        assert self.settings.parameters.content_type is None
        self._settings.parameters.content_type = "pd"
        self._settings.parameters.extra["loads"] = 1
        return True


def test_the_parameters_of_a_runtime_are_its_own() -> None:
    """As MLServer's runtime for MLflow sets its content type."""

    async def scenario() -> None:
        given, models = settings(SetsParameters), registry()
        for _ in range(2):
            await models.load(given)
            assert models.find("m").runtime.settings.parameters.content_type == "pd"
        assert given == settings(SetsParameters)

    asyncio.run(scenario())


def test_a_load_that_returns_nothing_counts_as_loaded() -> None:
    async def run() -> None:
        models = registry()
        await models.load(settings(ReturnsNothing))

        assert models.is_ready("m")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("cls", "reason"),
    [(Failing, "ValueError: no artefact"), (Refusing, "load() returned False")],
    ids=["raises", "False"],
)
def test_a_model_that_cannot_be_loaded_stays_with_its_reason(cls: type[MLModel], reason: str) -> None:
    async def run() -> None:
        models = registry()
        with pytest.raises(LoadError) as raised:
            await models.load(settings(cls))

        assert str(raised.value) == f"failed to load 'm': load failed for model 'm': {reason}"
        (entry,) = models.entries()
        assert (entry.state, entry.reason) == (ModelState.UNAVAILABLE, reason)
        with pytest.raises(ModelNotFound, match="'m' has no available versions"):
            models.find("m")

    asyncio.run(run())


def test_a_reload_that_fails_leaves_the_old_model_in_service() -> None:
    async def run() -> None:
        models = registry()
        await models.load(settings(Good))
        before = models.find("m")
        with pytest.raises(LoadError):
            await models.load(settings(Failing))

        assert models.find("m") is before

    asyncio.run(run())


def test_a_reload_swaps_at_once_and_unloads_the_old_model_after_its_last_request() -> None:
    async def run() -> None:
        models = registry()
        Good.unloaded = 0
        await models.load(settings(Good))
        old = models.find("m")
        with old.use():
            await models.load(settings(Good))
            await asyncio.sleep(0)

            assert models.find("m") is not old
            assert Good.unloaded == 0
        await models.close()

        assert Good.unloaded == 2

    asyncio.run(run())


def test_unloading_waits_for_running_requests() -> None:
    async def run() -> None:
        models = registry()
        Good.unloaded = 0
        await models.load(settings(Good))
        with models.find("m").use():
            unloading = asyncio.create_task(models.unload("m"))
            await asyncio.sleep(0)

            assert [each.state for each in models.entries()] == [ModelState.UNLOADING]
            assert not unloading.done()
            assert Good.unloaded == 0
        await unloading

        assert Good.unloaded == 1
        assert [each.state for each in models.entries()] == [ModelState.UNAVAILABLE]
        assert not models.is_ready("m")

    asyncio.run(run())


def test_a_model_that_is_being_loaded_is_not_ready_rather_than_unknown() -> None:
    async def run() -> None:
        Slow.gate = asyncio.Event()
        models = registry()
        loading = asyncio.create_task(models.load(settings(Slow)))
        while not models.entries() or models.entries()[0].state is not ModelState.LOADING:
            await asyncio.sleep(0)
        with pytest.raises(ModelNotReady, match="model 'm' is loading"):
            models.find("m")
        Slow.gate.set()
        await loading

        assert models.is_ready("m")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("versions", "default"),
    [
        (["1", "2", "10"], "10"),
        (["1", None, "2"], None),
        (["v3", "7"], "7"),
        (["beta", "alpha"], "beta"),
        (["v3", "v10"], "v10"),
        (["1.9.2", "1.10.0"], "1.10.0"),
    ],
    ids=["numbers by value", "none wins", "numbers before words", "words by letter", "digits by value", "dotted"],
)
def test_the_default_version(versions: list[str | None], default: str | None) -> None:
    async def run() -> None:
        models = registry()
        for version in versions:
            await models.load(settings(Good, version=version))

        assert models.find("m").runtime.version == default
        for version in filter(None, versions):
            assert models.find("m", version).runtime.version == version

    asyncio.run(run())


def test_an_unknown_model_and_an_unknown_version_are_not_found() -> None:
    async def run() -> None:
        models = registry()
        await models.load(settings(Good, version="1"))
        with pytest.raises(ModelNotFound, match="Request for unknown model: 'x' is not found"):
            models.find("x")
        with pytest.raises(ModelNotFound, match="Request for unknown model: 'm' version 9 is not found"):
            models.find("m", "9")
        with pytest.raises(ModelNotFound, match="failed to get model version from specified version string 'nine'"):
            models.find("m", "nine")
        with pytest.raises(ModelNotFound):
            models.is_ready("m", "9")
        with pytest.raises(ModelNotFound):
            await models.unload("x")

    asyncio.run(run())


def test_versions_sort_words_before_numbers() -> None:
    assert sorted(["10", "9", "v2", "a"], key=version_key) == ["a", "v2", "9", "10"]


@given(st.lists(st.text("0123a.", max_size=4), min_size=3, max_size=3))
def test_versions_have_one_order(versions: list[str]) -> None:
    """Total and transitive, as MLServer's is not; numbers of any length have a value."""
    one, two, three = versions
    keys = [version_key(each) for each in versions]

    assert (keys[0] == keys[1]) == (one == two)
    assert sorted(versions, key=version_key) == sorted([three, two, one], key=version_key)
    if one.isdigit() and two.isdigit() and int(one) < int(two):
        assert keys[0] < keys[1]
    assert version_key("9" * 5000) < version_key("1" + "0" * 5000)


def test_settings_that_could_not_be_read_are_entered_as_broken() -> None:
    async def run() -> None:
        models = registry()
        await models.load(settings(Good))
        models.report_broken([BrokenModel("bad", "line 3"), BrokenModel("m", "other file")])

        assert [(each.name, each.state, each.reason) for each in models.entries()] == [
            ("m", ModelState.READY, ""),
            ("bad", ModelState.UNAVAILABLE, "line 3"),
            ("m", ModelState.UNAVAILABLE, "other file"),
        ]
        assert models.is_ready("m")

    asyncio.run(run())


def test_models_with_the_same_module_name_have_code_of_their_own(tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        folder.joinpath("model-settings.json").write_text('{"implementation": "models.Runtime"}')
        folder.joinpath("models.py").write_text(
            f"from srv import MLModel\nNAME = {name!r}\nclass Runtime(MLModel):\n    def answer(self): return NAME\n"
        )

    async def run() -> None:
        models = ModelRegistry(Changes(), tmp_path)
        for name in ("one", "two"):
            await models.load(ModelSettings.parse_file(tmp_path / name / "model-settings.json", {}, sole=False))

        assert [models.find(name).runtime.answer() for name in ("one", "two")] == ["one", "two"]  # type: ignore[attr-defined]  # the runtime's own
        await models.close()

    asyncio.run(run())


def test_a_streaming_model_without_predict_is_decoupled() -> None:
    class Streams(MLModel):
        async def predict_stream(self, payloads: AsyncIterator[InferenceRequest]) -> AsyncIterator[InferenceResponse]:
            async for _ in payloads:
                yield InferenceResponse()

    class Both(Streams):
        async def predict(self, payload: InferenceRequest) -> InferenceResponse:
            return InferenceResponse(id=payload.id)

    async def run() -> None:
        models = registry()
        for name, cls in (("plain", Good), ("streams", Streams), ("both", Both)):
            await models.load(settings(cls, name))

        assert [(models.find(n).streams, models.find(n).decoupled) for n in ("plain", "streams", "both")] == [
            (False, False),
            (True, True),
            (True, False),
        ]

    asyncio.run(run())


class NoSuper(MLModel):
    def __init__(self, settings: ModelSettings) -> None:
        pass


class WrongInputs(MLModel):
    def load(self) -> None:
        self.inputs = [{"name": "x"}]  # type: ignore[list-item]


class NoMethod(MLModel):
    predict = 5  # type: ignore[assignment]


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError


class FailsUnspeakably(MLModel):
    def load(self) -> None:
        raise Unspeakable


class Bare(LoadError):
    def __init__(self) -> None:
        pass


class FailsBare(MLModel):
    def load(self) -> None:
        raise Bare


class SaysUnloaded(MLModel):
    def load(self) -> None:
        message = "unloaded"
        raise LoadError(message)


def test_a_model_that_is_loaded_again_is_wanted_again() -> None:
    """What it says of its readiness counts for the server's."""

    async def run() -> None:
        models = registry()
        await models.load(settings(ReturnsNothing))
        await models.unload("m")
        (entry,) = models.entries()
        assert not entry.wanted
        await models.load(settings(ReturnsNothing))
        assert entry.wanted
        await models.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("cls", "reason"),
    [
        (NoSuper, "NoSuper.__init__ does not call super().__init__(settings)"),
        (WrongInputs, "WrongInputs.inputs: expected a list of MetadataTensor"),
        (NoMethod, "NoMethod.predict: expected a method, got int"),
        (FailsUnspeakably, "Unspeakable"),
        (FailsBare, ""),
        (SaysUnloaded, "unloaded"),
    ],
)
def test_whatever_is_wrong_with_a_runtime_its_entry_says_so(cls: type[MLModel], reason: str) -> None:
    async def run() -> None:
        models = registry()
        with pytest.raises(LoadError):
            await models.load(settings(cls))

        (entry,) = models.entries()
        assert entry.state is ModelState.UNAVAILABLE
        assert reason in entry.reason
        assert entry.wanted

    asyncio.run(run())

"""Loads with a configuration and with files, and what is left of them."""

from __future__ import annotations

import asyncio
import json
import tempfile
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from srv._state import Changes
from srv.controlplane._controlplane import ControlPlane
from srv.controlplane._entry import ModelState
from srv.controlplane._model_config import model_config
from srv.controlplane._registry import ModelRegistry
from srv.controlplane._repository import FolderRepository
from srv.dataplane._cache import ResponseCache
from srv.errors import InvalidInput, LoadError, ModelNotFound, Unsupported

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from srv import ModelSettings

CODE = "from srv import MLModel\nclass Runtime(MLModel):\n    source = 'repository'\n"
OTHER = CODE.replace("repository", "request").encode()
FAILING = b"from srv import MLModel\nclass Runtime(MLModel):\n    def load(self):\n        raise ValueError('no')\n"
SETTINGS = b'{"implementation": "models.Runtime"}'


def add_model(folder: Path, code: str = CODE, **settings: object) -> None:
    folder.mkdir(parents=True)
    text = json.dumps({"implementation": "models.Runtime", **settings})
    folder.joinpath("model-settings.json").write_text(text, encoding="utf-8")
    folder.joinpath("models.py").write_text(code, encoding="utf-8")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with the model ``m``, and the versions 1, 2 and 10 of ``v``."""
    add_model(tmp_path / "repository" / "m", parameters={"extra": {"k": "v", "n": 1}}, max_batch_size=4)
    for version in ("1", "2", "10"):
        add_model(tmp_path / "repository" / f"v{version}", name="v", parameters={"version": version})
    return tmp_path / "repository"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder where temporary folders are made; nothing may be left in it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert not list(folder.iterdir())


def run(
    repository: Path, test: Callable[[ControlPlane, ModelRegistry], Awaitable[None]], *, allow_files: bool = True
) -> None:
    """Run a test on a repository whose models are loaded, and close it."""

    async def whole() -> None:
        registry = ModelRegistry(Changes(), repository)
        control = ControlPlane(FolderRepository(repository, {}), registry, allow_files=allow_files)
        await control.load_all()
        try:
            await test(control, registry)
        finally:
            await registry.close()
            await control.close()

    asyncio.run(whole())


def config(**fields: object) -> dict[str, object]:
    return {"config": json.dumps(fields)}


def folders(temporary: Path) -> int:
    """Return how many loads have files now."""
    return sum(len(list(root.iterdir())) for root in temporary.iterdir())


def source_of(registry: ModelRegistry) -> str:
    runtime: Any = registry.find("m").runtime
    return str(runtime.source)


def states(registry: ModelRegistry, name: str) -> dict[str, tuple[str, str]]:
    return {each.version: (each.state.value, each.reason) for each in registry.entries() if each.name == name}


def test_a_configuration_lasts_until_the_next_load(repository: Path) -> None:
    async def test(control: ControlPlane, registry: ModelRegistry) -> None:
        tensor = {"name": "x", "data_type": "TYPE_STRING", "dims": [3]}
        await control.load("m", config(max_batch_size=16, input=[tensor], parameters={}, dynamic_batching={}))
        runtime = registry.find("m").runtime
        shown = model_config(registry.find("m"))
        await control.load("m")

        assert runtime.settings.max_batch_size == 16
        assert (runtime.inputs[0].datatype, runtime.inputs[0].shape) == ("BYTES", [-1, 3])
        assert runtime.settings.parameters.extra == {"n": 1}
        assert (shown.max_batch_size, shown.input[0].dims) == (16, [3])
        assert shown.dynamic_batching is not None
        assert model_config(registry.find("m")).dynamic_batching is None
        assert registry.find("m").runtime.settings.max_batch_size == 4
        assert registry.find("m").runtime.settings.parameters.extra == {"k": "v", "n": 1}

    run(repository, test)


def test_versions_that_the_policy_passes_over_are_unloaded(repository: Path) -> None:
    async def test(control: ControlPlane, registry: ModelRegistry) -> None:
        await control.load("v", config(version_policy={"latest": {"num_versions": 2}}))
        assert states(registry, "v") == {"1": ("UNAVAILABLE", "unloaded"), "2": ("READY", ""), "10": ("READY", "")}

        await control.load("v", config(version_policy={"specific": {"versions": [1]}}))
        assert registry.versions("v") == ["1"]
        with pytest.raises(LoadError, match="version 3 is not in the model repository"):
            await control.load("v", config(version_policy={"specific": {"versions": [2, 3]}}))
        assert registry.versions("v") == ["1"]

        await control.load("v")
        assert registry.versions("v") == ["1", "2", "10"]

    run(repository, test)


def test_loads_of_one_model_do_not_mix_their_versions(repository: Path) -> None:
    async def test(control: ControlPlane, registry: ModelRegistry) -> None:
        policies: list[dict[str, Any]] = [{"specific": {"versions": [each]}} for each in (1, 2, 10)]
        await asyncio.gather(*(control.load("v", config(version_policy=each)) for each in policies))

        assert registry.versions("v") == ["10"]

    run(repository, test)


def test_versions_are_loaded_together_or_not_at_all(repository: Path) -> None:
    """Those that are loaded stay as they are, and of those that are not the state says why."""
    (repository / "v2" / "models.py").write_text("import no_such_package", encoding="utf-8")

    async def test(control: ControlPlane, registry: ModelRegistry) -> None:
        await control.unload("v")
        await control.load("v", config(version_policy={"specific": {"versions": [1]}}))
        before = registry.find("v", "1")
        with pytest.raises(LoadError, match="failed to load 'v' version 2: "):
            await control.load("v", config(max_batch_size=16))

        assert registry.find("v", "1") is before
        found = states(registry, "v")
        assert found["10"] == ("UNAVAILABLE", "not loaded without version 2, which failed")
        assert "no_such_package" in found["2"][1]

        (repository / "v2" / "models.py").write_text(CODE, encoding="utf-8")
        await control.load("v", config(max_batch_size=16))
        sizes = [registry.find("v", version).runtime.settings.max_batch_size for version in ("1", "2", "10")]
        assert sizes == [16, 16, 16]

    run(repository, test)


def test_whoever_goes_before_their_turn_loads_nothing(repository: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What has begun goes on without them."""

    async def test(control: ControlPlane, registry: ModelRegistry) -> None:
        before = registry.find("m")
        caplog.clear()
        loads = [asyncio.ensure_future(control.load("m")) for _ in range(5)]
        await asyncio.sleep(0)  # the first has begun, and the others wait
        for load in loads:
            load.cancel()
        await asyncio.wait(loads)
        await control.unload("m")
        # The replaced one is unloaded behind the load's back.
        await asyncio.gather(*registry._retiring)

        assert before.runtime.ready is False
        assert [each.getMessage() for each in caplog.records].count("model 'm' is loaded") == 1

    caplog.set_level("INFO", "srv")
    run(repository, test)


def test_a_fault_of_a_load_that_nobody_waits_for_is_logged(
    repository: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That a model cannot be loaded is not such a fault: the registry says it."""

    async def test(control: ControlPlane, registry: ModelRegistry) -> None:
        caplog.clear()
        for error in (KeyError("a fault"), LoadError("no fault")):
            begun, go_on = asyncio.Event(), asyncio.Event()

            async def fail(*_: object, begun: asyncio.Event, go_on: asyncio.Event, error: Exception) -> None:
                begun.set()
                await go_on.wait()
                raise error

            monkeypatch.setattr(registry, "load_versions", partial(fail, begun=begun, go_on=go_on, error=error))
            load = asyncio.ensure_future(control.load("m"))
            await begun.wait()
            load.cancel()
            await asyncio.wait({load})
            go_on.set()
            await control.unload("m")

        assert [each.getMessage() for each in caplog.records] == [
            "model 'm': a load or unload failed, and its client has gone"
        ]
        assert "KeyError: 'a fault'" in caplog.text

    run(repository, test)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"model_transaction_policy": {"decoupled": True}}, "decoupled: expected False"),
        ({"sequence_batching": {}}, "the runtime is not stateful"),
        ({"response_cache": {"enable": True}}, "enable: expected false"),
    ],
)
def test_what_the_configuration_says_of_the_runtime_must_be_so(
    repository: Path, fields: dict[str, Any], error: str
) -> None:
    async def test(control: ControlPlane, registry: ModelRegistry) -> None:
        before = registry.find("m")
        with pytest.raises(LoadError, match=rf"load failed for model 'm': config\..*{error}"):
            await control.load("m", config(**fields))

        assert registry.find("m") is before

    run(repository, test)


def test_a_configuration_switches_the_cache_of_a_model(repository: Path) -> None:
    async def run() -> None:
        registry = ModelRegistry(Changes(), repository, cache=ResponseCache(1, 1, None))
        control = ControlPlane(FolderRepository(repository, {}), registry)
        for enable in (True, False):
            await control.load("m", config(response_cache={"enable": enable}))
            model = registry.find("m")

            assert (model.cache is not None) is enable
            assert (model_config(model).response_cache is not None) is enable
        await control.load("m")
        assert registry.find("m").cache is None
        await registry.close()

    asyncio.run(run())


def test_a_stateful_runtime_has_sequence_batching(repository: Path) -> None:
    (repository / "m" / "models.py").write_text(f"{CODE}    stateful = True\n", encoding="utf-8")

    async def test(control: ControlPlane, registry: ModelRegistry) -> None:
        assert model_config(registry.find("m")).sequence_batching is not None
        await control.load("m", config(sequence_batching={"max_sequence_idle_microseconds": "5"}))
        shown = model_config(registry.find("m")).sequence_batching
        assert shown is not None
        assert shown.max_sequence_idle_microseconds == 5
        with pytest.raises(LoadError, match="the runtime is stateful"):
            await control.load("m", config(dynamic_batching={}))

    run(repository, test)


# ---- Files


@pytest.mark.usefixtures("temporary")
def test_files_stand_in_for_the_folder_and_go_with_the_load(repository: Path) -> None:
    """The settings are those of the repository, and what they name in its folder is looked for in the new one."""

    async def test(control: ControlPlane, registry: ModelRegistry) -> None:
        await control.load("m", {**config(max_batch_size=2), "file:models.py": OTHER})
        settings = registry.find("m").runtime.settings
        assert source_of(registry) == "request"
        assert settings.max_batch_size == 2
        assert settings.folder is not None
        assert (settings.folder / "models.py").read_bytes() == OTHER
        assert settings.parameters.uri == str(settings.folder)

        await control.load("m", {**config(), "file:models.py": OTHER})
        await control.load("m")
        assert source_of(registry) == "repository"

    run(repository, test)


def test_files_are_removed_with_the_unload(repository: Path, temporary: Path) -> None:
    async def test(control: ControlPlane, registry: ModelRegistry) -> None:
        await control.load("m", {**config(), "file:models.py": OTHER})
        assert folders(temporary) == 1
        await control.unload("m", {"unload_dependents": True})
        assert folders(temporary) == 0
        assert states(registry, "m") == {"": ("UNAVAILABLE", "unloaded")}

    run(repository, test)


def test_versions_share_the_files_of_their_load(repository: Path, temporary: Path) -> None:
    async def test(control: ControlPlane, registry: ModelRegistry) -> None:
        await control.load("v", {**config(), "file:models.py": OTHER})
        assert folders(temporary) == 1
        await registry.unload("v", "1")
        await registry.unload("v", "2")
        assert folders(temporary) == 1
        await registry.unload("v", "10")
        assert folders(temporary) == 0

    run(repository, test)


@pytest.mark.usefixtures("temporary")
def test_a_model_that_the_repository_does_not_have_comes_with_its_settings(repository: Path) -> None:
    files = {"file:model-settings.json": SETTINGS, "file:models.py": OTHER}

    async def test(control: ControlPlane, registry: ModelRegistry) -> None:
        await control.load("new", {**config(platform="p"), **files})
        assert registry.find("new").runtime.settings.platform == "p"
        # The next load without files finds it nowhere, and leaves it as it is.
        with pytest.raises(LoadError, match="there is no such model"):
            await control.load("new")
        assert registry.is_ready("new")

    run(repository, test)


@pytest.mark.usefixtures("temporary")
def test_files_may_bring_versions_in_folders_of_their_own(repository: Path) -> None:
    files: dict[str, bytes] = {}
    for version in ("1", "2"):
        text = json.dumps({"implementation": "models.Runtime", "name": "m", "parameters": {"version": version}})
        files |= {f"file:{version}/model-settings.json": text.encode(), f"file:{version}/models.py": OTHER}

    async def test(control: ControlPlane, registry: ModelRegistry) -> None:
        await control.load("m", {**config(version_policy={"latest": {"num_versions": 1}}), **files})
        assert registry.versions("m") == ["2"]

    run(repository, test)


@pytest.mark.parametrize(
    ("name", "files", "error"),
    [
        ("m", {"models.py": FAILING}, "load failed for model 'm': ValueError: no"),
        (
            "m",
            {"other.py": b""},
            "load failed for model 'm': model 'm': implementation 'models.Runtime': no module 'models' in",
        ),
        ("m", {"model-settings.json": b"{"}, "failed to load 'm': model-settings.json: expected JSON"),
        ("m", {"model-settings.json": b'{"name": "x", "implementation": "a.B"}'}, "expected the same name, got 'x'"),
        ("new", {"models.py": OTHER}, "there is no such model, and no model-settings.json among the files"),
        ("new", {"model-settings.json": SETTINGS, "models.py": FAILING}, "load failed for model 'new': ValueError: no"),
    ],
    ids=["code fails", "no code", "no settings", "another name", "unknown model", "new code fails"],
)
def test_a_load_that_fails_leaves_the_old_model_and_no_files(
    repository: Path, temporary: Path, name: str, files: dict[str, bytes], error: str
) -> None:
    """The error does not tell where the files were."""

    async def test(control: ControlPlane, registry: ModelRegistry) -> None:
        given = {f"file:{path}": content for path, content in files.items()}
        with pytest.raises(LoadError) as raised:
            await control.load(name, {**config(), **given})

        assert error in raised.value.message
        assert str(temporary) not in raised.value.message
        assert not any(str(temporary) in each.reason for each in registry.entries())
        assert source_of(registry) == "repository"

    run(repository, test)


def test_files_go_when_the_server_stops_while_code_still_runs(repository: Path, temporary: Path) -> None:
    """The store is closed before whoever holds the files has let go."""

    async def test(control: ControlPlane, registry: ModelRegistry) -> None:
        await control.load("m", {**config(), "file:models.py": OTHER})
        await control.close()
        assert folders(temporary) == 0
        assert registry.is_ready("m")

    run(repository, test)


@pytest.mark.usefixtures("temporary")
def test_files_are_refused_unless_the_settings_allow_them(repository: Path) -> None:
    async def test(control: ControlPlane, registry: ModelRegistry) -> None:
        with pytest.raises(Unsupported, match="allow_file_override is false"):
            await control.load("m", {**config(), "file:models.py": OTHER})
        with pytest.raises(InvalidInput, match="load parameter 'config' must be specified for model file override"):
            await control.load("m", {"file:models.py": OTHER})
        assert source_of(registry) == "repository"

    run(repository, test, allow_files=False)


# ---- Index and names


def test_the_index_has_the_names_of_models_that_were_never_loaded(repository: Path) -> None:
    async def test(control: ControlPlane, registry: ModelRegistry) -> None:
        add_model(repository / "later")
        (repository / "broken").mkdir()
        (repository / "broken" / "model-settings.json").write_text("{", encoding="utf-8")
        index = [(each.name, each.version, each.state, each.reason) for each in await control.index()]
        ready = [each.name for each in await control.index(only_ready=True)]

        assert index == [
            ("m", "", "READY", ""),
            ("v", "1", "READY", ""),
            ("v", "2", "READY", ""),
            ("v", "10", "READY", ""),
            ("broken", "", "", ""),
            ("later", "", "", ""),
        ]
        assert ready == ["m", "v", "v", "v"]
        assert {each.state for each in registry.entries()} == {ModelState.READY}

    run(repository, test)


@pytest.mark.parametrize("name", ["", " ", ".", "..", "../m", "a/b", "a\\b", "a\0b"])
def test_a_name_that_is_none_is_refused(repository: Path, name: str) -> None:
    async def test(control: ControlPlane, registry: ModelRegistry) -> None:
        for call in (control.load, control.unload):
            with pytest.raises(InvalidInput, match=r"Model name cannot be empty|must not contain path traversal"):
                await call(name)
        assert len(registry.entries()) == 4

    run(repository, test)


@pytest.mark.parametrize("name", ["..x", "a..1", "..."])
def test_dots_in_a_name_are_legal(repository: Path, name: str) -> None:
    add_model(repository / "dots", name=name)

    async def test(control: ControlPlane, registry: ModelRegistry) -> None:
        await control.load(name)
        assert registry.is_ready(name)
        await control.unload(name)
        with pytest.raises(ModelNotFound):
            await control.unload("nobody")

    run(repository, test)


def test_a_load_that_comes_while_the_server_starts_counts_after_the_start(repository: Path) -> None:
    async def whole() -> None:
        registry = ModelRegistry(Changes(), repository)
        control = ControlPlane(FolderRepository(repository, {}), registry)
        loads: list[asyncio.Task[None]] = []
        policy = config(version_policy={"specific": {"versions": [1]}})

        def progress(settings: ModelSettings) -> None:
            if settings.version == "1":
                loads.append(asyncio.ensure_future(control.load("v", policy)))

        await control.load_all(progress)
        await asyncio.gather(*loads)
        assert registry.versions("v") == ["1"]
        await registry.close()

    asyncio.run(whole())

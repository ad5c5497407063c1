from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from srv._state import Changes
from srv.controlplane._controlplane import ControlPlane
from srv.controlplane._entry import ModelState
from srv.controlplane._registry import ModelRegistry
from srv.controlplane._repository import FolderRepository
from srv.errors import InvalidInput, LoadError, ModelNotFound

if TYPE_CHECKING:
    from pathlib import Path

RUNTIME = "from srv import MLModel\nclass Runtime(MLModel):\n    pass\n"


def add_model(folder: Path, settings: str = "{}", code: str = RUNTIME) -> None:
    folder.mkdir(parents=True)
    folder.joinpath("model-settings.json").write_text(
        settings.replace("{", '{"implementation": "models.Runtime"' + (", " if settings != "{}" else ""), 1)
    )
    folder.joinpath("models.py").write_text(code)


def scan(root: Path) -> tuple[list[tuple[str, str | None]], list[str]]:
    found, broken = FolderRepository(root, {}).scan()
    return [(each.name, each.version) for each in found], [each.name for each in broken]


def test_models_are_found_at_any_depth_hidden_folders_apart(tmp_path: Path) -> None:
    add_model(tmp_path / "a")
    add_model(tmp_path / "deep" / "er" / "b")
    add_model(tmp_path / ".git" / "c")

    assert scan(tmp_path) == ([("a", None), ("b", None)], [])


def test_the_root_itself_may_be_a_model(tmp_path: Path) -> None:
    add_model(tmp_path / "only")

    assert scan(tmp_path / "only") == ([("only", None)], [])


def test_versions_of_a_model_are_models_of_their_own(tmp_path: Path) -> None:
    add_model(tmp_path / "m1", '{"name": "m", "parameters": {"version": "1"}}')
    add_model(tmp_path / "m2", '{"name": "m", "parameters": {"version": "2"}}')

    assert scan(tmp_path) == ([("m", "1"), ("m", "2")], [])


def test_a_second_folder_with_the_same_name_and_version_is_broken(tmp_path: Path) -> None:
    add_model(tmp_path / "a", '{"name": "m"}')
    add_model(tmp_path / "b", '{"name": "m"}')
    found, broken = FolderRepository(tmp_path, {}).scan()

    assert [each.name for each in found] == ["m"]
    assert [each.name for each in broken] == ["b"]
    assert broken[0].reason == ("b/model-settings.json: a/model-settings.json has the same name and version already")


def test_settings_that_cannot_be_read_break_that_model_alone(tmp_path: Path) -> None:
    add_model(tmp_path / "good")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "model-settings.json").write_text('{"implementation": 3}')

    assert scan(tmp_path) == ([("good", None)], ["bad"])
    (_, broken) = FolderRepository(tmp_path, {}).scan()
    assert broken[0].reason == "bad/model-settings.json: $.implementation: expected `str`, got `int`"


def test_without_a_file_variables_describe_the_model(tmp_path: Path) -> None:
    environ = {"SRV_MODEL_NAME": "m", "SRV_MODEL_IMPLEMENTATION": "models.Runtime"}
    found, _ = FolderRepository(tmp_path, environ).scan()

    assert [each.name for each in found] == ["m"]


def planes(root: Path) -> tuple[ControlPlane, ModelRegistry]:
    registry = ModelRegistry(Changes(), root)
    return ControlPlane(FolderRepository(root, {}), registry), registry


def test_one_broken_model_does_not_keep_the_others_from_loading(tmp_path: Path) -> None:
    add_model(tmp_path / "good")
    add_model(tmp_path / "bad", code="import no_such_package_here\n")
    add_model(tmp_path / "ugly", code="def broken(:\n")

    async def run() -> None:
        control, registry = planes(tmp_path)
        await control.load_all()
        states = {each.name: each.state for each in registry.entries()}
        reasons = {each.name: each.reason for each in registry.entries()}

        assert states == {
            "good": ModelState.READY,
            "bad": ModelState.UNAVAILABLE,
            "ugly": ModelState.UNAVAILABLE,
        }
        assert "no_such_package_here" in reasons["bad"]
        assert "SyntaxError" in reasons["ugly"]
        await registry.close()

    asyncio.run(run())


def test_a_load_picks_up_new_models_changed_code_and_lost_versions(tmp_path: Path) -> None:
    add_model(tmp_path / "m1", '{"name": "m", "parameters": {"version": "1"}}')
    add_model(tmp_path / "m2", '{"name": "m", "parameters": {"version": "2"}}')

    async def run() -> None:
        control, registry = planes(tmp_path)
        await control.load_all()
        (tmp_path / "m2" / "model-settings.json").unlink()
        (tmp_path / "m1" / "models.py").write_text(RUNTIME + "    new = True\n")
        add_model(tmp_path / "other")
        await control.load("m")
        await control.load("other")

        assert registry.find("m").runtime.version == "1"
        assert hasattr(registry.find("m").runtime, "new")
        assert registry.is_ready("other")
        with pytest.raises(ModelNotFound):
            registry.find("m", "2")
        await registry.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("", InvalidInput, "Model name cannot be empty"),
        (" ", InvalidInput, "Model name cannot be empty"),
        ("..", InvalidInput, "path traversal"),
        ("a/b", InvalidInput, "path traversal"),
        ("nope", LoadError, "failed to load 'nope', failed to poll from model repository"),
        ("..x", LoadError, "failed to load '..x'"),
    ],
)
def test_a_name_that_cannot_be_loaded_is_refused(tmp_path: Path, name: str, error: type[Exception], text: str) -> None:
    async def run() -> None:
        control, _ = planes(tmp_path)
        with pytest.raises(error) as raised:
            await control.load(name)

        assert text in str(raised.value)

    asyncio.run(run())


def test_a_load_parameter_is_refused_rather_than_ignored(tmp_path: Path) -> None:
    async def run() -> None:
        control, _ = planes(tmp_path)
        with pytest.raises(InvalidInput, match="unrecognized load parameter 'colour'"):
            await control.load("m", {"colour": "red"})

    asyncio.run(run())


def test_linked_folders_are_followed_and_circles_end(tmp_path: Path) -> None:
    add_model(tmp_path / "elsewhere" / "linked")
    root = tmp_path / "root"
    add_model(root / "own")
    (root / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (root / "circle").symlink_to(root, target_is_directory=True)

    assert scan(root) == ([("linked", None), ("own", None)], [])


def test_a_broken_model_that_is_mended_under_another_name_is_forgotten(tmp_path: Path) -> None:
    add_model(tmp_path / "good")
    (tmp_path / "folder").mkdir()
    settings = tmp_path / "folder" / "model-settings.json"
    settings.write_text("{")

    async def run() -> None:
        control, registry = planes(tmp_path)
        await control.load_all()

        assert [each.name for each in registry.entries()] == ["good", "folder"]
        settings.write_text('{"name": "mended", "implementation": "models.Runtime"}')
        (tmp_path / "folder" / "models.py").write_text(RUNTIME)
        await control.load("mended")

        assert [(each.name, each.state) for each in registry.entries()] == [
            ("good", ModelState.READY),
            ("mended", ModelState.READY),
        ]
        await registry.close()

    asyncio.run(run())


def test_after_the_end_nothing_is_loaded(tmp_path: Path) -> None:
    add_model(tmp_path / "m")

    async def run() -> None:
        control, registry = planes(tmp_path)
        await registry.close()
        with pytest.raises(LoadError, match="the server is shutting down"):
            await control.load("m")

    asyncio.run(run())

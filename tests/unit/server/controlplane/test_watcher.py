from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from srv._state import Changes
from srv.controlplane._controlplane import ControlPlane
from srv.controlplane._entry import ModelState
from srv.controlplane._registry import ModelRegistry
from srv.controlplane._repository import FolderRepository
from srv.controlplane._watcher import Watcher, look_at
from srv.errors import LoadError, ModelNotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path


def runtime(value: int) -> str:
    return f"from srv import MLModel\nclass Runtime(MLModel):\n    value = {value}\n"


def add(folder: Path, value: int = 1, settings: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath("models.py").write_text(runtime(value))
    folder.joinpath("model-settings.json").write_text(f'{{"implementation": "models.Runtime"{settings}}}')


class World:
    """A repository that is watched, step by step."""

    def __init__(self, root: Path, *, load_new: bool = True) -> None:
        self.registry = ModelRegistry(Changes(), root)
        self.control = ControlPlane(FolderRepository(root, {}), self.registry)
        self.watcher = Watcher(self.control, root, load_new=load_new)

    async def settle(self) -> None:
        """Look until what has changed is acted on."""
        await self.watcher.step()
        await self.watcher.step()

    def value(self, name: str, version: str = "") -> object:
        return vars(type(self.registry.find(name, version).runtime))["value"]


def watch(root: Path, story: Callable[[World], Coroutine[object, object, None]], *, load_new: bool = True) -> None:
    async def run() -> None:
        world = World(root, load_new=load_new)
        await world.watcher.begin()
        await world.control.load_all()
        await story(world)
        await world.registry.close()

    asyncio.run(run())


def test_new_models_are_loaded_changed_ones_reloaded_and_those_that_are_gone_unloaded(tmp_path: Path) -> None:
    add(tmp_path / "changed")
    add(tmp_path / "same")
    add(tmp_path / "gone")

    async def story(world: World) -> None:
        same = world.registry.find("same")
        add(tmp_path / "changed", 22)
        add(tmp_path / "new", 3)
        (tmp_path / "gone" / "model-settings.json").unlink()
        await world.settle()

        assert (world.value("changed"), world.value("new")) == (22, 3)
        assert world.registry.find("same") is same
        assert [each.name for each in world.registry.entries()] == ["changed", "new", "same"]

    watch(tmp_path, story)


def test_a_file_that_is_still_written_is_not_loaded(tmp_path: Path) -> None:
    add(tmp_path / "m")

    async def story(world: World) -> None:
        (tmp_path / "m" / "models.py").write_text("half a")
        await world.watcher.step()
        add(tmp_path / "m", 22)
        await world.watcher.step()

        assert world.value("m") == 1
        await world.watcher.step()
        assert world.value("m") == 22

    watch(tmp_path, story)


def test_a_broken_change_leaves_the_old_model_until_it_is_mended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    add(tmp_path / "code")
    add(tmp_path / "settings")

    async def story(world: World) -> None:
        (tmp_path / "code" / "models.py").write_text("def broken(:\n")
        (tmp_path / "settings" / "model-settings.json").write_text("{")
        await world.settle()

        assert (world.value("code"), world.value("settings")) == (1, 1)
        assert "SyntaxError" in caplog.text
        add(tmp_path / "code", 22)
        add(tmp_path / "settings", 33)
        await world.settle()
        assert (world.value("code"), world.value("settings")) == (22, 33)

    watch(tmp_path, story)


def test_a_model_that_never_loaded_is_mended_or_goes(tmp_path: Path) -> None:
    for name in ("mended", "goes"):
        add(tmp_path / name)
        (tmp_path / name / "models.py").write_text("def broken(:\n")

    async def story(world: World) -> None:
        assert {each.state for each in world.registry.entries()} == {ModelState.UNAVAILABLE}
        add(tmp_path / "mended", 22)
        (tmp_path / "goes" / "model-settings.json").unlink()
        await world.settle()

        assert [(each.name, each.state) for each in world.registry.entries()] == [("mended", ModelState.READY)]

    watch(tmp_path, story)


def test_versions_stand_each_for_itself(tmp_path: Path) -> None:
    for version in "12":
        add(tmp_path / version, int(version), f', "name": "m", "parameters": {{"version": "{version}"}}')

    async def story(world: World) -> None:
        first = world.registry.find("m", "1")
        (tmp_path / "2" / "models.py").write_text(runtime(22))
        await world.settle()

        assert world.registry.find("m", "1") is first
        assert world.value("m") == 22
        (tmp_path / "2" / "model-settings.json").unlink()
        await world.settle()
        assert world.value("m") == 1
        with pytest.raises(ModelNotFound):
            world.registry.find("m", "2")

    watch(tmp_path, story)


def test_a_model_of_another_name_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    add(tmp_path / "m")

    async def story(world: World) -> None:
        add(tmp_path / "m", 2, ', "name": "other"')
        await world.settle()

        assert [each.name for each in world.registry.entries()] == ["other"]

    watch(tmp_path, story)


def test_what_a_client_has_unloaded_stays_so_and_what_it_brought_stays_too(tmp_path: Path) -> None:
    add(tmp_path / "m")

    async def story(world: World) -> None:
        await world.control.unload("m")
        add(tmp_path / "m", 22)
        await world.settle()

        assert not world.registry.is_ready("m")

    watch(tmp_path, story)


def test_what_a_client_has_loaded_again_is_followed_again(tmp_path: Path) -> None:
    add(tmp_path / "m")

    async def story(world: World) -> None:
        await world.control.unload("m")
        await world.control.load("m")
        add(tmp_path / "m", 22)
        await world.settle()
        assert world.value("m") == 22

    watch(tmp_path, story)


def test_helpers_beside_the_models_are_everybodys(tmp_path: Path) -> None:
    (tmp_path / "shared.py").write_text("value = 1\n")
    for name in "ab":
        add(tmp_path / name)
        (tmp_path / name / "models.py").write_text(
            "from srv import MLModel\nimport shared\nclass Runtime(MLModel):\n    value = shared.value\n"
        )

    async def story(world: World) -> None:
        (tmp_path / "shared.py").write_text("value = 22\n")
        await world.settle()

        assert (world.value("a"), world.value("b")) == (22, 22)

    watch(tmp_path, story)


def test_without_loading_at_startup_only_known_models_are_followed(tmp_path: Path) -> None:
    add(tmp_path / "known")

    async def story(world: World) -> None:
        add(tmp_path / "new")
        add(tmp_path / "known", 22)
        await world.settle()

        assert [each.name for each in world.registry.entries()] == ["known"]
        assert world.value("known") == 22

    watch(tmp_path, story, load_new=False)


def test_a_root_that_is_not_there_for_a_while_changes_nothing(tmp_path: Path) -> None:
    root = tmp_path / "root"
    add(root / "m")

    async def story(world: World) -> None:
        root.rename(tmp_path / "away")
        await world.settle()

        assert world.value("m") == 1

    watch(root, story)


def test_a_change_is_not_lost_when_the_repository_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(tmp_path / "m")

    async def story(world: World) -> None:
        add(tmp_path / "m", 22)
        await world.watcher.step()
        with monkeypatch.context() as patched:

            async def fail(*_: object, **__: object) -> None:
                raise LoadError("not now")

            patched.setattr(world.control, "refresh", fail)
            with pytest.raises(LoadError):
                await world.watcher.step()
        await world.watcher.step()

        assert world.value("m") == 22

    watch(tmp_path, story)


@pytest.mark.parametrize(
    "name", [".models.py.swp", "models.py~", "#models.py#", ".#models.py", "4913", "x.tmp", "x.pyc", ".git/x"]
)
def test_files_of_editors_and_hidden_ones_are_passed_over(tmp_path: Path, name: str) -> None:
    add(tmp_path / "m")
    before = look_at(tmp_path)
    (tmp_path / "m" / name).parent.mkdir(exist_ok=True)
    (tmp_path / "m" / name).write_text("x")
    (tmp_path / "m" / "__pycache__").mkdir()
    (tmp_path / "m" / "__pycache__" / "x.py").write_text("x")

    assert look_at(tmp_path) == before


def test_artefacts_are_not_read(tmp_path: Path) -> None:
    """A file that nobody may read is seen to change; one of the same time and size, by its inode."""
    add(tmp_path / "m")
    artefact = tmp_path / "m" / "model.bin"
    artefact.write_bytes(b"one")
    artefact.chmod(0)
    before = look_at(tmp_path)
    status = artefact.stat()
    fresh = tmp_path / "m" / "fresh.tmp"
    fresh.write_bytes(b"two")
    os.utime(fresh, ns=(status.st_atime_ns, status.st_mtime_ns))
    fresh.rename(artefact)

    assert look_at(tmp_path) != before


def test_a_model_inside_another_has_its_own_files(tmp_path: Path) -> None:
    add(tmp_path / "outer")
    add(tmp_path / "outer" / "inner")
    before = look_at(tmp_path)
    add(tmp_path / "outer" / "inner", 22)
    after = look_at(tmp_path)
    assert before is not None
    assert after is not None

    assert [each.name for each in after if after[each] != before[each]] == ["inner"]


def test_links_are_followed_and_circles_end(tmp_path: Path) -> None:
    add(tmp_path / "elsewhere" / "m")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (root / "circle").symlink_to(root, target_is_directory=True)
    (root / "nothing").symlink_to(tmp_path / "nothing")

    assert [*(look_at(root) or ())] == [root / "link" / "m"]

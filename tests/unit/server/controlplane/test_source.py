"""Repositories of the user's own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from srv import MLModel, ModelParameters, ModelSettings, Settings
from srv._state import Changes
from srv.controlplane._controlplane import ControlPlane
from srv.controlplane._registry import ModelRegistry
from srv.controlplane._source import make_repository, root_of
from srv.errors import InferenceError, InvalidInput, LoadError, ModelNotFound, SettingsError
from srv.repository import FolderRepository, ModelRepository, SchemalessModelRepository


class Good(MLModel):
    pass


class Listing(ModelRepository):
    """Answers with whatever it is told."""

    answer: Any = ()

    async def list(self) -> Any:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


class Plain(Listing):
    def list(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  # users may
        return [ModelSettings(name="m", implementation=Good)]

    def find(self, name: str) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return [each for each in self.list() if each.name == name]


def planes(repository: ModelRepository) -> tuple[ControlPlane, ModelRegistry]:
    registry = ModelRegistry(Changes(), repository.root)
    return ControlPlane(repository, registry), registry


def make(root: Path, implementation: str | None, **args: object) -> ModelRepository:
    settings = Settings(
        model_repository_root=str(root),
        model_repository_implementation=implementation,
        model_repository_implementation_args=args,
    )
    return make_repository(settings, {})


@pytest.mark.parametrize("kind", [Listing, Plain])
def test_settings_made_in_python_are_loaded(tmp_path: Path, kind: type[Listing]) -> None:
    repository = kind(tmp_path)
    repository.answer = [ModelSettings(name="m", implementation=Good)]

    async def run() -> None:
        control, registry = planes(repository)
        await control.load_all()
        await control.load("m")

        assert type(registry.find("m").runtime) is Good
        assert [each.name for each in await control.index()] == ["m"]
        with pytest.raises(LoadError, match="there is no such model"):
            await control.load("other")
        await registry.close()

    asyncio.run(run())


@pytest.mark.parametrize("uri", ["", "weights.bin"])
def test_code_is_found_where_the_artefacts_are(tmp_path: Path, uri: str) -> None:
    folder = tmp_path / "far"
    folder.mkdir()
    (folder / "models.py").write_text("from srv import MLModel\nclass Runtime(MLModel):\n    pass\n")
    (folder / "weights.bin").write_bytes(b"")
    parameters = ModelParameters(uri=str(folder / uri))
    repository = Listing(tmp_path / "root")
    repository.answer = [ModelSettings(name="m", implementation="models.Runtime", parameters=parameters)]

    async def run() -> None:
        control, registry = planes(repository)
        await control.load("m")
        await registry.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (KeyError("secret"), r"Listing.list\(\): raised KeyError"),
        (None, "expected a list of ModelSettings, got NoneType"),
        (["m"], "expected a list of ModelSettings, got one of str"),
    ],
)
def test_a_fault_of_the_repository_is_the_error_of_that_call(tmp_path: Path, answer: Any, text: str) -> None:
    repository = Listing(tmp_path)
    repository.answer = [ModelSettings(name="m", implementation=Good)]

    async def run() -> None:
        control, registry = planes(repository)
        await control.load_all()
        repository.answer = answer
        for call in (control.index(), control.load("m")):
            with pytest.raises(InferenceError, match=text) as raised:
                await call
            assert "secret" not in str(raised.value)
        with pytest.raises(SettingsError, match=text):
            await planes(repository)[0].load_all()

        assert registry.is_ready("m")
        await registry.close()

    asyncio.run(run())


class PlainListing(Listing):
    def list(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  # users may
        raise self.answer


@pytest.mark.parametrize("kind", [Listing, PlainListing])
@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, StopIteration, asyncio.CancelledError, GeneratorExit])
def test_a_repository_that_ends_more_than_itself_ends_nothing(
    tmp_path: Path, kind: type[Listing], error: type[BaseException]
) -> None:
    repository = kind(tmp_path)
    repository.answer = error()

    async def run() -> None:
        controlplane, registry = planes(repository)
        with pytest.raises(InferenceError, match=r"list\(\): raised RuntimeError"):
            await asyncio.wait_for(controlplane.index(), 10)
        with pytest.raises(InferenceError, match=r"list\(\): raised RuntimeError"):
            await asyncio.wait_for(controlplane.load("m"), 10)
        await registry.close()

    asyncio.run(run())


def test_a_version_that_is_named_twice_is_broken(tmp_path: Path) -> None:
    repository = Listing(tmp_path)
    repository.answer = [ModelSettings(name="m", implementation=Good) for _ in range(2)]

    async def run() -> None:
        control, registry = planes(repository)
        await control.load_all()

        assert [each.reason for each in registry.entries()] == ["", "list() names version (none) twice"]
        await registry.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("error", "seen"), [(ModelNotFound("m"), "there is no such model"), (InvalidInput("not you"), "not you")]
)
def test_errors_of_srv_mean_what_they_say(tmp_path: Path, error: Exception, seen: str) -> None:
    class Raising(Listing):
        async def find(self, name: str) -> Any:
            del name
            raise error

    async def run() -> None:
        with pytest.raises((LoadError, InvalidInput), match=seen):
            await planes(Raising(tmp_path))[0].load("m")

    asyncio.run(run())


def test_find_must_answer_what_is_asked(tmp_path: Path) -> None:
    class Wrong(Listing):
        async def find(self, name: str) -> Any:
            return [ModelSettings(name=f"{name}x", implementation=Good)]

    async def run() -> None:
        with pytest.raises(InferenceError, match="expected settings of model 'm', got those of 'mx'"):
            await planes(Wrong(tmp_path))[0].load("m")

    asyncio.run(run())


CODE = """
from srv import ModelSettings
from srv.repository import ModelRepository, SchemalessModelRepository

class Own(ModelRepository):
    def __init__(self, root, colour="red"):
        self.colour = colour.lower()
    async def list(self):
        return []
    async def find(self, name):
        return []

class Folders(SchemalessModelRepository):
    async def list(self):
        return [each for each in await super().list() if not each.name.startswith("x")]

class Bare(ModelRepository):
    pass

class Rooted(Own):
    def __init__(self, root):
        self.root = "s3://bucket"
"""


def test_a_repository_is_made_of_what_the_settings_name(tmp_path: Path) -> None:
    (tmp_path / "repositories.py").write_text(CODE)
    own = make(tmp_path, "repositories.Own", colour="BLUE")

    assert vars(own)["colour"] == "blue"
    assert type(make(tmp_path, None)) is FolderRepository
    assert type(make(tmp_path, "srv.repository.SchemalessModelRepository")) is SchemalessModelRepository


def test_a_root_that_is_no_folder_is_the_repositorys_own_matter(tmp_path: Path) -> None:
    (tmp_path / "repositories.py").write_text(CODE)
    bare, rooted = make(tmp_path, "repositories.Own"), make(tmp_path, "repositories.Rooted")

    assert [root_of(each, "d") for each in (bare, rooted)] == [Path("d").absolute()] * 2


def test_a_subclass_of_the_folders_answers_for_itself(tmp_path: Path) -> None:
    (tmp_path / "repositories.py").write_text(CODE)
    for name in ("m", "x1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model-settings.json").write_text('{"implementation": "models.Runtime"}')

    async def run() -> None:
        control, _ = planes(make(tmp_path, "repositories.Folders"))

        assert [each.name for each in await control.index()] == ["m"]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("implementation", "args", "text"),
    [
        ("repositories.None_", {}, "model_repository_implementation 'repositories.None_': no 'None_' in module"),
        ("nowhere.Own", {}, "no module 'nowhere'"),
        ("srv.MLModel", {}, "expected a subclass of ModelRepository, got"),
        ("repositories.Own", {"size": 1}, "TypeError: .* unexpected keyword argument 'size'"),
        ("repositories.Own", {"colour": 1}, "AttributeError"),
        ("repositories.Bare", {}, "TypeError: Can't instantiate abstract class Bare"),
        (None, {"a": 1}, "there is no model_repository_implementation"),
    ],
)
def test_what_cannot_be_made_is_a_wrong_setting(
    tmp_path: Path, implementation: str | None, args: dict[str, object], text: str
) -> None:
    (tmp_path / "repositories.py").write_text(CODE)
    with pytest.raises(SettingsError, match=text):
        make(tmp_path, implementation, **args)

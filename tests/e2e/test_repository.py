"""Where models come from, as ``srv start`` has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from serving import Server, eventually
from tensors import json_body, rest_outputs

if TYPE_CHECKING:
    from pathlib import Path

    from serving import Serve

CODE = """
import numpy as np
from srv import MLModel, decode_args

class Runtime(MLModel):
    @decode_args
    def predict(self) -> np.ndarray:
        return np.array([VALUE])
"""

REPOSITORY = """
from pathlib import Path
from srv import ModelParameters, ModelSettings
from srv.repository import ModelRepository
from own_models import Runtime

class Shelf(ModelRepository):
    def __init__(self, root, names):
        super().__init__(root)
        self.names = names

    def list(self):
        if (self.root / "broken").exists():
            raise RuntimeError("the shelf has fallen")
        return [ModelSettings(name=name, implementation=Runtime) for name in self.names] + [
            ModelSettings(
                name="far", implementation="models.Runtime", parameters=ModelParameters(uri=str(self.root / "far"))
            )
        ]
"""


def write(folder: Path, value: int, *, settings: bool = True) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "models.py").write_text(CODE.replace("VALUE", str(value)), encoding="utf-8")
    if settings:
        (folder / "model-settings.json").write_text('{"implementation": "models.Runtime"}', encoding="utf-8")


def value_of(server: Server, model: str) -> int | None:
    answer = server.post(f"/v2/models/{model}/infer", json_body({}))
    return int(rest_outputs(answer)["output-0"][0, 0]) if answer.status == 200 else None


def test_changes_are_followed_with_reload(serve: Serve, tmp_path: Path) -> None:
    write(tmp_path / "a", 1)
    server = serve(tmp_path, "--reload").wait_started()
    assert value_of(server, "a") == 1

    write(tmp_path / "a", 22)
    write(tmp_path / "b", 3)
    eventually(lambda: (value_of(server, "a"), value_of(server, "b")) == (22, 3), lambda: server.log)
    (tmp_path / "b" / "model-settings.json").unlink()
    (tmp_path / "a" / "models.py").write_text("nonsense(", encoding="utf-8")
    server.wait_for_line("failed to load 'a'")
    eventually(lambda: value_of(server, "b") is None, lambda: server.log)
    assert value_of(server, "a") == 22
    server.faults_expected = True


def test_with_reload_the_first_model_may_come_later(serve: Serve, tmp_path: Path) -> None:
    server = serve(tmp_path, "--reload").wait_started()
    write(tmp_path / "a", 1)

    eventually(lambda: value_of(server, "a") == 1, lambda: server.log)


def test_a_repository_of_the_users_own(serve: Serve, tmp_path: Path) -> None:
    """Of plain functions, which name models by their class and by where they are; its faults end nothing."""
    (tmp_path / "shelf.py").write_text(REPOSITORY, encoding="utf-8")
    (tmp_path / "own_models.py").write_text(CODE.replace("VALUE", "7"), encoding="utf-8")
    write(tmp_path / "far", 8, settings=False)
    (tmp_path / "settings.json").write_text(
        '{"model_repository_implementation": "shelf.Shelf",'
        ' "model_repository_implementation_args": {"names": ["one", "two"]}}',
        encoding="utf-8",
    )
    server = serve(tmp_path).wait_started()

    assert [value_of(server, name) for name in ("one", "two", "far")] == [7, 7, 8]
    assert server.post("/v2/repository/models/far/load").status == 200
    (tmp_path / "broken").touch()
    answers = [server.post("/v2/repository/index"), server.post("/v2/repository/models/one/load")]
    assert [answer.status for answer in answers] == [500, 500]
    assert all("raised RuntimeError" in answer.error() and "fallen" not in answer.error() for answer in answers)
    assert value_of(server, "one") == 7
    server.faults_expected = True


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ((), "model_repository_implementation 'shelf.Shelf': no module 'shelf'"),
        (("--reload",), "model_repository_implementation 'shelf.Shelf': no module 'shelf'"),
    ],
)
def test_a_repository_that_cannot_be_made_ends_the_command(tmp_path: Path, options: tuple[str, ...], text: str) -> None:
    server = Server(tmp_path, *options, model_repository_implementation="shelf.Shelf")

    assert server.wait_exit() == 2
    assert text in server.log


@pytest.mark.parametrize("options", [(), ("--reload",)])
def test_a_repository_that_fails_at_the_start_ends_the_command(tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "shelf.py").write_text(REPOSITORY, encoding="utf-8")
    (tmp_path / "own_models.py").write_text(CODE, encoding="utf-8")
    (tmp_path / "broken").touch()
    given = {"model_repository_implementation": "shelf.Shelf"}
    server = Server(tmp_path, *options, **given, model_repository_implementation_args='{"names": []}')

    assert server.wait_exit() == 2
    assert ("--reload: expected a repository of folders" if options else "raised RuntimeError") in server.log

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from srv import MLModel, ModelParameters, ModelSettings
from srv.errors import InvalidModelURI
from srv.settings import get_model_uri

if TYPE_CHECKING:
    from pathlib import Path


def find(uri: str | None, *names: str, source: Path | None = None) -> str:
    settings = ModelSettings(name="m", implementation=MLModel, parameters=ModelParameters(uri=uri), source=source)
    return asyncio.run(get_model_uri(settings, wellknown_filenames=names))


def test_a_file_is_itself_and_a_folder_what_it_holds(tmp_path: Path) -> None:
    for name in ("b.pkl", "a.pkl"):
        (tmp_path / name).touch()

    assert find(str(tmp_path / "b.pkl"), "a.pkl") == str(tmp_path / "b.pkl")
    assert find(str(tmp_path), "none.pkl", "a.pkl", "b.pkl") == str(tmp_path / "a.pkl")
    assert find(str(tmp_path), "none.pkl") == find(str(tmp_path)) == str(tmp_path)
    assert find(f"file://{tmp_path}", "a.pkl") == str(tmp_path / "a.pkl")


def test_without_a_uri_it_is_the_models_folder(tmp_path: Path) -> None:
    assert find(None, source=tmp_path / "model-settings.json") == str(tmp_path)


def test_other_schemes_are_left_as_they_are() -> None:
    assert find("s3://bucket/a b") == "s3://bucket/a b"


@pytest.mark.parametrize(("uri", "got"), [(None, "got nothing"), ("/no/such", "got '/no/such'")])
def test_what_is_not_there_is_an_error(uri: str | None, got: str) -> None:
    with pytest.raises(InvalidModelURI, match=rf"model 'm': parameters.uri: expected .*, {got}"):
        find(uri)

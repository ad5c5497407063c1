"""Model code runs in environments that have nothing of the server's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import surface_corpus
from bare_pythons import NUMPY, make_environment

import srv
from srv.workers._bootstrap import NO_NUMPY, Surface, add_site_directories
from srv.workers._surface import BOOTSTRAP, PACKAGES, PRIVATE, surface_arguments

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CORPUS: Final = Path(surface_corpus.__file__).parent
# What the worker's own module would do, of the corpus.
RUN: Final = f"""
import json, runpy, sys
runpy.run_path({str(BOOTSTRAP)!r})["prepare"](json.loads(sys.argv[1]))
sys.path.append({str(CORPUS)!r})
import surface_corpus
print(json.dumps(getattr(surface_corpus, sys.argv[2])()))
"""
MAIN: Final = """
import json, os, sys
def main(arguments):
    print(json.dumps({"given": arguments, "path": sys.path, "main": sys.modules["__main__"].__file__}))
"""


def run(*command: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={})
    assert done.returncode == status, done.stderr
    return done


@pytest.fixture(scope="session", params=NUMPY)
def python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the Python of an environment that has numpy and nothing else."""
    return str(make_environment(request.param, tmp_path_factory.mktemp("bare") / "environment"))


def ask(python: str, function: str, folder: Path | None = None) -> Any:
    arguments = {**surface_arguments(), "site_directories": [str(folder)] if folder else []}
    return json.loads(run(python, "-I", "-c", RUN, json.dumps(arguments), function).stdout)


def test_runtimes_do_the_same_in_any_environment(python: str) -> None:
    expected = json.loads(json.dumps(surface_corpus.outcomes()))
    found = ask(python, "outcomes")
    assert found.keys() == expected.keys()
    for name, outcome in expected.items():
        assert found[name] == outcome, name


def test_nothing_else_of_the_servers_can_be_imported(python: str) -> None:
    found = ask(python, "environment")
    assert found["version"] == srv.__version__
    assert found["loaded"] == []
    assert found["imports"] == {name: f"no {name}" for name in found["imports"]}
    assert not [each for each in found["path"] if Path(each) in Path(srv.__file__).parents]


def test_the_environments_own_packages_are_its_own(python: str, tmp_path: Path) -> None:
    """Packages that are private to the server's are the environment's for model code, in whatever version."""
    for name in (*PRIVATE, "srv", "srv_codecs"):
        (tmp_path / f"{name}.py").write_text("raise_if_used = True\n", encoding="utf-8")
    found = ask(python, "environment", tmp_path)
    for name in PRIVATE:
        assert found["imports"][name] == str(tmp_path / f"{name}.py")
    assert found["imports"]["msgspec"] == "no msgspec"
    assert ask(python, "outcomes", tmp_path) == json.loads(json.dumps(surface_corpus.outcomes()))


# ---- The script


@pytest.fixture
def arguments(tmp_path: Path) -> dict[str, Any]:
    """Return the script's arguments, with a worker's main module that tells what it is given."""
    (tmp_path / "srv" / "workers").mkdir(parents=True)
    for name in ("__init__", "workers/__init__"):
        (tmp_path / "srv" / f"{name}.py").touch()
    (tmp_path / "srv" / "workers" / "_main.py").write_text(MAIN, encoding="utf-8")
    made: dict[str, Any] = surface_arguments()
    made["packages"] = {**made["packages"], "srv": str(tmp_path / "srv")}
    return made


def test_the_script_starts_a_worker_with_all_its_arguments(arguments: dict[str, Any]) -> None:
    text = json.dumps({**arguments, "fd": 7})
    told = json.loads(run(sys.executable, "-I", str(BOOTSTRAP), text).stdout)
    assert told["given"] == json.loads(text)
    assert told["main"] == str(BOOTSTRAP)
    assert str(BOOTSTRAP.parent) not in told["path"]


def test_site_directories_come_first_with_what_their_pth_files_add(arguments: dict[str, Any], tmp_path: Path) -> None:
    site, more = tmp_path / "site", tmp_path / "more"
    for folder in (site, more):
        folder.mkdir()
    (site / "more.pth").write_text(f"{more}\nimport sys; sys.pth_was_run = True\n", encoding="utf-8")
    text = json.dumps({**arguments, "site_directories": [str(site)]})
    told = json.loads(run(sys.executable, "-I", str(BOOTSTRAP), text).stdout)
    assert told["path"][:2] == [str(site), str(more)]


@pytest.mark.parametrize(
    ("numpy", "got"),
    [
        (None, "ModuleNotFoundError: No module named 'numpy'"),
        ("__version__ = '1.19.5'", "1.19.5"),
        ("raise ImportError('libopenblas.so: no such file')", "ImportError: libopenblas.so: no such file"),
    ],
)
def test_an_environment_without_a_numpy_that_fits_says_so(
    arguments: dict[str, Any], tmp_path: Path, numpy: str | None, got: str
) -> None:
    run(sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "e"))
    if numpy is not None:
        (tmp_path / "numpy.py").write_text(numpy, encoding="utf-8")
    text = json.dumps({**arguments, "site_directories": [str(tmp_path)]})
    done = run(str(tmp_path / "e/bin/python"), "-I", str(BOOTSTRAP), text, status=NO_NUMPY)
    assert done.stdout == ""
    assert done.stderr.startswith(f"srv: the model's environment ({tmp_path / 'e'}, Python ")
    assert f"expected numpy 1.24 or newer, got {got}; install it there: " in done.stderr


# ---- Its parts


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give the process its own import state back."""
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    modules = dict(sys.modules)
    yield
    for name in sys.modules.keys() - modules.keys():
        del sys.modules[name]


def surface(packages: Mapping[str, str] | None = None, private: Mapping[str, str] | None = None) -> Surface:
    return Surface(packages or {}, private or {}, {"srv-inference": "7.0", **dict.fromkeys(private or {}, "1.0")})


@pytest.mark.usefixtures("clean")
def test_private_packages_see_one_another_and_the_standard_library(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "__init__.py").write_text(
        "import one.inner, one.inner as renamed, two, json\nfrom .inner import value\nfrom one import inner\n"
        "from importlib import metadata\nversion = metadata.version('one')\n"
        "try:\n    import numpy\nexcept ImportError:\n    numpy = None\n",
        encoding="utf-8",
    )
    (tmp_path / "one" / "inner.py").write_text("value = 1\n", encoding="utf-8")
    (tmp_path / "two.py").write_text("value = 2\n", encoding="utf-8")
    surface(private={"one": str(tmp_path / "one"), "two": str(tmp_path / "two.py")}).install()
    made: Any = sys.modules["srv_private.one"]
    assert (made.value, made.two.value, made.version, made.numpy) == (1, 2, "1.0", None)
    assert made.inner is made.renamed is made.one.inner is sys.modules["srv_private.one.inner"]
    assert not {"one", "two"} & sys.modules.keys()
    with pytest.raises(ModuleNotFoundError):
        __import__("one")
    from importlib import metadata

    assert metadata.version("srv_inference") == "7.0"
    with pytest.raises(metadata.PackageNotFoundError):
        metadata.version("one")


@pytest.mark.usefixtures("clean")
def test_a_module_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "srv_extra").mkdir()
    (tmp_path / "srv_extra" / "__init__.py").touch()
    surface({"srv_extra": str(tmp_path / "srv_extra")}).install()
    for name in ("srv_extra.missing", "srv_private.missing", "srv_private.missing.inner"):
        with pytest.raises(ModuleNotFoundError, match="missing"):
            __import__(name)


@pytest.mark.usefixtures("clean")
def test_a_folder_that_is_there_already_moves_to_the_front(tmp_path: Path) -> None:
    sys.path.append(str(tmp_path))
    add_site_directories([str(tmp_path)])
    assert sys.path[0] == str(tmp_path)
    assert sys.path.count(str(tmp_path)) == 1


def test_the_server_knows_where_its_packages_are() -> None:
    made: Any = surface_arguments()
    assert made["packages"].keys() == {*PACKAGES}
    assert made["packages"]["srv"] == str(Path(srv.__file__).parent)
    assert made["private"].keys() == {*PRIVATE}
    assert all(Path(each["path"]).exists() and each["version"] for each in made["private"].values())
    assert json.loads(json.dumps(made)) == made

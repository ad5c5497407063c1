"""What lies in a folder is recognised, and its packages run under the Python that they were made with."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from srv.environments import _layout
from srv.environments._layout import Layout, check_version, survey
from srv_protocol.errors import LoadError

if TYPE_CHECKING:
    from srv.environments import Environment

HERE: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
TAG: Final = f"cpython-{sys.version_info.major}{sys.version_info.minor}-x86_64-linux-gnu"
NONE_SUCH: Final = "3.66"


def packages(folder: Path, tag: str = TAG) -> Path:
    """Make what pip makes of NumPy, as far as it is looked at."""
    (folder / "numpy-9.9.dist-info").mkdir(parents=True)
    (folder / "numpy").mkdir()
    (folder / "numpy" / "__init__.py").write_text("__version__ = '9.9'\n", encoding="utf-8")
    (folder / "numpy" / f"_core.{tag}.so").touch()
    (folder / "numpy" / "_stable.abi3.so").touch()
    return folder


def venv(folder: Path) -> Path:
    subprocess.run([sys.executable, "-I", "-m", "venv", "--without-pip", str(folder)], check=True)
    packages(folder / "lib" / f"python{HERE}" / "site-packages")
    return folder


def link_elsewhere(folder: Path, version: str) -> None:
    """Let a virtual environment be of a machine whose Python lay elsewhere."""
    for path in (folder / "bin").glob("python*"):
        path.unlink()
    (folder / "bin" / "python").symlink_to(f"/nowhere/bin/python{version}")
    (folder / "bin" / "python3").symlink_to("python")
    (folder / "pyvenv.cfg").write_text(f"home = /nowhere/bin\nversion = {version}.1\n", encoding="utf-8")


def start(environment: Environment, code: str) -> str:
    command = [*environment.python, "-c", code]
    done = subprocess.run(command, env=environment.environ(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def numpy_of(environment: Environment) -> str:
    return start(environment, "import numpy; print(numpy.__version__)")


def open_here(layout: Layout) -> Environment | None:
    return layout.open(dict(os.environ))


def contents(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


# ---- Environments with a Python


def test_a_virtual_environment_is_started_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = venv(tmp_path / "env")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("CONDA_PREFIX", "/conda")
    environment = open_here(survey(folder))

    assert environment is not None
    assert environment.python == (str(folder / "bin" / "python"), "-I")
    assert environment.version == sys.version_info[:2]
    assert environment.folder == folder
    assert environment.variables["VIRTUAL_ENV"] == str(folder)
    environ = environment.environ(os.environ)
    assert environ["PATH"] == f"{folder}/bin{os.pathsep}{os.environ['PATH']}"
    assert not {"PYTHONPATH", "CONDA_PREFIX"} & environ.keys()
    assert environ["HOME"] == os.environ["HOME"]
    assert numpy_of(environment) == "9.9"


def test_one_folder_around_it_is_looked_into(tmp_path: Path) -> None:
    venv(tmp_path / "env")
    assert survey(tmp_path).folder == tmp_path / "env"


@pytest.mark.parametrize("names", [["python", "python3", "python3.12"], ["python3.9", "python3.12"]])
def test_the_plainest_name_of_its_python_is_taken_or_the_newest(tmp_path: Path, names: list[str]) -> None:
    (tmp_path / "bin").mkdir()
    for name in (*names, "python3-config", "pythonw", "python2", "pip"):
        (tmp_path / "bin" / name).touch()

    assert list(survey(tmp_path).executables) == (names if "python" in names else names[::-1])


def test_an_environment_of_a_python_that_is_not_there_gets_one_of_this_machine(tmp_path: Path) -> None:
    folder = venv(tmp_path / "env")
    (folder / "share").mkdir()
    (folder / "lib" / "libother.so").touch()
    link_elsewhere(folder, HERE)
    before = contents(folder)
    layout = survey(folder)

    assert open_here(layout) is None
    environment = layout.stand_in(tmp_path / "stand-ins", dict(os.environ))
    own = tmp_path / "stand-ins" / HERE
    assert environment.python[0] == str(own / "bin" / f"python{HERE}")
    assert environment.folder == folder
    assert environment.variables["PATH"].startswith(f"{own}/bin{os.pathsep}{folder}/bin{os.pathsep}")
    assert numpy_of(environment) == "9.9"
    # It is a virtual environment: what it starts is in it too, and none of the server's packages are.
    child = (
        "import subprocess, sys; print(subprocess.check_output([sys.executable, '-c', 'import numpy as n; print(n)']))"
    )
    assert str(own) in start(environment, child)
    assert (
        start(environment, "import importlib.util as i; print(i.find_spec('msgspec'), i.find_spec('pytest'))")
        == "None None"
    )
    # And where else packages look for what belongs to them.
    assert (own / "share").samefile(folder / "share")
    assert (own / "lib" / "libother.so").exists()
    assert [path for path in contents(folder) if "__pycache__" not in path] == before


def test_a_stand_in_is_used_again_and_made_anew_when_it_no_longer_runs(tmp_path: Path) -> None:
    folder = venv(tmp_path / "env")
    link_elsewhere(folder, HERE)
    place, own = tmp_path / "own", tmp_path / "own" / HERE
    survey(folder).stand_in(place, dict(os.environ))
    (own / "mark").touch()
    survey(folder).stand_in(place, dict(os.environ))
    assert (own / "mark").exists()

    (own / "lib" / f"python{HERE}" / "site-packages").unlink()
    assert numpy_of(survey(folder).stand_in(place, dict(os.environ))) == "9.9"
    assert not (own / "mark").exists()


def test_a_link_to_a_python_of_another_version_is_not_followed(tmp_path: Path) -> None:
    """It would run, without the environment's packages, or with those of another environment."""
    folder = venv(tmp_path / "env")
    (folder / "lib" / f"python{HERE}").rename(folder / "lib" / f"python{NONE_SUCH}")
    (folder / "pyvenv.cfg").write_text(
        f"home = {sys.base_exec_prefix}/bin\nversion = {NONE_SUCH}.1\n", encoding="utf-8"
    )
    layout = survey(folder)

    assert open_here(layout) is None
    with pytest.raises(
        LoadError, match=rf"it was made with Python {NONE_SUCH}, and no python{NONE_SUCH} was found: looked in /"
    ):
        layout.stand_in(tmp_path / "own", dict(os.environ))
    assert not (tmp_path / "own").exists()


def test_of_several_versions_in_one_environment_the_configuration_says_which(tmp_path: Path) -> None:
    folder = venv(tmp_path / "env")
    for version in ("3.9", "3.66"):
        (folder / "lib" / f"python{version}" / "site-packages").mkdir(parents=True)
    # As conda has it, for programs that take two characters for the version.
    (folder / "lib" / "python3.1").symlink_to("python3.66")
    assert survey(folder).labels == (HERE,)
    (folder / "pyvenv.cfg").unlink()
    assert survey(folder).labels == ("3.66",)


@pytest.mark.parametrize("line", ["version = 3.12.1", "version_info = 3.12.1.final.0", "version_info = 3.12"])
def test_each_tools_way_to_say_the_version_is_read(tmp_path: Path, line: str) -> None:
    (tmp_path / "pyvenv.cfg").write_text(f"home = /x\n{line}\n", encoding="utf-8")
    assert survey(tmp_path).labels == ("3.12",)


def whole(folder: Path, python: str) -> Path:
    """Make a tree with a Python of its own, as conda does."""
    (folder / "bin").mkdir(parents=True)
    (folder / "conda-meta").mkdir()
    (folder / "bin" / "python3.12").write_text(python, encoding="utf-8")
    (folder / "bin" / "python3.12").chmod(0o755)
    (folder / "bin" / "python").symlink_to("python3.12")
    (folder / "lib" / "python3.12" / "site-packages").mkdir(parents=True)
    return folder


ANSWER = '{"version": [%s], "label": "%s", "base": [], "path": [], "has_numpy": %s}'


def test_a_whole_tree_has_condas_variable_and_its_libraries_only_where_they_are_missing(tmp_path: Path) -> None:
    answer = ANSWER % ("3, 12", "3.12", "true")
    complaint = "error while loading shared libraries: libpython3.12.so.1.0: cannot open shared object file"
    needy = f"#!/bin/sh\n[ -n \"$LD_LIBRARY_PATH\" ] || {{ echo '{complaint}' >&2; exit 127; }}\necho '{answer}'"
    one = open_here(survey(whole(tmp_path / "one", f"#!/bin/sh\necho '{answer}'")))
    two = survey(whole(tmp_path / "two", needy)).open({"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": ""})

    assert one is not None
    assert two is not None
    assert one.variables["CONDA_PREFIX"] == str(tmp_path / "one")
    assert "LD_LIBRARY_PATH" not in one.variables
    assert two.variables["LD_LIBRARY_PATH"] == str(tmp_path / "two" / "lib")
    assert "VIRTUAL_ENV" not in {**one.variables, **two.variables}


@pytest.mark.parametrize(
    ("python", "text"),
    [
        ("#!/bin/sh\necho 'version GLIBC_2.99 not found' >&2; exit 1", "bin/python does not run: version GLIBC_2.99"),
        ("\x7fELF", "bin/python does not run: Exec format error"),
        (f"#!/bin/sh\necho '{ANSWER % ('3, 9', '3.9', 'true')}'", "expected Python 3.10 or newer, got 3.9"),
        (f"#!/bin/sh\necho '{ANSWER % ('3, 12', '3.12', 'false')}'", "expected NumPy in it, .* Python 3.12 finds none"),
    ],
)
def test_a_python_of_its_own_that_does_not_do_is_an_error(tmp_path: Path, python: str, text: str) -> None:
    with pytest.raises(LoadError, match=text):
        open_here(survey(whole(tmp_path, python)))


def test_a_link_to_nothing_in_a_tree_without_packages_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to("/nowhere/python")
    with pytest.raises(LoadError, match=r"neither a Python that runs nor a folder lib/pythonX\.Y/site-packages"):
        open_here(survey(tmp_path))


# ---- Packages alone


def test_bare_packages_run_under_the_servers_python_if_they_fit_it(tmp_path: Path) -> None:
    folder = packages(tmp_path / "packages")
    (folder / "bin").mkdir()
    (folder / "bin" / "f2py").touch()
    (folder / "extra.pth").write_text("sub", encoding="utf-8")
    (folder / "sub").mkdir()
    (folder / "sub" / "found_by_pth.py").touch()
    layout = survey(folder)

    assert layout.labels == (HERE,)
    assert open_here(layout) is None
    environment = layout.stand_in(tmp_path / "own", dict(os.environ))
    assert numpy_of(environment) == "9.9"
    assert start(environment, "import found_by_pth; print(1)") == "1"


def test_packages_of_a_prefix_are_no_bare_ones(tmp_path: Path) -> None:
    packages(tmp_path / "lib" / f"python{HERE}" / "site-packages")
    layout = survey(tmp_path)

    assert (layout.labels, layout.packages) == ((HERE,), tmp_path / "lib" / f"python{HERE}" / "site-packages")
    assert numpy_of(layout.stand_in(tmp_path / "own", dict(os.environ))) == "9.9"


def test_packages_without_compiled_modules_fit_every_python(tmp_path: Path) -> None:
    folder = packages(tmp_path / "packages")
    (folder / "numpy" / f"_core.{TAG}.so").unlink()
    layout = survey(folder)

    assert layout.labels == ()
    assert numpy_of(layout.stand_in(tmp_path / "own", dict(os.environ))) == "9.9"


def test_packages_for_several_pythons_run_under_any_that_all_fit(tmp_path: Path) -> None:
    folder = packages(tmp_path / "packages", f"cpython-3{NONE_SUCH[2:]}-x86_64-linux-gnu")
    (folder / "numpy" / f"_core.{TAG}.so").touch()
    (folder / "numpy" / "_core.cpython-367-darwin.so").touch()
    assert survey(folder).labels == (HERE, "3.67", NONE_SUCH)
    (folder / "other.cpython-367-darwin.so").touch()
    (folder / "other.cpython-366-darwin.so").touch()
    layout = survey(folder)
    assert layout.labels == ("3.67", NONE_SUCH)
    with pytest.raises(
        LoadError, match=r"made with Python 3\.67 or 3\.66, and no python3\.67 was found: .*; no python3\.66"
    ):
        layout.stand_in(tmp_path / "own", dict(os.environ))


def test_packages_that_fit_no_python_together_are_an_error(tmp_path: Path) -> None:
    folder = packages(tmp_path / "packages", "cpython-311-x86_64-linux-gnu")
    (folder / "zz.cpython-312-x86_64-linux-gnu.so").touch()
    with pytest.raises(
        LoadError, match=r"expected packages for one Python, got .* for 3\.1[12] and others for 3\.1[12]"
    ):
        survey(folder)


def test_packages_of_an_old_python_are_an_error_before_one_is_looked_for(tmp_path: Path) -> None:
    layout = survey(packages(tmp_path / "packages", "cpython-39-x86_64-linux-gnu"))
    with pytest.raises(LoadError, match=r"expected Python 3\.10 or newer, got 3\.9"):
        layout.stand_in(tmp_path / "own", dict(os.environ))


def test_a_free_threaded_python_is_a_version_of_its_own(tmp_path: Path) -> None:
    assert survey(packages(tmp_path / "packages", "cpython-313t-x86_64-linux-gnu")).labels == ("3.13t",)


def test_a_base_that_does_not_run_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = survey(packages(tmp_path / "packages"))

    def find(*_: object) -> Path:
        return Path("/bin/false")

    monkeypatch.setattr(_layout, "find_base", find)
    with pytest.raises(LoadError, match="/bin/false does not run: status 1"):
        layout.stand_in(tmp_path / "own", dict(os.environ))


# ---- Something else


@pytest.mark.parametrize(
    ("names", "got"),
    [
        ([], "got nothing"),
        (["model.bin", "data"], "got data, model.bin"),
        ([f"f{index:02}" for index in range(12)], "got f00, f01, f02, f03, f04, f05, f06, f07, f08, f09, …"),
    ],
)
def test_a_folder_without_an_environment_says_what_is_in_it(tmp_path: Path, names: list[str], got: str) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(LoadError, match=re.escape(got) + "$"):
        survey(tmp_path)


def test_versions_from_3_10_on_do() -> None:
    check_version("3.10", (3, 10))
    check_version("3.14t", (3, 14))
    with pytest.raises(LoadError):
        check_version("3.9", (3, 9))

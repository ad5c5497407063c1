from __future__ import annotations

import linecache
import logging
import os
import sys
import textwrap
import threading
import traceback
from typing import TYPE_CHECKING, cast

import pytest

from srv.runtimes._importer import PACKAGE, ModelCode
from srv_protocol.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Base:
    """Stands for MLModel."""

    def predict(self) -> object:
        """Answer."""
        raise NotImplementedError


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    # With pytest's importlib mode this module has a name that model code cannot import.
    monkeypatch.setitem(sys.modules, "_base_of_runtimes", sys.modules[__name__])


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    before, path = {name for name in sys.modules if not name.startswith(PACKAGE)}, list(sys.path)
    yield
    assert sys.path == path
    left = {name for name in sys.modules if not name.startswith(PACKAGE)} - before
    assert not left & {"models", "helper", "pkg", "shared"}


def write(folder: Path, **files: str) -> Path:
    """Write modules, ``pkg__sub`` as ``pkg/sub.py``; every file may use ``Base``."""
    for name, text in files.items():
        path = folder.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("from _base_of_runtimes import Base\n" + textwrap.dedent(text), encoding="utf-8")
    return folder


def runtime(answer: str, *, top: str = "", inside: str = "pass") -> str:
    """Return a module with a runtime: `top` stands before the class, `inside` in the method."""
    return f"{top}\nclass Runtime(Base):\n    def predict(self):\n        {inside}\n        return {answer}\n"


def answer(code: ModelCode, implementation: str = "models.Runtime") -> object:
    """Load the runtime and call it."""
    return code.load(implementation, Base)().predict()


# ---- Isolation


def test_two_folders_may_hold_the_same_names(tmp_path: Path) -> None:
    """Two folders may hold the same names."""
    codes: list[ModelCode] = []
    loaded: list[type[Base]] = []
    for name in ("a", "b"):
        folder = write(
            tmp_path / name,
            models=runtime("top + late()", top="from helper import value as top", inside="from helper import late"),
            helper=f"value = {name!r}\ndef late(): return {name.upper()!r}\n",
        )
        codes.append(ModelCode(name, folder))
        loaded.append(codes[-1].load("models.Runtime", Base))
    assert [each().predict() for each in loaded] == ["aA", "bB"]
    assert "models" not in sys.modules
    assert "helper" not in sys.modules
    for code in codes:
        code.release()


@pytest.mark.parametrize(
    ("statement", "answer_of"),
    [
        ("import helper", "helper.value"),
        ("import helper as h", "h.value"),
        ("from helper import value", "value"),
        ("import pkg.sub", "pkg.sub.value"),
        ("import pkg.sub as s", "s.value"),
        ("from pkg import sub", "sub.value"),
        ("from pkg.sub import value", "value"),
        ("from . import helper", "helper.value"),
        ("from .helper import value", "value"),
        ("from .pkg.sub import value", "value"),
        ("import plain.deep", "plain.deep.value"),
        ("import helper, json, os.path", "helper.value"),
        ("import importlib; h = importlib.import_module('.helper', __package__)", "h.value"),
        ("h = __import__('helper')", "h.value"),
    ],
)
@pytest.mark.parametrize("where", ["top", "inside"])
def test_forms_of_import(tmp_path: Path, statement: str, answer_of: str, where: str) -> None:
    """Every form of import finds the model's own modules, at the top and inside functions."""
    parts = {"top": statement} if where == "top" else {"inside": statement}
    write(
        tmp_path,
        models=runtime(answer_of, **parts),
        helper="value = 7",
        pkg____init__="from .sub import value",
        pkg__sub="value = 7",
        plain__deep="value = 7",
    )
    code = ModelCode("m", tmp_path)
    assert answer(code) == 7
    code.release()


def test_star_import(tmp_path: Path) -> None:
    """A star import finds the model's own modules."""
    code = ModelCode("m", write(tmp_path, models=runtime("value", top="from helper import *"), helper="value = 7"))
    assert answer(code) == 7
    code.release()


def test_circular_imports(tmp_path: Path) -> None:
    """Modules of a model may import each other."""
    write(
        tmp_path,
        models=runtime("helper.late()", top="import helper"),
        helper="import models\ndef late(): return models.__name__",
    )
    code = ModelCode("m", tmp_path)
    assert answer(code) == f"{code.package}.models"
    code.release()


def test_helpers_import_their_siblings_too(tmp_path: Path) -> None:
    """Helpers import their siblings too."""
    write(
        tmp_path,
        models=runtime("helper.late()", top="import helper"),
        helper="def late():\n    import deep\n    return deep.value",
        deep="value = 7",
    )
    code = ModelCode("m", tmp_path)
    assert answer(code) == 7
    code.release()


def test_the_root_comes_after_the_folder(tmp_path: Path) -> None:
    """The root comes after the folder."""
    write(tmp_path, helper="value = 'root'", shared="value = 'root'")
    folder = write(
        tmp_path / "m",
        models=runtime("helper.value, shared.value", top="import helper, shared"),
        helper="value = 'own'",
    )
    code = ModelCode("m", folder, tmp_path)
    assert answer(code) == ("own", "root")
    code.release()


def test_a_runtime_may_be_at_the_root_or_installed(tmp_path: Path) -> None:
    """A runtime may be at the root or installed."""
    code = ModelCode("m", tmp_path / "m", write(tmp_path, models=runtime("7")))
    assert answer(code) == 7
    assert code.load("_base_of_runtimes.Base", Base) is Base
    code.release()
    assert ModelCode("m", None).load("_base_of_runtimes.Base", Base) is Base


def test_a_runtime_in_a_package(tmp_path: Path) -> None:
    """A runtime may be in a package of the folder."""
    code = ModelCode("m", write(tmp_path, pkg____init__="", pkg__sub=runtime("7")))
    assert answer(code, "pkg.sub.Runtime") == 7
    code.release()


# ---- Whose module


@pytest.mark.parametrize("name", ["types", "numpy", "json"])
def test_the_servers_own_modules_are_not_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """The server's own modules are not replaced."""
    top = f"import {name} as outer\nfrom . import {name} as inner"
    write(tmp_path, models=runtime("outer, inner.value", top=top), **{name: "value = 7"})
    code = ModelCode("m", tmp_path)
    assert answer(code) == (sys.modules[name], 7)
    (message,) = caplog.messages
    assert message.startswith(f"{tmp_path / name}.py: `import {name}` means the module of that name outside the folder")
    code.release()


def test_a_runtime_may_be_called_as_a_standard_module(tmp_path: Path) -> None:
    """A runtime may be called as a standard module."""
    code = ModelCode("m", write(tmp_path, types=runtime("7")))
    assert answer(code, "types.Runtime") == 7
    code.release()


def test_a_file_of_the_folder_hides_an_installed_module(tmp_path: Path) -> None:
    """A file of the folder hides an installed module."""
    code = ModelCode("m", write(tmp_path, models=runtime("msgspec.value", top="import msgspec"), msgspec="value = 7"))
    assert answer(code) == 7
    code.release()


def test_a_folder_of_data_does_not_hide_an_installed_module(tmp_path: Path) -> None:
    """A folder of data does not hide an installed module."""
    (tmp_path / "msgspec").mkdir()
    code = ModelCode("m", write(tmp_path, models=runtime("msgspec", top="import msgspec")))
    assert answer(code) is sys.modules["msgspec"]
    code.release()


# ---- Loading again


def test_changed_code_and_helpers_are_picked_up(tmp_path: Path) -> None:
    """Changed code and helpers are picked up."""

    def load(value: int) -> object:
        write(tmp_path, models=runtime(f"{value}, helper.value", top="import helper"), helper=f"value = {value}")
        for path in tmp_path.glob("*.py"):
            # The same size and time as before: nothing tells the change but the content.
            os.utime(path, (1_000_000_000, 1_000_000_000))
        code = ModelCode("m", tmp_path)
        try:
            return answer(code)
        finally:
            code.release()

    assert [load(1), load(2)] == [(1, 1), (2, 2)]
    assert not (tmp_path / "__pycache__").exists()


def test_a_new_file_is_found_at_once(tmp_path: Path) -> None:
    """A new file is found at once."""
    write(tmp_path, models=runtime("helper.value", top="import helper"))
    os.utime(tmp_path, (1_000_000_000, 1_000_000_000))
    with pytest.raises(LoadError):
        answer(ModelCode("m", tmp_path))
    write(tmp_path, helper="value = 7")
    os.utime(tmp_path, (1_000_000_000, 1_000_000_000))
    code = ModelCode("m", tmp_path)
    assert answer(code) == 7
    code.release()


def test_the_old_code_serves_until_it_is_released(tmp_path: Path) -> None:
    """The old code serves until it is released."""
    old = ModelCode("m", write(tmp_path, models=runtime("helper.value", inside="import helper"), helper="value = 1"))
    old_runtime = old.load("models.Runtime", Base)
    assert old_runtime().predict() == 1
    new = ModelCode("m", write(tmp_path, helper="value = 2"))
    assert answer(new) == 2
    assert old_runtime().predict() == 1
    old.release()
    assert new.load("models.Runtime", Base)().predict() == 2
    new.release()


def test_release_forgets_everything(tmp_path: Path) -> None:
    """Release forgets everything."""
    code = ModelCode("m", write(tmp_path, models=runtime("7"), pkg____init__="", pkg__sub=""))
    code.load("models.Runtime", Base)
    assert f"{code.package}.models" in sys.modules
    code.release()
    code.release()
    assert not [name for name in sys.modules if name.startswith(code.package)]
    assert code.package.removeprefix(f"{PACKAGE}.") not in vars(sys.modules[PACKAGE])


def test_a_name_that_begins_another_is_not_released_with_it(tmp_path: Path) -> None:
    """A name that begins another is not released with it."""
    write(tmp_path, models=runtime("7"))
    codes = [ModelCode("m", tmp_path) for _ in range(11)]
    for code in codes:
        code.load("models.Runtime", Base)
    codes[0].release()
    for code in codes[1:]:
        assert f"{code.package}.models" in sys.modules
        code.release()


def test_labels_of_all_kinds(tmp_path: Path) -> None:
    """Whatever a model is called, its modules have importable names."""
    write(tmp_path, models=runtime("__name__"))
    for label in ("sum-model:v1.0", "é", "a b"):
        code = ModelCode(label, tmp_path)
        name = cast("str", answer(code))
        assert all(part.isidentifier() for part in name.split("."))
        code.release()


def test_threads_import_at_once(tmp_path: Path) -> None:
    """Threads that import a module at the same time get the same one."""
    write(tmp_path, models=runtime("helper.value", inside="import helper"), helper="value = object()")
    code = ModelCode("m", tmp_path)
    model = code.load("models.Runtime", Base)()
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(model.predict())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(map(id, found))) == 1
    code.release()


# ---- Errors


@pytest.mark.parametrize(
    ("files", "implementation", "message"),
    [
        ({}, "Runtime", "expected `module.Class`, got 'Runtime'"),
        ({}, "models.", "expected `module.Class`, got 'models.'"),
        ({}, "models/x.Runtime", "expected `module.Class`"),
        ({}, "models.Runtime", "no module 'models' in {folder}, and none is installed"),
        ({"pkg____init__": ""}, "pkg.sub.Runtime", "no module 'pkg.sub' in {folder}, and none is installed"),
        (
            {"models": "class Other(Base): pass"},
            "models.Runtime",
            "no 'Runtime' in module 'models' ({folder}/models.py); its classes: Other",
        ),
        ({"models": ""}, "models.Runtime", "no 'Runtime' in module 'models' ({folder}/models.py); its classes: none"),
        ({"models": "class Runtime: pass"}, "models.Runtime", "expected a subclass of Base, got <class '"),
        ({"models": "Runtime = 3"}, "models.Runtime", "expected a subclass of Base, got 3"),
        ({"models": "import not_installed"}, "models.Runtime", "No module named 'not_installed'"),
        ({"models": "from helper import x", "helper": ""}, "models.Runtime", "cannot import name 'x' from '"),
        ({"models": "import pkg.nope", "pkg____init__": ""}, "models.Runtime", "No module named 'pkg.nope'"),
    ],
)
def test_errors_name_the_place(tmp_path: Path, files: dict[str, str], implementation: str, message: str) -> None:
    """An error names the model, its implementation and where was searched; nothing stays imported."""
    code = ModelCode("m", write(tmp_path, **files))
    with pytest.raises(LoadError) as raised:
        code.load(implementation, Base)
    expected = f"model 'm': implementation {implementation!r}: {message.format(folder=tmp_path)}"
    assert raised.value.message.startswith(expected)
    assert not [name for name in sys.modules if name.startswith(code.package)]


@pytest.mark.parametrize(
    ("module", "end"),
    [
        ("sklearn", "No module named 'sklearn'; install it: pip install scikit-learn"),
        ("cv2", "No module named 'cv2'; install it: pip install opencv-python"),
        ("not_installed", "No module named 'not_installed'"),
    ],
)
def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, end: str) -> None:
    """A missing package is named, with what to install where that is certain."""

    def fail(name: str, *_: object) -> None:
        if name == module:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(sys, "meta_path", [_Refusing(fail), *sys.meta_path])
    monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(LoadError) as raised:
        ModelCode("m", write(tmp_path, models=f"import {module}")).load("models.Runtime", Base)
    assert raised.value.message.endswith(f": {end}")
    assert isinstance(raised.value.__cause__, ModuleNotFoundError)


class _Refusing:
    def __init__(self, find_spec: Callable[..., None]) -> None:
        self.find_spec = find_spec


@pytest.mark.parametrize(("text", "error"), [("1 / 0", ZeroDivisionError), ("def broken(:", SyntaxError)])
def test_errors_of_the_code_itself_pass(tmp_path: Path, text: str, error: type[Exception]) -> None:
    """What the model's code raises while it is imported is not wrapped."""
    code = ModelCode("m", write(tmp_path, models=text))
    with pytest.raises(error) as raised:
        code.load("models.Runtime", Base)
    assert str(tmp_path / "models.py") in "".join(traceback.format_exception(raised.value))
    assert not [name for name in sys.modules if name.startswith(code.package)]


def test_tracebacks_show_files_and_their_present_lines(tmp_path: Path) -> None:
    """Tracebacks show real files, and lines as they are now."""
    for marker in ("'old'", "'new'"):
        write(tmp_path, models=runtime(f"1 / 0, {marker}"))
        os.utime(tmp_path / "models.py", (1_000_000_000, 1_000_000_000))
        code = ModelCode("m", tmp_path)
        with pytest.raises(ZeroDivisionError) as raised:
            answer(code)
        shown = "".join(traceback.format_exception(raised.value))
        assert f'File "{tmp_path / "models.py"}", line 6, in predict' in shown
        assert f"return 1 / 0, {marker}" in shown
        code.release()
    linecache.clearcache()


def test_the_loggers_of_a_models_modules_go_with_it(tmp_path: Path) -> None:
    """Each load has names of its own, and logging keeps whatever it has made."""
    code = ModelCode(
        "m", write(tmp_path, models=runtime("log.name", top="import logging; log = logging.getLogger(__name__)"))
    )
    before = set(logging.root.manager.loggerDict)
    assert answer(code) == f"{code.package}.models"
    assert set(logging.root.manager.loggerDict) - before == {code.package, f"{code.package}.models"}
    code.release()
    assert set(logging.root.manager.loggerDict) == before
    assert isinstance(logging.getLogger(PACKAGE), logging.Logger)

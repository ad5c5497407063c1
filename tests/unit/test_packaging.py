from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

DISTRIBUTION = "srv-inference"
# What rustc leaves in a binary; a stripped one is known by the tool that built its wheel.
RUST = re.compile(rb"/rustc/[0-9a-f]{40}/|rust_eh_personality|rust_panic|cargo/registry/src|__rust_alloc")
RUST_BUILDERS = ("maturin", "setuptools-rust")


def run_time_tree() -> dict[str, metadata.Distribution]:
    """Return the installed distributions that `pip install srv-inference` brings, by name."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [(DISTRIBUTION, frozenset[str]())]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, extras = item = waiting.pop()
        if item in seen:
            continue
        seen.add(item)
        distribution = found[name] = metadata.distribution(name)
        for text in distribution.requires or ():
            requirement = Requirement(text)
            environments = [{"extra": extra} for extra in ("", *extras)]
            if requirement.marker is None or any(map(requirement.marker.evaluate, environments)):
                waiting.append((requirement.name, frozenset(requirement.extras)))
    return found


def test_the_run_time_tree_has_no_compiled_rust() -> None:
    guilty: list[str] = []
    for name, distribution in run_time_tree().items():
        if any(builder in (distribution.read_text("WHEEL") or "") for builder in RUST_BUILDERS):
            guilty.append(f"{name}: built by a Rust tool")
        libraries = [file for file in distribution.files or () if ".so" in file.suffixes or file.suffix == ".pyd"]
        guilty += [f"{name}: {file}" for file in libraries if RUST.search(Path(str(file.locate())).read_bytes())]

    assert guilty == []


def test_the_tree_is_the_one_that_was_chosen() -> None:
    names = {name.lower().replace("_", "-") for name in run_time_tree()}

    assert {"betterproto2", "grpclib", "litestar", "msgspec", "numpy", "pyarrow", "uvicorn"} <= names
    assert not names & {"protobuf", "grpcio", "pandas", "pydantic", "orjson"}


def test_the_wheel_has_all_that_serving_needs_and_nothing_else() -> None:
    files = {file.as_posix() for file in metadata.files(DISTRIBUTION) or ()}
    if any(file.endswith(".pth") for file in files):
        pytest.skip("an editable install has no files of its own")
    packages = {file.partition("/")[0] for file in files if file.endswith(".py")}
    protos = Path(__file__).parents[2].glob("protocol/srv_protocol/proto/**/*.proto")

    assert packages == {"srv", "srv_codecs", "srv_protocol"}
    assert {f"{package}/py.typed" for package in packages} <= files
    assert {path.relative_to(Path(__file__).parents[2] / "protocol").as_posix() for path in protos} <= files
    assert "srv_protocol/proto/overlay.toml" in files
    assert any(file.endswith(".dist-info/licenses/LICENSE") for file in files)


@pytest.mark.parametrize("statement", ["import srv", "import srv.types, srv.codecs, srv.errors, srv.settings"])
def test_importing_srv_loads_neither_a_front_nor_a_table_library(statement: str) -> None:
    heavy = ("pandas", "pyarrow", "litestar", "grpclib", "uvicorn", "h2", "rich", "ml_dtypes")
    code = f"{statement}\nimport sys\nprint([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_serving_loads_no_protobuf_library() -> None:
    code = "import srv._server, sys\nprint([name for name in sys.modules if name.startswith('google.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"

"""What model code imports needs nothing but Python 3.10, numpy and what is plain Python."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from srv.mlserver._aliases import SOURCES
from srv.workers._surface import PACKAGES, PRIVATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = {"srv": ROOT / "server", "srv_codecs": ROOT / "codecs", "srv_protocol": ROOT / "protocol"}
ALLOWED: Final = {"numpy", *PRIVATE}
# What Python 3.10 does not have, as far as anybody was ever tempted.
NEWER: Final = {
    *("datetime.UTC", "enum.StrEnum", "tomllib", "asyncio.TaskGroup", "asyncio.Runner", "asyncio.timeout"),
    *("asyncio.timeout_at", "contextlib.chdir", "hashlib.file_digest", "logging.getLevelNamesMapping"),
    *(f"typing.{name}" for name in ("Never", "NotRequired", "Required", "Self", "Unpack", "assert_never", "override")),
}


def file_of(module: str) -> Path | None:
    """Return the file of a module of ours, ``None`` if there is none."""
    root = FOLDERS.get(module.partition(".")[0])
    if root is None:
        return None
    path = root.joinpath(*module.split("."))
    return next((each for each in (path / "__init__.py", path.with_suffix(".py")) if each.is_file()), None)


def at_import(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module that run when it is imported."""
    for node in body:
        yield node
        if isinstance(node, ast.If):
            checked = {each.id for each in ast.walk(node.test) if isinstance(each, ast.Name)}
            yield from at_import([*([] if "TYPE_CHECKING" in checked else node.body), *node.orelse])
        elif isinstance(node, (ast.ClassDef, ast.With)):
            yield from at_import(node.body)
        elif isinstance(node, ast.Try):
            yield from at_import([*node.body, *node.orelse, *node.finalbody])


def imports(path: Path) -> Iterator[str]:
    """Yield what a module imports at once: modules, and names that may be modules."""
    for node in at_import(ast.parse(path.read_text("utf-8"), feature_version=(3, 10)).body):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def closure(entries: Sequence[str]) -> dict[str, set[str]]:
    """Return the modules that `entries` lead to, each with what it imports."""
    found: dict[str, set[str]] = {}
    waiting = list(entries)
    while waiting:
        module = waiting.pop()
        path = file_of(module)
        if module in found or path is None:
            continue
        found[module] = set(imports(path))
        for name in (module, *found[module]):
            # A package is imported before what is in it.
            parts = name.split(".")
            waiting += [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
    return found


RUNTIMES: Final = [
    f"srv.runtimes.{path.stem}"
    for path in (ROOT / "server/srv/runtimes").glob("*.py")
    # It is imported where msgspec is.
    if path.stem != "_msgspec_hints"
]
PUBLIC: Final = ("codecs", "context", "errors", "handlers", "logging", "metrics", "repository", "settings", "types")
SURFACE: Final = closure(
    [
        "srv",
        *(f"srv.{name}" for name in PUBLIC),
        *RUNTIMES,
        "srv.workers._main",
        *(name for names in SOURCES.values() for name in names),
    ]
)


def test_the_closure_reaches_all_three_packages() -> None:
    assert {name.partition(".")[0] for name in SURFACE} == {*PACKAGES}
    assert {"srv.mlserver.codecs", "srv_codecs._decode_args", "srv_protocol._gen.inference_codec"} <= SURFACE.keys()


@pytest.mark.parametrize("module", sorted(SURFACE))
def test_what_model_code_imports_runs_with_numpy_alone(module: str) -> None:
    needed = {name.partition(".")[0] for name in SURFACE[module]}
    assert needed <= {*sys.stdlib_module_names, *PACKAGES, *ALLOWED}


@pytest.mark.parametrize("module", sorted(SURFACE))
def test_what_model_code_imports_runs_on_python_3_10(module: str) -> None:
    path = file_of(module)
    assert path is not None
    tree = ast.parse(path.read_text("utf-8"), feature_version=(3, 10))
    used = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not NEWER & (SURFACE[module] | used)


def test_the_bootstrap_needs_the_standard_library_alone() -> None:
    needed = {name.partition(".")[0] for name in imports(ROOT / "server/srv/workers/_bootstrap.py")}
    assert needed <= sys.stdlib_module_names


def test_private_packages_are_imported_where_the_bootstrap_lets_them() -> None:
    owners = {
        module.partition(".")[0]
        for module, names in SURFACE.items()
        if {*PRIVATE} & {n.partition(".")[0] for n in names}
    }
    assert owners == {"srv_protocol"}

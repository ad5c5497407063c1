"""The layer law: srv_protocol <- srv_codecs <- srv; srv_codegen stands alone. Between them only public modules."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = {
    "srv_protocol": ROOT / "protocol",
    "srv_codecs": ROOT / "codecs",
    "srv": ROOT / "server",
    "srv_codegen": ROOT / "codegen",
}
# package -> what it must not import
FORBIDDEN: Final = {
    "srv_protocol": {"srv_codecs", "srv", "srv_codegen"},
    "srv_codecs": {"srv", "srv_codegen"},
    "srv": {"srv_codegen"},
    "srv_codegen": {"srv_protocol", "srv_codecs", "srv"},
}


def imported(source: str) -> Iterator[str]:
    """Yield the full name of everything that is imported, wherever in the file it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files_of(package: str) -> Iterator[tuple[Path, set[str]]]:
    """Yield each file of a package with what it imports."""
    files = sorted((PACKAGES[package] / package).rglob("*.py"))
    assert files
    for file in files:
        yield file.relative_to(ROOT), set(imported(file.read_text("utf-8")))


@pytest.mark.parametrize("package", PACKAGES)
def test_imports(package: str) -> None:
    """Each package imports only those below it."""
    for file, names in files_of(package):
        wrong = FORBIDDEN[package] & {name.partition(".")[0] for name in names}
        assert not wrong, f"{file} imports {', '.join(sorted(wrong))}"


@pytest.mark.parametrize("package", PACKAGES)
def test_private_modules(package: str) -> None:
    """What starts with an underscore is imported within its own package alone."""
    for file, names in files_of(package):
        wrong = {name for name in names if _is_private(name) and not name.startswith(f"{package}.")}
        assert not wrong, f"{file} imports {', '.join(sorted(wrong))}"


def _is_private(name: str) -> bool:
    top, *inner = name.split(".")
    return top in PACKAGES and any(part.startswith("_") for part in inner)


@pytest.mark.parametrize("package", PACKAGES)
def test_roots(package: str) -> None:
    """A root folder is no package (codecs/__init__.py would hide the standard library's), and its package is typed."""
    root = PACKAGES[package]
    assert not (root / "__init__.py").exists()
    assert (root / package / "__init__.py").is_file()
    assert (root / package / "py.typed").is_file()

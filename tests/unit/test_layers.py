"""The layer law: srv_protocol <- srv_codecs <- srv; srv_codegen stands alone."""

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
    """Yield the top-level package of every import, wherever in the file it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_imports(package: str) -> None:
    """Each package imports only those below it."""
    files = sorted((PACKAGES[package] / package).rglob("*.py"))
    assert files
    for file in files:
        wrong = FORBIDDEN[package] & set(imported(file.read_text("utf-8")))
        assert not wrong, f"{file.relative_to(ROOT)} imports {', '.join(sorted(wrong))}"


@pytest.mark.parametrize("package", PACKAGES)
def test_roots(package: str) -> None:
    """A root folder is no package (codecs/__init__.py would hide the standard library's), and its package is typed."""
    root = PACKAGES[package]
    assert not (root / "__init__.py").exists()
    assert (root / package / "__init__.py").is_file()
    assert (root / package / "py.typed").is_file()

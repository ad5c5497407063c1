"""docs/protocol.md: every test that it names exists, and every rule has a row."""

from __future__ import annotations

import ast
import re

import pytest
from pages import ROOT

PAGE = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (D?[\d.]+) \| (.+?) \| (.+?) \| `(.+)` \|$", re.MULTILINE)
ROWS = ROW.findall(PAGE)

RULES = {
    *(f"D{number}" for number in range(1, 19)),
    *(f"1.{number}" for number in range(1, 7)),
    *(f"2.{number}" for number in range(1, 13)),
    *(f"3.{number}" for number in range(1, 8)),
}


def test_every_rule_has_a_row() -> None:
    assert {rule for rule, *_ in ROWS} == RULES


def test_every_line_of_the_rules_is_a_row() -> None:
    tables = PAGE.partition("## What others do")[0]
    lines = [line for line in tables.splitlines() if line.startswith("| ") and not line.startswith("| rule ")]

    assert len(lines) == len(ROWS)


def test_every_row_says_whether_its_rule_holds() -> None:
    assert [holds for _, _, holds, _ in ROWS if not holds.startswith(("yes", "differs"))] == []


@pytest.mark.parametrize("file", sorted({test.partition("::")[0] for *_, test in ROWS}))
def test_every_test_that_is_named_exists(file: str) -> None:
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    there = {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}

    named = {name for *_, test in ROWS for path, _, name in [test.partition("::")] if path == file}

    assert named - there == set()


def test_the_tests_with_a_number_in_their_names_are_of_rules_that_the_page_has() -> None:
    names = {
        each.name
        for path in (ROOT / "tests" / "conformance").glob("test_*.py")
        for each in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(each, ast.FunctionDef)
    }
    numbers = {found[1] for name in names if (found := re.match(r"test_(d\d+|\d_\d+)_", name))}

    assert {number.upper().replace("_", ".") for number in numbers} <= {rule for rule, *_ in ROWS}

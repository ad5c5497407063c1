"""CONTRIBUTING.md: the facts that code can say."""

from __future__ import annotations

import re

from pages import ROOT, read_table

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_the_sessions_are_complete() -> None:
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    shown = [row[0].strip("`").removeprefix("nox -s ") for row in read_table("CONTRIBUTING.md", "session")]

    sessions = re.findall(r"^@nox\.session.*\ndef (\w+)", noxfile, re.MULTILINE)

    assert {name.partition("-")[0] for name in shown} == set(sessions)


def test_the_folders_of_tests_are_complete() -> None:
    folders = {
        path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and not path.name.startswith((".", "_"))
    }

    assert set(re.findall(r"^    tests/(\w+)/ ", PAGE, re.MULTILINE)) == folders

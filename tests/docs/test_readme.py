"""README.md: every command and every answer in it, and the facts that code can say."""

from __future__ import annotations

import re
import shutil
import tomllib
from typing import TYPE_CHECKING

import pytest
from pages import INSTALL, PLACEHOLDER, ROOT, exchange, read_blocks, run_page

from srv.grpc import _server as server
from srv_protocol.inference_grpc import GRPCInferenceServiceBase

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from serving import Server

README = (ROOT / "README.md").read_text(encoding="utf-8")
FIRST, SECOND = "pip install '.[examples]' && srv start examples", "pip install nox && nox -s tests"


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page uses curl, which is not installed")
def test_the_readme_says_what_happens(clone: Path, ports: Mapping[str, int]) -> None:
    run_page("README.md", clone, ports)


def test_the_first_two_commands_are_the_whole_set_up() -> None:
    commands = [block.text for block in read_blocks("README.md") if block.text.startswith(INSTALL)]

    assert commands == [FIRST, SECOND]


def test_the_project_supports_the_two_commands() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert "examples" in project["optional-dependencies"]
    assert "srv" in project["scripts"]
    assert re.search(r"^def tests\(session", noxfile, re.MULTILINE)
    assert re.search(r"pip install .*\bnox\b", ci)
    assert re.search(r"^nox -s tests\b", ci, re.MULTILINE)


def test_srv_start_shows_what_the_readme_shows(server: Server, ports: Mapping[str, int]) -> None:
    shown = next(block.output for block in read_blocks("README.md") if block.text == FIRST)
    assert shown is not None

    lines = iter(line.rstrip() for line in server.log.splitlines())

    for line in exchange(shown, ports).splitlines():
        assert line == PLACEHOLDER or line in lines, line


def test_the_runtime_that_is_shown_is_short() -> None:
    (runtime,) = [block.text for block in read_blocks("README.md") if (block.file or "").endswith(".py")]
    statements = [line for line in runtime.splitlines() if line.strip() and "import" not in line]

    assert len(statements) <= 10


def test_the_rpcs_are_told_apart_by_whether_they_are_served() -> None:
    works, _, missing = README.partition("What does not yet:")
    rpcs = [name for name in vars(GRPCInferenceServiceBase) if name[0].isupper()]

    served = {name for name in rpcs if re.search(rf"\b{name}\b", works.partition("## Status")[2])}
    unserved = {name for name in rpcs if re.search(rf"\b{name}\b", missing)}

    ours = [
        each
        for each in GRPCInferenceServiceBase.__subclasses__()
        if each.__module__.rpartition(".")[0] == server.__package__
    ]
    assert served == {name for name in rpcs for each in ours if name in vars(each)}
    assert unserved == set(rpcs) - served

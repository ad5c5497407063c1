"""The lines of docs/logging.md are those that the server writes."""

from __future__ import annotations

import json
import logging
import re
import shutil
from typing import TYPE_CHECKING

import pytest
from pages import read_blocks, run_page

from srv._logging import _JsonFormatter, model_context

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from serving import Server

PAGE = "docs/logging.md"


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page uses curl, which is not installed")
def test_the_server_writes_the_lines_that_are_shown(clone: Path, server: Server, ports: Mapping[str, int]) -> None:
    run_page(PAGE, clone, ports)
    shown = next(block.text for block in read_blocks(PAGE) if block.kind == "log")

    for line in shown.splitlines():
        _, _, event = line.partition(" [")
        pattern = re.sub(r"_\d+(?=\\.)", r"_\\d+", re.escape(event))
        assert re.search(pattern, server.log), line


def test_a_structured_line_has_the_members_that_are_shown() -> None:
    shown = json.loads(next(block.text for block in read_blocks(PAGE) if block.kind == "json" and block.file is None))
    record = logging.LogRecord("srv.model", logging.INFO, "", 0, "a line of load", None, None)
    with model_context("chatty", "2"):
        written = json.loads(_JsonFormatter().format(record))

    assert list(written) == list(shown)
    assert {**written, "time": ""} == {**shown, "time": ""}

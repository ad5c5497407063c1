"""What the pages show works, and answers what they say."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from pages import ROOT, run_page

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PAGES = sorted(str(path.relative_to(ROOT)) for glob in ("docs/*.md", "examples/**/*.md") for path in ROOT.glob(glob))
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="the pages use curl, which is not installed")


@needs_curl
@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_what_happens(page: str, clone: Path, ports: Mapping[str, int]) -> None:
    run_page(page, clone, ports)

"""Links between the pages lead somewhere, and every page of docs/ is in their index."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FOLDERS = ("docs", "examples", "protocol", "codecs", "server", "codegen", "tests")
PAGES = sorted(
    str(path.relative_to(ROOT))
    for glob in ("*.md", *(f"{each}/**/*.md" for each in FOLDERS))
    for path in ROOT.glob(glob)
)


def prose(page: Path) -> str:
    """Return a page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def links(page: str) -> list[str]:
    """Return where the links of a page lead."""
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", prose(ROOT / page)))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE):
        text = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(text if text not in found else f"{text}-{sum(each.startswith(text) for each in found)}")
    return found


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for link in links(page):
        if not link.startswith(("http:", "https:")):
            path, _, anchor = link.partition("#")
            target = (ROOT / page).parent / path if path else ROOT / page
            assert target.exists(), f"{page}: {link}"
            assert not anchor or anchor in anchors(target), f"{page}: {link}"


def test_every_page_is_in_the_index_once_under_its_own_title() -> None:
    index = re.findall(
        r"^\| \[(.+)\]\((.+)\) \| .+ \|$", (ROOT / "docs" / "README.md").read_text("utf-8"), re.MULTILINE
    )
    folder = ROOT / "docs"
    pages = {str(path.relative_to(folder)) for path in folder.glob("**/*.md")} - {"README.md"}

    assert sorted(name for _, name in index) == sorted(pages)
    for title, name in index:
        assert (ROOT / "docs" / name).read_text("utf-8").startswith(f"# {title}\n"), name

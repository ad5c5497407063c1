"""Runs what a Markdown page shows, from top to bottom.

- A ``console`` block: what stands behind ``$ `` is run by bash, to the end of the line or of a quote that is open
  there; the lines below it must be what it writes.
- A ``python`` block is a script; what it prints must be the ``text`` block behind it, if there is one.
- A block below ``<!-- file: PATH -->`` is written to that file.
- ``…`` in an output stands for anything.

A page speaks of the default ports, which are exchanged for those of a running server.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT: Final = Path(__file__).parents[2]
INSTALL: Final = "pip install "
PLACEHOLDER: Final = "…"

_BLOCK: Final = re.compile(
    r"(?:^<!-- file: (?P<file>\S+) -->\n+)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, or one command of a ``console`` block."""

    page: str
    line: int
    kind: str
    text: str
    file: str | None = None
    output: str | None = None

    @property
    def place(self) -> str:
        """Where it stands, as an editor opens it."""
        return f"{self.page}:{self.line}"


def read_blocks(page: str) -> list[Block]:
    """Return the blocks of a page, in order; outputs are joined to what writes them."""
    return list(_join(_split(page, (ROOT / page).read_text(encoding="utf-8"))))


def _split(page: str, text: str) -> Iterator[Block]:
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start("kind")) + 1
        if found["kind"] != "console":
            yield Block(page, line, found["kind"], found["text"], found["file"])
            continue
        yield from _commands(page, line + 1, found["text"].splitlines())


def _commands(page: str, first: int, lines: list[str]) -> Iterator[Block]:
    starts: list[int] = []
    quoted = False
    outputs: dict[int, int] = {}
    for index, line in enumerate(lines):
        if quoted or line.startswith("$ "):
            if not quoted:
                starts.append(index)
            quoted ^= line.count("'") % 2 == 1
            outputs[starts[-1]] = index + 1
    assert starts[:1] == [0], f"{page}:{first}: a console block starts with a command"
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        command, output = lines[start : outputs[start]], lines[outputs[start] : end]
        yield Block(page, first + start, "console", "\n".join(command)[2:], output="\n".join(output))


def _join(blocks: Iterator[Block]) -> Iterator[Block]:
    waiting: Block | None = None
    for block in blocks:
        if block.kind == "text" and waiting is not None and waiting.kind == "python" and waiting.file is None:
            yield Block(waiting.page, waiting.line, "python", waiting.text, output=block.text)
            waiting = None
            continue
        if waiting is not None:
            yield waiting
        waiting = block
    if waiting is not None:
        yield waiting


def run_page(page: str, folder: Path, ports: Mapping[str, int]) -> None:
    """Do all that a page shows, in `folder`, and compare what it says with what comes.

    `ports` are exchanged: the default one -> the server's.
    """
    wrong: list[str] = []
    for block in read_blocks(page):
        actual = _run(block, folder, ports)
        if actual is not None and not matches(exchange(block.output or "", ports), actual):
            wrong.append(f"{block.place}: expected\n{block.output}\ngot\n{actual}")
    assert not wrong, "\n\n".join(wrong)


def _run(block: Block, folder: Path, ports: Mapping[str, int]) -> str | None:
    """Return what a block writes; ``None`` when that does not matter."""
    if block.file is not None:
        path = folder / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(exchange(block.text, ports), encoding="utf-8")
        return None
    if block.kind == "console" and not block.text.startswith(INSTALL):
        return _write(["bash", "-c", exchange(block.text, ports)], folder, block)
    if block.kind == "python":
        actual = _write([sys.executable, "-c", exchange(block.text, ports)], folder, block)
        return actual if block.output is not None or actual else None
    return None


def _write(command: list[str], folder: Path, block: Block) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False
    )
    assert done.returncode == 0, f"{block.place}: exit status {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def exchange(text: str, ports: Mapping[str, int]) -> str:
    """Return a text with the default ports exchanged."""
    return re.sub(r"\b808[012]\b", lambda found: str(ports[found[0]]), text)


def matches(expected: str, actual: str) -> bool:
    """Whether an output is what the page says: trailing white space apart, and ``…`` for anything."""
    parts = [re.escape(part) for part in _strip(expected).split(PLACEHOLDER)]
    return re.fullmatch(".*".join(parts), _strip(actual), re.DOTALL) is not None


def _strip(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").strip().split("\n"))


def read_table(page: str, first_column: str) -> list[list[str]]:
    """Return the rows of the table whose first column has this heading."""
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    starts = [index for index, line in enumerate(lines) if line.startswith(f"| {first_column} |")]
    assert len(starts) == 1, f"{page}: expected one table with the column {first_column!r}, got {len(starts)}"
    rows: list[list[str]] = []
    for line in lines[starts[0] + 2 :]:
        if not line.startswith("|"):
            break
        cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
        rows.append([cell.strip().replace("\\|", "|") for cell in cells])
    return rows

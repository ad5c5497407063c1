"""Texts for clients, who need not know where on the machine things lie."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def hide_folder(text: str, folder: Path, name: str) -> str:
    """Return a text in which paths begin below `folder`, which itself is called `name`."""
    if folder == folder.parent:
        return text  # the root of the file system
    # Not within another path, nor as the beginning of a longer name.
    found = rf"(?<![\w./-]){re.escape(str(folder))}(?:/|(?!\.?[\w-]))"
    return re.sub(found, lambda match: "" if match[0].endswith("/") else name, text)

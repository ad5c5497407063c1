"""What the members of a tarball may be called, and where their links may lead."""

from __future__ import annotations

import re
from typing import Final

from srv_protocol.errors import LoadError

# What common file systems take.
_MAX_COMPONENT: Final = 255
_MAX_PATH: Final = 2048

# The links of a virtual environment that lead to the Python which it was made with.
_INTERPRETER: Final = re.compile(r"(?:[^/]+/)?bin/(?:python|pypy)[\w.]*")


def member_path(name: str) -> str:
    """Return a member's path below the folder that it is unpacked into; ``""`` is the folder itself.

    Raises:
        LoadError: it is absolute, leads out of the folder, or is too long for a file system.
    """
    components = [each for each in name.split("/") if each not in {"", "."}]
    if name.startswith("/") or ".." in components or "\0" in name:
        raise LoadError(f"expected members within the folder that they are unpacked into, got {name!r:.200}")
    path = "/".join(components)
    if len(_encode(path)) > _MAX_PATH or any(len(_encode(each)) > _MAX_COMPONENT for each in components):
        raise LoadError(
            f"expected paths of at most {_MAX_PATH} bytes, and names of at most {_MAX_COMPONENT}, got {name!r:.200}"
        )
    return path


def is_interpreter(path: str) -> bool:
    """Whether a member may be a link to a Python outside: ``bin/python``, ``bin/python3.12`` and the like."""
    return _INTERPRETER.fullmatch(path) is not None


def check_symlink(path: str, target: str) -> None:
    """Check where a symbolic link at `path` leads, as far as its own text says it.

    Raises:
        LoadError: out of the folder, and it is no link to an interpreter.
    """
    if target.startswith("/"):
        inside = is_interpreter(path)
    else:
        depth = path.count("/")
        inside = bool(target) and "\0" not in target
        for component in target.split("/"):
            depth += {"": 0, ".": 0, "..": -1}.get(component, 1)
            inside = inside and depth >= 0
    if not inside:
        raise link_error(path, target)


def link_error(path: str, target: str) -> LoadError:
    """Return the error for a symbolic link that leads out of the folder."""
    return LoadError(f"expected links within the environment, got {path!r:.200} -> {target!r:.200}")


def _encode(text: str) -> bytes:
    return text.encode(errors="surrogateescape")

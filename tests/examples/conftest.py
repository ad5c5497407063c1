from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from serving import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES: Final = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def examples() -> Iterator[Server]:
    """Return a server of the folder ``examples``."""
    yield from serve_folder(EXAMPLES)


@pytest.fixture(scope="session")
def documented() -> Iterator[Server]:
    """Return a server of the runtimes that MLServer's documentation shows."""
    yield from serve_folder(Path(__file__).parent / "models")


def serve_folder(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    try:
        yield server.wait_started()
    except BaseException:
        server.kill()
        raise
    server.close()

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from pages import ROOT
from serving import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a copy of the examples, in which pages may write."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="session")
def server(clone: Path) -> Iterator[Server]:
    """Return a server of that copy."""
    server = Server(clone / "examples", cache_enabled=True)
    # A page shows what becomes of an exception.
    server.faults_expected = True
    try:
        yield server.wait_started()
    except BaseException:
        server.kill()
        raise
    server.close()


@pytest.fixture(scope="session")
def ports(server: Server) -> dict[str, int]:
    """Return the default ports and the server's."""
    return {"8080": server.http_port, "8081": server.ports["gRPC"], "8082": server.metrics_port}

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from serving import MODELS, Gate, Server

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from serving import Serve

# No deadline: how long an example takes says something of the machine, and nothing of what is tested. Hypothesis' own
# profile "ci" has none either, and tries the same examples in each run, so that it is the change that makes it red.
settings.register_profile("local", deadline=None, print_blob=True)
settings.load_profile("ci" if "CI" in os.environ else "local")


@contextlib.contextmanager
def _serving() -> Generator[Serve]:
    servers: list[Server] = []

    def serve(folder: Path, *options: str, **settings: object) -> Server:
        servers.append(Server(folder, *options, **settings))
        return servers[-1]

    with contextlib.ExitStack() as stack:
        try:
            yield serve
        except BaseException:
            for server in servers:
                stack.callback(server.kill)
            raise
        for server in servers:
            stack.callback(server.kill)
            stack.callback(server.close)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers, which end with the test: with status 0, and without a traceback in their logs."""
    with _serving() as start:
        yield start


@pytest.fixture(scope="module")
def serve_module() -> Iterator[Serve]:
    """Start servers for all tests of a module."""
    with _serving() as start:
        yield start


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def loop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Let servers that start now run on an event loop."""
    name: str = request.param
    with pytest.MonkeyPatch.context() as patch:
        if name == "asyncio":
            folder = tmp_path_factory.mktemp("without")
            (folder / "uvloop.py").write_text("raise ImportError", encoding="utf-8")
            patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        else:
            pytest.importorskip("uvloop")
        yield name


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Return the server of ``models/shared``, the same for all tests; nobody changes its models' states."""
    with _serving() as start:
        yield start(MODELS / "shared").wait_started()


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Return a gate at which models wait."""
    opened = Gate()
    yield opened
    opened.close()

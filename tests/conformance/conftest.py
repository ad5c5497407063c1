from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from serving import MODELS, Server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def triton_server() -> Iterator[Server]:
    """Return the server of ``models/triton``, Triton's usual test models; nobody changes their states."""
    server = Server(MODELS / "triton")
    try:
        yield server.wait_started()
    except BaseException:
        server.kill()
        raise
    server.close()

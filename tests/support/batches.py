"""Servers without sockets, one of whose models answers requests together."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srv import MLModel, ModelSettings, Settings
from srv._server import Server
from srv.controlplane._repository import FolderRepository

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

LONG = 600.0
"""Seconds, more than a test has: what begins, begins for another reason than that it has waited."""


@contextlib.asynccontextmanager
async def serve_batched(runtime: type[MLModel], **model: Any) -> AsyncGenerator[Server]:
    """Serve a runtime as the model ``m``; a cache is there for whoever asks for it."""
    server = Server(Settings(cache_enabled=True), FolderRepository(Path(), {}))
    rules: dict[str, Any] = {"max_batch_size": 64, "max_batch_time": LONG, **model}
    await server.registry.load(ModelSettings(name="m", implementation=runtime, **rules))
    try:
        yield server
    finally:
        # Ends only if no request is left that uses the model.
        await server.registry.close()

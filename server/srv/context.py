"""The model whose code runs: context variables, which its coroutines, tasks and ``asyncio.to_thread`` see too."""

from __future__ import annotations

from srv._logging import model_name, model_version

__all__ = ["model_name", "model_version"]

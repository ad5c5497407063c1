"""srv.client in all its kinds: of threads and of asyncio, over REST and gRPC."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

from srv.client import AsyncClient, Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Waiting(contextlib.AbstractContextManager["Waiting"]):
    """An :class:`AsyncClient` whose calls are waited for, as if it were a :class:`Client`."""

    def __init__(self, url: str, **options: Any) -> None:
        self.runner = asyncio.Runner()
        self.client = self.runner.run(self._make(url, options))

    @staticmethod
    async def _make(url: str, options: dict[str, Any]) -> AsyncClient:
        return AsyncClient(url, **options)

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the client and its event loop."""
        self.runner.run(self.client.aclose())
        self.runner.close()

    def infer_stream(self, *args: Any, **options: Any) -> Iterator[Any]:
        """Yield the answers of a stream."""
        answers = self.client.infer_stream(*args, **options)
        try:
            with contextlib.suppress(StopAsyncIteration):
                while True:
                    yield self.runner.run(self._next(answers))
        finally:
            self.runner.run(answers.aclose())

    @staticmethod
    async def _next(answers: Any) -> Any:
        return await anext(answers)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)

        async def call(*args: Any, **options: Any) -> Any:
            return await method(*args, **options)

        return lambda *args, **options: self.runner.run(call(*args, **options))


KINDS: Final[dict[str, Callable[..., Any]]] = {"sync": Client, "async": Waiting}
"""What makes a client: the class, or what waits for the one of asyncio."""

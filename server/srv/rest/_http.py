"""uvicorn, driven by the server's own life cycle instead of by signals."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import uvicorn

from srv.rest._protocol import Http1Protocol

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Generator

    from litestar.types import ASGIApp

    from srv.rest._inference_cycle import InferenceEndpoint

# KServe's value; uvicorn's own 5 s close connections under clients that pause.
KEEP_ALIVE: Final = 65
# Seconds to write the errors of requests that were cut short.
_LAST_ANSWERS: Final = 1.0
# Seconds between looks at the connections that are left.
_LOOK: Final = 0.05


class HttpServer(uvicorn.Server):
    """One uvicorn server on one socket."""

    def __init__(
        self,
        app: ASGIApp,
        listener: socket.socket,
        endpoint: InferenceEndpoint | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        root_path: str = "",
        access_log: bool = False,
    ) -> None:

        class Protocol(Http1Protocol):
            """A class of this server's own, for what each connection would have to be told."""

        Protocol.endpoint = endpoint
        self._protocol = Protocol
        config = uvicorn.Config(
            app,
            http=self._protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            server_header=False,
            date_header=False,
            root_path=root_path,
            timeout_keep_alive=KEEP_ALIVE,
        )
        # Not as an argument, by which one server would switch the logger off for all.
        config.access_log = access_log
        super().__init__(config)
        self._listener = listener
        self._tls = tls
        self._up = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals to the server that this one is part of."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, and say so."""
        # Not as an argument: uvicorn takes files, and makes a context of its own.
        self.config.ssl = self._tls
        await super().startup(sockets)
        self._up.set()

    async def start(self) -> None:
        """Return once requests are accepted."""
        self._task = asyncio.create_task(self.serve([self._listener]))
        up = asyncio.create_task(self._up.wait())
        await asyncio.wait({up, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            up.cancel()
            await self._task

    async def hand_over(self, patience: float) -> None:
        """Accept nothing more, and close each connection behind its next answer; return when none is left.

        Idle connections stay for `patience` seconds: one that is closed while its client sends a request loses it.
        """
        for server in self.servers:
            server.close()
        self._protocol.handing_over = True
        deadline = asyncio.get_running_loop().time() + patience
        while self.server_state.connections and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110  # uvicorn has no event
            await asyncio.sleep(_LOOK)

    async def stop(self, grace: float) -> None:
        """Accept nothing more, let running requests finish for `grace` seconds, then drop them."""
        if self._task is None:
            return
        self.should_exit = True
        _, late = await asyncio.wait({self._task}, timeout=grace)
        if late:
            # Their handlers still answer, each with its error.
            for running in list(self.server_state.tasks):
                running.cancel()
            _, late = await asyncio.wait({self._task}, timeout=_LAST_ANSWERS)
        if late:
            self.force_exit = True
            await asyncio.wait({self._task}, timeout=_LAST_ANSWERS)

"""Connections to the REST front without sockets, so that a test says what comes in which piece, and when."""

from __future__ import annotations

import asyncio
import collections
import socket
from typing import TYPE_CHECKING, Any, Final

from prometheus_client.parser import text_string_to_metric_families
from serving import PATIENCE

from srv.rest._app import rest_app
from srv.rest._http import HttpServer
from srv.rest._inference_cycle import InferenceEndpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from srv._server import Server

# More turns of the event loop than any request here takes whose model does not wait.
_TURNS: Final = 30


class Endpoint(InferenceEndpoint):
    """Counts the requests that take the short way."""

    taken = 0

    def begin(self, protocol: Any) -> Any:
        """Begin one."""
        found = super().begin(protocol)
        self.taken += found is not None
        return found


class Front:
    """The REST front of a server, for connections that have no sockets; with or without the short way."""

    def __init__(self, server: Server, *, short: bool, root_path: str = "", access_log: bool = False) -> None:
        with socket.socket() as nobody:
            self._http = HttpServer(
                rest_app(server.backend),
                nobody,
                Endpoint(server.backend) if short else None,
                root_path=root_path,
                access_log=access_log,
            )
        self._http.config.load()
        self._metrics = server.metrics
        self._before = self._requests()

    @property
    def taken(self) -> int:
        """How many requests have taken the short way."""
        endpoint: Any = self._http.config.http_protocol_class
        return int(endpoint.endpoint.taken)

    def connect(self) -> Wire:
        """Return a new connection."""
        make: Any = self._http.config.http_protocol_class
        protocol = make(config=self._http.config, server_state=self._http.server_state, app_state={})
        wire = Wire(protocol)
        protocol.connection_made(wire)
        return wire

    async def idle(self) -> None:
        """Return once no request is being answered."""
        while tasks := set(self._http.server_state.tasks):
            await asyncio.wait_for(asyncio.wait(tasks), PATIENCE)

    def stop(self) -> None:
        """Do what the server does to what still runs when its time is up."""
        for connection in list(self._http.server_state.connections):
            connection.shutdown()
        for task in list(self._http.server_state.tasks):
            task.cancel()

    def counts(self) -> Mapping[tuple[str, str, str], int]:
        """Return how many requests there were since the last question, by method, route and status."""
        before, self._before = self._before, self._requests()
        return self._before - before

    def _requests(self) -> collections.Counter[tuple[str, str, str]]:
        found: collections.Counter[tuple[str, str, str]] = collections.Counter()
        for family in text_string_to_metric_families(self._metrics.render().decode()):
            for sample in family.samples:
                if sample.name == "rest_server_requests_total":
                    labels = sample.labels
                    found[labels["method"], labels["path"], labels["status_code"]] += int(sample.value)
        return found


class Wire(asyncio.Transport):
    """One connection: the client's end in the methods of its own, the server's in those of a transport.

    A client that is `hesitant` reads nothing: whatever the server writes waits, and the server is told.
    """

    def __init__(self, protocol: Any) -> None:
        super().__init__({"peername": ("127.0.0.1", 4711), "sockname": ("127.0.0.1", 8080)})
        self.received = b""
        self.hesitant = False
        self._protocol = protocol
        self._closed = asyncio.Event()
        self._closing = False
        self._sent = b""
        self._reading = True

    def send(self, data: bytes) -> None:
        """Let a piece come; what the server does not read yet waits."""
        self._sent += data
        self._deliver()

    async def settle(self) -> None:
        """Let the server do all that it can do with what has come."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    async def receive_all(self) -> bytes:
        """Return what the server has sent, once it has closed the connection."""
        await asyncio.wait_for(self._closed.wait(), PATIENCE)
        return self.received

    def leave(self) -> None:
        """Break the connection, of which the server learns at the next turn of the event loop."""
        self.close()

    def _deliver(self) -> None:
        while self._sent and self._reading and not self._closing:
            protocol: Any = self._protocol
            if isinstance(protocol, asyncio.BufferedProtocol):
                buffer: Any = protocol.get_buffer(-1)
                size = min(len(buffer), len(self._sent))
                buffer[:size], self._sent = self._sent[:size], self._sent[size:]
                protocol.buffer_updated(size)
            else:
                piece, self._sent = self._sent, b""
                protocol.data_received(piece)

    def _lose(self) -> None:
        self._protocol.connection_lost(None)
        self._closed.set()

    def write(self, data: Any) -> None:
        """Take what the server sends."""
        if not self._closing:
            self.received += bytes(data)
            if self.hesitant:
                self._protocol.pause_writing()

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """Take what the server sends."""
        for data in list_of_data:
            self.write(data)

    def close(self) -> None:
        """Close, and say so at the next turn of the event loop."""
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self._lose)

    def is_closing(self) -> bool:
        """Say whether it closes."""
        return self._closing

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Give what comes from now on to another."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return who gets what comes."""
        found: asyncio.BaseProtocol = self._protocol
        return found

    def pause_reading(self) -> None:
        """Let what comes wait."""
        self._reading = False

    def resume_reading(self) -> None:
        """Deliver what has waited, at the next turn of the event loop."""
        self._reading = True
        asyncio.get_running_loop().call_soon(self._deliver)

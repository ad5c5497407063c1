"""A stream of responses that a worker makes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from srv.workers._frames import Kind
from srv.workers._messages import pack_error, pack_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from srv.runtimes._requests import RequestStream
    from srv.workers._process import Call, Reply, WorkerProcess
    from srv_codecs.handover import Bundle


class RemoteStream:
    """The server's side of a stream: it asks for each response when somebody wants it.

    Args:
        requests: those behind the first one.
        begun: called once, when the worker has made the first response, or has ended.
    """

    def __init__(self, worker: WorkerProcess, requests: RequestStream, begun: Callable[[], None]) -> None:
        self._worker = worker
        self._requests = requests
        self._begun: Callable[[], None] | None = begun
        self._number = 0
        self._call: Call | None = None
        self._reading: asyncio.Task[None] | None = None

    async def begin(self, header: object, bundle: Bundle) -> None:
        """Send the first request.

        Raises:
            WorkerFailed: the worker has died.
        """
        self._number, self._call = await self._worker.call(Kind.STREAM, header, bundle, self._tell_begun)
        self._call.asked_more = self._read_more

    async def next(self) -> Reply | None:
        """Return the next response, ``None`` at the end.

        Raises:
            As :meth:`srv.workers._process.WorkerProcess.request`.
        """
        call = self._call
        assert call is not None  # noqa: S101  # `begin` comes first
        if call.reply.done():
            call.reply = asyncio.get_running_loop().create_future()
        self._worker.ask_next(self._number, call)
        reply = await call.reply
        self._tell_begun()
        return None if reply.kind is Kind.END else reply

    def _tell_begun(self) -> None:
        begun, self._begun = self._begun, None
        if begun is not None:
            begun()

    def _read_more(self) -> None:
        self._reading = asyncio.get_running_loop().create_task(self._send_more())

    async def _send_more(self) -> None:
        try:
            header, bundle = pack_request(await anext(self._requests))
        except StopAsyncIteration:
            self._worker.tell(Kind.END_MORE, self._number)
        except Exception as error:  # noqa: BLE001  # the runtime is told, as it would be in this process
            self._worker.tell(Kind.END_MORE, self._number, pack_error(error))
        else:
            self._worker.tell(Kind.MORE, self._number, header, bundle)

    def leave(self) -> None:
        """Say that nobody wants anything more of it."""
        if self._reading is not None:
            self._reading.cancel()
        if self._call is not None:
            self._worker.leave(self._number, self._call)
        else:
            self._tell_begun()

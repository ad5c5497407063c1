"""The client of programs that run on asyncio."""

# ruff: noqa: ASYNC109  # a timeout that includes retries and the connection, and has its own error

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol, TypeVar

from srv.client._deadline import DEFAULT
from srv.client._options import Options
from srv_protocol.errors import NotFound, Unavailable

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from types import TracebackType
    from typing import Any, Self

    from srv.client._answer import Answer
    from srv.client._call import Call, Reply
    from srv.client._deadline import Deadline, Timeout
    from srv.client._inputs import Inputs
    from srv.client._retry import Retry
    from srv_protocol.inference import (
        InferRequestedOutputTensor,
        ModelIndex,
        ModelMetadataResponse,
        ModelStatistics,
        ParameterValue,
        ServerMetadataResponse,
    )
    from srv_protocol.model_config import ModelConfig

T = TypeVar("T")


class _Transport(Protocol):
    async def run(self, call: Call[Any], deadline: Deadline) -> Reply: ...

    def stream(self, call: Call[Any], deadline: Deadline) -> AsyncGenerator[Reply]: ...

    async def aclose(self) -> None: ...


class AsyncClient:
    """A client of one server, over REST or gRPC as the URL says, for asyncio.

    Tasks may share it: over REST it has a pool of connections, over gRPC one for all calls; it belongs to the event
    loop that uses it first. Use it in an ``async with`` statement, or call :meth:`aclose`. A call whose task is
    cancelled ends at the server, too. Arguments and errors are those of :class:`~srv.client.Client`; `connections` is
    for REST.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float | None = 60.0,
        connect_timeout: float | None = 5.0,
        retry: Retry | None = None,
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        connections: int = 32,
        binary: bool = True,
    ) -> None:
        self._options = Options(
            url,
            timeout=timeout,
            connect_timeout=connect_timeout,
            retry=retry,
            headers=headers,
            tls=tls,
            connections=connections,
            binary=binary,
        )
        self._dialect = self._options.dialect
        self._transport = _make_transport(self._options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; calls that run fail."""
        await self._transport.aclose()

    def __repr__(self) -> str:
        return f"AsyncClient({self._options.endpoint.url!r})"

    async def infer(
        self,
        model: str,
        inputs: Inputs,
        *,
        version: str = "",
        outputs: Sequence[str | InferRequestedOutputTensor] = (),
        parameters: Mapping[str, ParameterValue] | None = None,
        id: str = "",  # noqa: A002  # as the message calls it
        headers: Mapping[str, str] | None = None,
        timeout: Timeout = DEFAULT,
    ) -> Answer:
        """Return what a model answers; arguments as of :meth:`Client.infer <srv.client.Client.infer>`."""
        call = self._options.infer(
            model, inputs, version=version, outputs=outputs, parameters=parameters, id=id, headers=headers
        )
        return await self._run(call, timeout)

    async def infer_stream(
        self,
        model: str,
        inputs: Inputs,
        *,
        version: str = "",
        outputs: Sequence[str | InferRequestedOutputTensor] = (),
        parameters: Mapping[str, ParameterValue] | None = None,
        id: str = "",  # noqa: A002  # as the message calls it
        headers: Mapping[str, str] | None = None,
        timeout: Timeout = DEFAULT,
    ) -> AsyncGenerator[Answer]:
        """Yield what a model answers, response by response, as they come; arguments as of :meth:`infer`.

        Nothing is sent before the first one is asked for, and a stream is never sent again. Closing the generator ends
        the model's work. Over REST the tensors of a stream are JSON.
        """
        call = self._options.infer(
            model, inputs, version=version, outputs=outputs, parameters=parameters, id=id, headers=headers, stream=True
        )
        async with aclosing(self._transport.stream(call, self._options.deadline(timeout))) as replies:
            async for reply in replies:
                yield call.read(reply)

    async def is_live(self, *, timeout: Timeout = DEFAULT) -> bool:
        """Return whether the server lives."""
        return await self._run(self._dialect.is_live(), timeout)

    async def is_ready(self, *, timeout: Timeout = DEFAULT) -> bool:
        """Return whether the server and all its models are ready."""
        return await self._run(self._dialect.is_ready(), timeout)

    async def is_model_ready(self, model: str, *, version: str = "", timeout: Timeout = DEFAULT) -> bool:
        """Return whether a model is ready; one that is not there is not."""
        try:
            return await self._run(self._dialect.is_model_ready(model, version), timeout)
        except NotFound:
            return False

    async def server_metadata(self, *, timeout: Timeout = DEFAULT) -> ServerMetadataResponse:
        """Return the server's name, version and extensions."""
        return await self._run(self._dialect.server_metadata(), timeout)

    async def model_metadata(
        self, model: str, *, version: str = "", timeout: Timeout = DEFAULT
    ) -> ModelMetadataResponse:
        """Return a model's versions, inputs and outputs."""
        return await self._run(self._dialect.model_metadata(model, version), timeout)

    async def model_config(self, model: str, *, version: str = "", timeout: Timeout = DEFAULT) -> ModelConfig:
        """Return a model's configuration, in Triton's form."""
        return await self._run(self._dialect.model_config(model, version), timeout)

    async def statistics(
        self, model: str = "", *, version: str = "", timeout: Timeout = DEFAULT
    ) -> list[ModelStatistics]:
        """Return what a model has done so far; of all models without a name."""
        return await self._run(self._dialect.statistics(model, version), timeout)

    async def repository_index(self, *, ready: bool = False, timeout: Timeout = DEFAULT) -> list[ModelIndex]:
        """Return the models of the repository and their states; with `ready` those that are ready."""
        return await self._run(self._dialect.index(ready=ready), timeout)

    async def load_model(
        self, model: str, *, parameters: Mapping[str, object] | None = None, timeout: Timeout = DEFAULT
    ) -> None:
        """Load a model, or load it anew; the parameters are those of Triton's extension, such as ``config``."""
        await self._run(self._dialect.load(model, parameters or {}), timeout)

    async def unload_model(
        self, model: str, *, parameters: Mapping[str, object] | None = None, timeout: Timeout = DEFAULT
    ) -> None:
        """Unload a model."""
        await self._run(self._dialect.unload(model, parameters or {}), timeout)

    async def trace_settings(
        self,
        model: str = "",
        *,
        changes: Mapping[str, Sequence[str] | None] | None = None,
        timeout: Timeout = DEFAULT,
    ) -> dict[str, list[str]]:
        """Return the trace settings of a model, or of all, once `changes` are made; ``None`` takes one back."""
        return await self._run(self._dialect.trace_settings(model, changes or {}), timeout)

    async def log_settings(
        self, *, changes: Mapping[str, bool | int | str] | None = None, timeout: Timeout = DEFAULT
    ) -> dict[str, bool | int | str]:
        """Return the log settings, once `changes` are made."""
        return await self._run(self._dialect.log_settings(changes or {}), timeout)

    async def _run(self, call: Call[T], timeout: Timeout) -> T:
        deadline = self._options.deadline(timeout)
        retry = 0
        while True:
            try:
                return call.read(await self._transport.run(call, deadline))
            except Unavailable as error:
                retry += 1
                delay = self._options.retry_delay(retry, error, call, deadline)
                if delay is None:
                    raise
            await asyncio.sleep(delay)


def _make_transport(options: Options) -> _Transport:
    # Each is imported for those who need it.
    if options.endpoint.protocol == "http":
        from srv.client._async_http1 import Http1Transport

        return Http1Transport(options)
    from srv.client._async_http2 import Http2Transport

    return Http2Transport(options)

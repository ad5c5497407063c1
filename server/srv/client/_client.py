"""The client of programs that wait for each answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, TypeVar

from srv.client._deadline import DEFAULT
from srv.client._options import Options
from srv_protocol.errors import NotFound, Unavailable

if TYPE_CHECKING:
    import ssl
    from collections.abc import Generator, Iterator, Mapping, Sequence
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
    def run(self, call: Call[Any], deadline: Deadline) -> Reply: ...

    def stream(self, call: Call[Any], deadline: Deadline) -> Generator[Reply]: ...

    def close(self) -> None: ...


class Client:
    """A client of one server, over REST or gRPC as the URL says.

    Threads may share it: it has a pool of connections, made as they are needed. So may processes that fork: the child
    makes its own connections. Use it in a ``with`` statement, or call :meth:`close`.

    Args:
        url: ``http://host:8080``, ``https://host``, ``grpc://host:8081``, ``grpcs://host``, or a Unix socket:
            ``http+unix:/path``, ``grpc+unix:/path``.
        timeout: seconds for each call, from the first connection to the last byte, retries included.
        connect_timeout: seconds for each connection.
        retry: when calls are sent again; ``Retry(attempts=1)`` for never.
        headers: of every request; metadata over gRPC.
        tls: what an ``https`` or ``grpcs`` server is trusted by; the system's certificates by default.
        connections: how many are open at most.
        binary: whether tensors travel as binary data (raw contents over gRPC), as this server and Triton understand it.
            Without, as JSON (typed contents), for MLServer.

    Raises:
        InvalidInput: one of them is wrong, and so from every method: what it is given.
        Unavailable: from every method, as the next ones: the server cannot answer, or cannot be reached.
        DeadlineExceeded: there is no answer in time.
        SrvError: the error that the server answers with, of the class that means the same.
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; those in use when their call has ended."""
        self._transport.close()

    def __repr__(self) -> str:
        return f"Client({self._options.endpoint.url!r})"

    def infer(
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
        """Return what a model answers.

        Args:
            model: its name.
            inputs: arrays, lists, Arrow arrays, pandas Series or :class:`Input` by name; or a DataFrame or Arrow table,
                whose columns are inputs. Arrays are sent from where they lie, in their shape and datatype; BYTES, and
                what is not C-contiguous, are copied.
            version: of the model; the default one if it is empty.
            outputs: those that are wanted, by name; all if there are none.
            parameters: of the request.
            id: of the request; the answer has it too.
            headers: of the request, beside the client's.
            timeout: seconds, instead of the client's.
        """
        call = self._options.infer(
            model, inputs, version=version, outputs=outputs, parameters=parameters, id=id, headers=headers
        )
        return self._run(call, timeout)

    def infer_stream(
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
    ) -> Iterator[Answer]:
        """Yield what a model answers, response by response, as they come; arguments as of :meth:`infer`.

        Nothing is sent before the first one is asked for, and a stream is never sent again. Closing the iterator ends
        the model's work. Over REST the tensors of a stream are JSON.
        """
        call = self._options.infer(
            model, inputs, version=version, outputs=outputs, parameters=parameters, id=id, headers=headers, stream=True
        )
        for reply in self._transport.stream(call, self._options.deadline(timeout)):
            yield call.read(reply)

    def is_live(self, *, timeout: Timeout = DEFAULT) -> bool:
        """Return whether the server lives."""
        return self._run(self._dialect.is_live(), timeout)

    def is_ready(self, *, timeout: Timeout = DEFAULT) -> bool:
        """Return whether the server and all its models are ready."""
        return self._run(self._dialect.is_ready(), timeout)

    def is_model_ready(self, model: str, *, version: str = "", timeout: Timeout = DEFAULT) -> bool:
        """Return whether a model is ready; one that is not there is not."""
        try:
            return self._run(self._dialect.is_model_ready(model, version), timeout)
        except NotFound:
            return False

    def server_metadata(self, *, timeout: Timeout = DEFAULT) -> ServerMetadataResponse:
        """Return the server's name, version and extensions."""
        return self._run(self._dialect.server_metadata(), timeout)

    def model_metadata(self, model: str, *, version: str = "", timeout: Timeout = DEFAULT) -> ModelMetadataResponse:
        """Return a model's versions, inputs and outputs."""
        return self._run(self._dialect.model_metadata(model, version), timeout)

    def model_config(self, model: str, *, version: str = "", timeout: Timeout = DEFAULT) -> ModelConfig:
        """Return a model's configuration, in Triton's form."""
        return self._run(self._dialect.model_config(model, version), timeout)

    def statistics(self, model: str = "", *, version: str = "", timeout: Timeout = DEFAULT) -> list[ModelStatistics]:
        """Return what a model has done so far; of all models without a name."""
        return self._run(self._dialect.statistics(model, version), timeout)

    def repository_index(self, *, ready: bool = False, timeout: Timeout = DEFAULT) -> list[ModelIndex]:
        """Return the models of the repository and their states; with `ready` those that are ready."""
        return self._run(self._dialect.index(ready=ready), timeout)

    def load_model(
        self, model: str, *, parameters: Mapping[str, object] | None = None, timeout: Timeout = DEFAULT
    ) -> None:
        """Load a model, or load it anew; the parameters are those of Triton's extension, such as ``config``."""
        self._run(self._dialect.load(model, parameters or {}), timeout)

    def unload_model(
        self, model: str, *, parameters: Mapping[str, object] | None = None, timeout: Timeout = DEFAULT
    ) -> None:
        """Unload a model."""
        self._run(self._dialect.unload(model, parameters or {}), timeout)

    def trace_settings(
        self,
        model: str = "",
        *,
        changes: Mapping[str, Sequence[str] | None] | None = None,
        timeout: Timeout = DEFAULT,
    ) -> dict[str, list[str]]:
        """Return the trace settings of a model, or of all, once `changes` are made; ``None`` takes one back."""
        return self._run(self._dialect.trace_settings(model, changes or {}), timeout)

    def log_settings(
        self, *, changes: Mapping[str, bool | int | str] | None = None, timeout: Timeout = DEFAULT
    ) -> dict[str, bool | int | str]:
        """Return the log settings, once `changes` are made."""
        return self._run(self._dialect.log_settings(changes or {}), timeout)

    def _run(self, call: Call[T], timeout: Timeout) -> T:
        deadline = self._options.deadline(timeout)
        retry = 0
        while True:
            try:
                return call.read(self._transport.run(call, deadline))
            except Unavailable as error:
                retry += 1
                delay = self._options.retry_delay(retry, error, call, deadline)
                if delay is None:
                    raise
            time.sleep(delay)


def _make_transport(options: Options) -> _Transport:
    # Each is imported for those who need it.
    if options.endpoint.protocol == "http":
        from srv.client._sync_http1 import Http1Transport

        return Http1Transport(options)
    from srv.client._sync_http2 import Http2Transport

    return Http2Transport(options)

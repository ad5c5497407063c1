"""What a client is made with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from srv._version import __version__
from srv.client._connecting import tls_context
from srv.client._deadline import DEFAULT, Deadline, check_timeout
from srv.client._endpoint import parse_url
from srv.client._headers import check_headers
from srv.client._inputs import make_inputs, make_outputs
from srv.client._rest import Rest
from srv.client._retry import Retry
from srv_protocol.errors import InvalidInput
from srv_protocol.inference import ModelInferRequest, Parameters

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence

    from srv.client._answer import Answer
    from srv.client._call import Call
    from srv.client._deadline import Timeout
    from srv.client._dialect import Dialect
    from srv.client._inputs import Inputs
    from srv_protocol.errors import Unavailable
    from srv_protocol.inference import InferRequestedOutputTensor, ParameterValue

T = TypeVar("T")
_AGENT: Final = f"srv-client/{__version__}"


class Options:
    """What both kinds of client have in common: where to, how long, how often.

    Attributes:
        dialect: makes the calls.

    Raises:
        InvalidInput: one of them is out of its range, or does not go with the others.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float | None,
        connect_timeout: float | None,
        retry: Retry | None,
        headers: Mapping[str, str] | None,
        tls: ssl.SSLContext | None,
        connections: int,
        binary: bool,
    ) -> None:
        self.endpoint = parse_url(url)
        if tls is not None and not self.endpoint.tls:
            raise InvalidInput(f"tls: expected a URL of https or grpcs beside it, got {url!r}")
        if connections < 1:
            raise InvalidInput(f"connections: expected 1 or more, got {connections}")
        self.timeout = check_timeout("timeout", timeout)
        self.connect_timeout = check_timeout("connect_timeout", connect_timeout)
        self.connections = connections
        self.retry = retry or Retry()
        given = check_headers(headers)
        agent = () if any(name == "user-agent" for name, _ in given) else (("user-agent", _AGENT),)
        self.headers = (*agent, *given)
        self.tls = tls_context(self.endpoint, tls)
        self.dialect = self._dialect(binary=binary)

    def _dialect(self, *, binary: bool) -> Dialect:
        if self.endpoint.protocol == "http":
            return Rest(self.endpoint.prefix, binary=binary)
        from srv.client._grpc import Grpc  # what it imports, callers of REST do not need

        return Grpc(binary=binary)

    def deadline(self, timeout: Timeout) -> Deadline:
        """Return when a call must be answered that begins now."""
        return Deadline(self.timeout if timeout is DEFAULT else check_timeout("timeout", timeout))

    def infer(
        self,
        model: str,
        inputs: Inputs,
        *,
        version: str,
        outputs: Sequence[str | InferRequestedOutputTensor],
        parameters: Mapping[str, ParameterValue] | None,
        id: str,  # noqa: A002  # as the message calls it
        headers: Mapping[str, str] | None,
        stream: bool = False,
    ) -> Call[Answer]:
        """Return the call for an inference, or a stream of them."""
        request = ModelInferRequest(
            model,
            version,
            id,
            Parameters(parameters) if parameters else None,
            make_inputs(inputs),
            make_outputs(outputs) if outputs else [],
        )
        make = self.dialect.infer_stream if stream else self.dialect.infer
        return make(request, check_headers(headers))

    def retry_delay(self, retry: int, error: Unavailable, call: Call[T], deadline: Deadline) -> float | None:
        """Return how long to wait before a call is sent again, ``None`` if it is not."""
        repeatable = call.repeatable or self.retry.repeat_inference
        return self.retry.delay_before(retry, error, repeatable=repeatable, deadline=deadline)

"""A gRPC client of bytes and of messages, from grpcio alone."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

import grpc
from serving import PATIENCE
from tensors import pb

if TYPE_CHECKING:
    from collections.abc import Iterable

    from serving import Server

SERVICE: Final = "/inference.GRPCInferenceService/"
UNLIMITED: Final = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))


class Grpc(contextlib.AbstractContextManager["Grpc"]):
    """A channel to a gRPC front."""

    def __init__(self, server: Server, *options: tuple[str, Any], credentials: Any = None) -> None:
        # Channels of one process share their connections otherwise.
        given = [*UNLIMITED, ("grpc.use_local_subchannel_pool", 1), *options]
        self.channel: Any = (
            grpc.insecure_channel(server.grpc_address, given)
            if credentials is None
            else grpc.secure_channel(server.grpc_address, credentials, given)
        )

    def __exit__(self, *_: object) -> None:
        self.channel.close()

    def call(self, method: str, request: bytes, *, timeout: float = PATIENCE, **options: Any) -> bytes:
        """Make a unary call with bytes for messages; a method without a service is one of the inference service."""
        path = method if method.startswith("/") else SERVICE + method
        return bytes(self.channel.unary_unary(path)(request, timeout=timeout, **options))

    def infer(self, request: Any, **options: Any) -> Any:
        """Call ModelInfer."""
        return pb.ModelInferResponse.FromString(self.call("ModelInfer", request.SerializeToString(), **options))

    def start(self, request: Any, **options: Any) -> Any:
        """Start a ModelInfer, and return its future."""
        call = self.channel.unary_unary(SERVICE + "ModelInfer")
        return call.future(request.SerializeToString(), timeout=PATIENCE, **options)

    def stream(self, requests: Iterable[Any], **options: Any) -> Any:
        """Start a ModelStreamInfer, and return the call."""
        call = self.channel.stream_stream(
            SERVICE + "ModelStreamInfer", response_deserializer=pb.ModelStreamInferResponse.FromString
        )
        return call((request.SerializeToString() for request in requests), timeout=PATIENCE, **options)

    def fails(self, request: Any, method: str = "ModelInfer", **options: Any) -> tuple[str, str]:
        """Return the name of the status and the text with which a call fails."""
        data = request if isinstance(request, bytes) else request.SerializeToString()
        try:
            self.call(method, data, **options)
        except grpc.RpcError as error:
            return error.code().name, error.details() or ""
        raise AssertionError("the call succeeded")

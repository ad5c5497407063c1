"""Calls a server over gRPC with the project's own stub."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from grpclib.client import Channel

from srv_protocol.inference_grpc import GRPCInferenceServiceStub

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srv_protocol.inference import ModelInferRequest, ModelInferResponse, ModelStreamInferResponse


def call(
    address: str, request: ModelInferRequest, metadata: Mapping[str, str] | None = None
) -> tuple[ModelInferResponse, Mapping[str, str]]:
    """Call ModelInfer; return the response and the trailing metadata."""

    async def run() -> tuple[ModelInferResponse, Mapping[str, str]]:
        async with _channel(address) as channel:
            stub = GRPCInferenceServiceStub(channel)
            async with stub.ModelInfer.open(metadata=metadata) as stream:
                await stream.send_message(request, end=True)
                response = await stream.recv_message()
                await stream.recv_trailing_metadata()
                assert response is not None
                received: Mapping[str, str | bytes] = stream.trailing_metadata or {}
                return response, {name: str(value) for name, value in received.items()}

    return asyncio.run(run())


def call_stream(address: str, *requests: ModelInferRequest) -> list[ModelStreamInferResponse]:
    """Call ModelStreamInfer; return every response."""

    async def run() -> list[ModelStreamInferResponse]:
        async with _channel(address) as channel:
            return await GRPCInferenceServiceStub(channel).ModelStreamInfer(list(requests))

    return asyncio.run(run())


def _channel(address: str) -> Channel:
    host, _, port = address.rpartition(":")
    return Channel(host, int(port))

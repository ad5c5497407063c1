"""A whole server but for its sockets, with models that are classes."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from serving import GRPC_TRANSPORT

from srv import MLModel, ModelSettings, Settings
from srv._server import Server
from srv.controlplane._repository import FolderRepository
from srv.errors import InvalidInput
from srv.types import InferenceResponse, Parameters, ResponseOutput

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from srv.types import InferenceRequest


class _Echo(MLModel):
    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        headers = payload.parameters.headers
        outputs = [
            ResponseOutput(name=each.name, datatype=each.datatype, shape=each.shape, data=each.data)
            for each in payload.inputs
        ]
        seen = {} if headers is None or "x-sent" not in headers else {"x-seen": headers["x-sent"]}
        return InferenceResponse(outputs=outputs, parameters=Parameters(headers=seen))


class _Refusing(MLModel):
    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        raise InvalidInput(f"{payload.inputs[0].name}: not this one")


class _Broken(MLModel):
    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        del payload
        raise KeyError("secret")


class _Breaking(MLModel):
    """Yields as many responses as the input says, and fails."""

    async def predict_stream(self, payloads: AsyncIterator[InferenceRequest]) -> AsyncIterator[InferenceResponse]:
        async for payload in payloads:
            for index in range(int(np.asarray(payload.inputs[0].data)[0])):
                yield InferenceResponse(outputs=[ResponseOutput("index", "INT32", [1], data=np.array([index], "i4"))])
            raise KeyError("secret")


_MODELS = {"echo": _Echo, "refusing": _Refusing, "broken": _Broken, "breaking": _Breaking}


@contextlib.asynccontextmanager
async def in_memory(settings: Settings | None = None) -> AsyncGenerator[Server]:
    """Run a server of the models ``echo``, ``refusing``, ``broken`` and ``breaking``, which has not started yet."""
    server = Server(settings or Settings(grpc_transport=GRPC_TRANSPORT), FolderRepository(Path(), {}))
    for name, runtime in _MODELS.items():
        await server.registry.load(ModelSettings(name=name, implementation=runtime))
    try:
        yield server
    finally:
        await server.registry.close()

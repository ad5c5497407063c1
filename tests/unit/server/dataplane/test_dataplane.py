"""What is left of a request that has its answer."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from srv import MLModel, ModelSettings, Settings
from srv._server import Server
from srv.controlplane._repository import FolderRepository
from srv.dataplane._timeline import Timeline
from srv.types import InferenceRequest, InferenceResponse, RequestInput
from srv_protocol.inference import Headers

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator

MESSAGE: Final = "none of this"


class Plain(MLModel):
    """Fails on its thread."""

    def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Raise."""
        raise ValueError(MESSAGE, len(payload.inputs))


class Async(MLModel):
    """Fails on the event loop."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Raise."""
        raise ValueError(MESSAGE, len(payload.inputs))


class PlainStream(MLModel):
    """Fails in a step on its thread."""

    def predict_stream(self, payloads: Iterator[InferenceRequest]) -> Iterator[InferenceResponse]:
        """Yield one response, and raise."""
        for payload in payloads:
            yield InferenceResponse()
            raise ValueError(MESSAGE, len(payload.inputs))


class AsyncStream(MLModel):
    """Fails in a step on the event loop."""

    async def predict_stream(self, payloads: AsyncIterator[InferenceRequest]) -> AsyncIterator[InferenceResponse]:
        """Yield one response, and raise."""
        async for payload in payloads:
            yield InferenceResponse()
            raise ValueError(MESSAGE, len(payload.inputs))


async def read(responses: AsyncGenerator[bytes]) -> None:
    async with aclosing(responses):
        async for _ in responses:
            pass


@pytest.mark.parametrize("timeout", [None, 60.0])
@pytest.mark.parametrize("runtime", [Plain, Async, PlainStream, AsyncStream])
def test_the_tensors_of_a_request_that_fails_go_at_once(runtime: type[MLModel], timeout: float | None) -> None:
    """And not when the collector comes: they may be large, and failures many."""

    async def run() -> None:
        server = Server(Settings(request_timeout=timeout), FolderRepository(Path(), {}))
        await server.registry.load(ModelSettings(name="m", implementation=runtime))

        async def ask() -> weakref.ref[object]:
            data = np.zeros(2, "<i4")
            request = InferenceRequest(model_name="m", inputs=[RequestInput("x", "INT32", [2], data=data)])
            times = Timeline()
            responses = server.backend.dataplane.infer_stream(request, Headers(), times, bytes)
            with pytest.raises(ValueError, match=MESSAGE):
                await read(responses)
            return weakref.ref(data)

        gc.collect()
        gc.disable()
        try:
            data = await ask()
            # The model's thread and the loop let go of what they have run a moment later.
            await server.registry.find("m").runner.drain()
            assert data() is None
        finally:
            gc.enable()
            await server.registry.close()

    asyncio.run(run())

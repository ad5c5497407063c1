from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from srv import MLModel
from srv.types import InferenceRequest, InferenceResponse, ResponseOutput

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Repeat(MLModel):
    """Triton's decoupled test model: a response for each element of ``IN``."""

    async def predict_stream(self, payloads: AsyncIterator[InferenceRequest]) -> AsyncIterator[InferenceResponse]:
        """Wait for each element's ``DELAY`` in milliseconds, and yield the element and its index."""
        async for payload in payloads:
            given = {tensor.name: np.asarray(tensor.data) for tensor in payload.inputs}
            for index, (value, delay) in enumerate(zip(given["IN"], given["DELAY"], strict=True)):
                await asyncio.sleep(int(delay) / 1000)
                yield InferenceResponse(
                    outputs=[
                        ResponseOutput("OUT", "INT32", [1], data=np.array([value], np.int32)),
                        ResponseOutput("IDX", "UINT32", [1], data=np.array([index], np.uint32)),
                    ]
                )

from __future__ import annotations

import asyncio

import numpy as np

from srv import MLModel
from srv.types import InferenceRequest, InferenceResponse, ResponseOutput


class Accumulator(MLModel):
    """Triton's sequence test model: the sum of a sequence so far."""

    stateful = True

    async def load(self) -> bool:
        """Begin without sequences."""
        self.sums: dict[object, int] = {}
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Add the input, read the sum and write it back with pauses in between that order alone makes harmless."""
        parameters = payload.parameters
        key = parameters["sequence_id"]
        before = 0 if parameters.get("sequence_start") else self.sums[key]
        await asyncio.sleep(0)
        total = before + int(np.asarray(payload.inputs[0].data).sum())
        await asyncio.sleep(0)
        self.sums[key] = total
        if parameters.get("sequence_end"):
            del self.sums[key]
        shape = payload.inputs[0].shape
        return InferenceResponse(
            outputs=[ResponseOutput("OUTPUT", "INT32", shape, data=np.full(shape, total, np.int32))]
        )

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from srv import MLModel
from srv.types import InferenceRequest, InferenceResponse, ResponseOutput

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Accumulator(MLModel):
    """Triton's sequence test model: the sum of a sequence so far."""

    stateful = True

    async def load(self) -> bool:
        """Begin without sequences."""
        self.sums: dict[object, NDArray[np.int32]] = {}
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Add the input, read the sum and write it back with pauses in between that order alone makes harmless."""
        parameters = payload.parameters
        key = parameters["sequence_id"]
        given = np.asarray(payload.inputs[0].data, np.int32)
        before = np.zeros_like(given) if parameters.get("sequence_start") else self.sums[key]
        await asyncio.sleep(0)
        total = before + given
        await asyncio.sleep(0)
        self.sums[key] = total
        if parameters.get("sequence_end"):
            del self.sums[key]
        return InferenceResponse(outputs=[ResponseOutput("OUTPUT", "INT32", payload.inputs[0].shape, data=total)])

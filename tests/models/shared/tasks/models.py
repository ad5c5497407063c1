from __future__ import annotations

import asyncio
import gc

from srv import MLModel
from srv.types import InferenceRequest, InferenceResponse, ResponseOutput


class Tasks(MLModel):
    """Says how much goes on in the server."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return the number of tasks on the event loop."""
        del payload
        gc.collect()
        return InferenceResponse(outputs=[ResponseOutput("tasks", "INT32", [1], data=[len(asyncio.all_tasks())])])

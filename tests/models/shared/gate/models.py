from __future__ import annotations

import asyncio

from srv import MLModel
from srv.types import InferenceRequest, InferenceResponse, ResponseOutput


class Gate(MLModel):
    """Waits for the test."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Connect to the port that the input names, and answer when a byte comes."""
        port = int(str(payload.inputs[0].data[0]))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await reader.read(1)
        finally:
            writer.close()
        return InferenceResponse(outputs=[ResponseOutput("port", "INT32", [1], data=[port])])

from __future__ import annotations

from srv import MLModel
from srv.types import InferenceRequest, InferenceResponse, ResponseOutput


class Version(MLModel):
    """Says which version it is."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return the version."""
        del payload
        return InferenceResponse(outputs=[ResponseOutput("version", "BYTES", [1], data=[self.version or ""])])

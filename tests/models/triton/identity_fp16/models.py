from __future__ import annotations

from srv import MLModel
from srv.types import InferenceRequest, InferenceResponse, ResponseOutput


class Identity(MLModel):
    """Answers with its input."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return ``INPUT0`` as ``OUTPUT0``, without a copy."""
        (given,) = payload.inputs
        return InferenceResponse(outputs=[ResponseOutput("OUTPUT0", given.datatype, given.shape, data=given.data)])

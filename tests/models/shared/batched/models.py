from __future__ import annotations

from srv import MLModel
from srv.types import InferenceRequest, InferenceResponse, ResponseOutput


class Identity(MLModel):
    """Answers with its inputs."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return each input as an output of the same name, without a copy."""
        outputs = [ResponseOutput(each.name, each.datatype, each.shape, data=each.data) for each in payload.inputs]
        return InferenceResponse(outputs=outputs)

from __future__ import annotations

import numpy as np

from srv import MLModel
from srv.types import InferenceRequest, InferenceResponse, ResponseOutput


class Sum(MLModel):
    """Has inputs and outputs in its metadata."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return the sum and the difference of the inputs."""
        given = {tensor.name: np.asarray(tensor.data.array).reshape(tensor.shape) for tensor in payload.inputs}
        total, difference = given["a"] + given["b"], given["a"] - given["b"]
        return InferenceResponse(
            outputs=[
                ResponseOutput("sum", "FP32", total.shape, data=total),
                ResponseOutput("difference", "FP32", difference.shape, data=difference),
            ]
        )

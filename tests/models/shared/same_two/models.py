from __future__ import annotations

from helper import NAME  # type: ignore[import-not-found]  # the model's own

from srv import MLModel
from srv.types import InferenceRequest, InferenceResponse, ResponseOutput


class Named(MLModel):
    """One of two models whose modules have the same names."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return what the model's own helper says, asked for at the top and here."""
        from helper import NAME as AGAIN

        del payload
        return InferenceResponse(outputs=[ResponseOutput("name", "BYTES", [2], data=[NAME, AGAIN])])

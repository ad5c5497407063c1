from __future__ import annotations

from typing import TYPE_CHECKING, cast

from srv import MLModel
from srv.types import InferenceRequest, InferenceResponse, ResponseOutput

if TYPE_CHECKING:
    import pandas as pd


class Frame(MLModel):
    """Says what the request is as a DataFrame."""

    def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return the columns as text."""
        frame = cast("pd.DataFrame", self.decode_request(payload))
        text = repr({str(name): [str(cell) for cell in frame[name]] for name in frame})
        return InferenceResponse(outputs=[ResponseOutput("columns", "BYTES", [1], data=[text])])

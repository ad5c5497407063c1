from __future__ import annotations

import json
from typing import TYPE_CHECKING

from srv import MLModel
from srv.types import InferenceRequest, InferenceResponse, ResponseOutput

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Seen(MLModel):
    """Answers with the headers that it sees."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return them as JSON text."""
        text = json.dumps(dict(payload.parameters.headers or {}))
        return InferenceResponse(outputs=[ResponseOutput("seen", "BYTES", [1], data=[text])])

    async def predict_stream(self, payloads: AsyncIterator[InferenceRequest]) -> AsyncIterator[InferenceResponse]:
        """Do as `predict`, once for each request."""
        async for payload in payloads:
            yield await self.predict(payload)

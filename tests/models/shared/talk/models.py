from __future__ import annotations

from typing import TYPE_CHECKING

from srv import MLModel
from srv.types import InferenceRequest, InferenceResponse, Parameters, ResponseOutput

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Talk(MLModel):
    """Answers several requests in one call, where the client's stream brings them."""

    async def predict_stream(self, payloads: AsyncIterator[InferenceRequest]) -> AsyncIterator[InferenceResponse]:
        """Yield the sum of the numbers so far for each request, as a header too."""
        total = 0
        async for payload in payloads:
            total += int(str(payload.inputs[0].data[0]))
            yield InferenceResponse(
                outputs=[ResponseOutput("total", "INT32", [1], data=[total])],
                parameters=Parameters(headers={"x-total": str(total)}),
            )

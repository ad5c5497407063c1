"""Headers as MLServer's documentation reads and writes them; its response names no model, either."""

from mlserver import MLModel
from mlserver.types import InferenceRequest, InferenceResponse, Parameters


class MyCustomRuntime(MLModel):
    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        seen = "nothing"
        if payload.parameters and payload.parameters.headers:
            seen = payload.parameters.headers["x-request"]
        return InferenceResponse(outputs=[], parameters=Parameters(headers={"foo": "bar", "seen": seen}))

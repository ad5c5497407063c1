"""Answers with what it got, tensors and headers alike: a runtime that works on whole messages."""

from srv import MLModel
from srv.types import InferenceRequest, InferenceResponse, Parameters, ResponseOutput


class EchoHeaders(MLModel):
    """Reads HTTP headers, or gRPC metadata, and sends its own."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return the inputs as outputs; the tenant goes into a header and the content of a tensor is left alone."""
        headers = payload.parameters.headers
        return InferenceResponse(
            model_name=self.name,
            parameters=Parameters(headers={"x-tenant": headers.get("x-tenant", "nobody")}),
            outputs=[
                ResponseOutput(name=each.name, datatype=each.datatype, shape=each.shape, data=each.data)
                for each in payload.inputs
            ],
        )

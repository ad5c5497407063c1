from __future__ import annotations

from srv import Headers, MLModel
from srv.types import InferenceRequest, InferenceResponse, Parameters, ResponseOutput


class Echo(MLModel):
    """Answers with headers."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return the request's header ``x-echo`` as a header and as a parameter."""
        headers = payload.parameters.headers or Headers()
        found = headers["x-echo"] if "x-echo" in headers else "nothing"  # noqa: SIM401  # get() knows None
        parameters = Parameters({"echo": found, "flag": True, "number": 7}, headers=Headers({"x-echo": found}))
        outputs = [ResponseOutput("out", "INT32", [1], data=[1])]
        return InferenceResponse(outputs=outputs, parameters=parameters)

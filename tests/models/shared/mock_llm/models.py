from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from srv import MLModel
from srv.errors import InferenceError
from srv.types import InferenceRequest, InferenceResponse, Parameters, ResponseOutput

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class MockLlm(MLModel):
    """Answers as the model of that name does that Triton tests its generate extension with."""

    async def predict_stream(self, payloads: AsyncIterator[InferenceRequest]) -> AsyncIterator[InferenceResponse]:
        """Yield the prompt REPETITION times if it is to stream, then the mark of the end; else just once.

        With FAIL_LAST there is an error instead of the mark. With a parameter ``port`` it is connected to from the
        first response to the end, however that comes.
        """
        payload = await anext(aiter(payloads))
        given = {tensor.name: tensor.data for tensor in payload.inputs}
        parameters = payload.parameters
        text = ResponseOutput("TEXT", "BYTES", [1, 1], data=given["PROMPT"])
        if not given["STREAM"][0]:
            yield InferenceResponse(outputs=[text], parameters=Parameters(triton_final_response=True))
            return
        writer = None
        try:
            if "port" in parameters:
                _, writer = await asyncio.open_connection("127.0.0.1", int(str(parameters["port"])))
            for _ in range(int(str(parameters.get("REPETITION", 1)))):
                yield InferenceResponse(outputs=[text], parameters=Parameters(triton_final_response=False))
                await asyncio.sleep(0)
            if "FAIL_LAST" in parameters:
                raise InferenceError("An Error Occurred")
            yield InferenceResponse(parameters=Parameters(triton_final_response=True))
        finally:
            if writer is not None:
                writer.close()

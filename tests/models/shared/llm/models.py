from collections.abc import AsyncIterator
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from srv import MLModel, Output, decode_args
from srv.types import InferenceRequest, InferenceResponse, Parameters, ResponseOutput


class Llm(MLModel):
    """A language model that says what it hears: all at once, or word by word."""

    @decode_args
    async def predict(
        self, text_input: list[str], times: NDArray[np.int32] | None, seen: Parameters
    ) -> tuple[Annotated[list[str], Output("text_output")], Annotated[list[str], Output("parameters_seen")]]:
        """Return each text so many times, and the request's parameters."""
        count = 1 if times is None else int(times[0])
        return [" ".join([text] * count) for text in text_input], [f"{name}={value!r}" for name, value in seen.items()]

    async def predict_stream(self, payloads: AsyncIterator[InferenceRequest]) -> AsyncIterator[InferenceResponse]:
        """Yield the words of the text, the first with a header."""
        payload = await anext(aiter(payloads))
        headers = {"x-tokens": "all"}
        for index, word in enumerate(str(payload.inputs[0].data[0]).split()):
            yield InferenceResponse(
                outputs=[ResponseOutput("text_output", "BYTES", [1], data=[word])],
                parameters=Parameters({"index": index}, headers=headers),
            )

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from srv import MLModel
from srv.types import InferenceRequest, InferenceResponse, ResponseOutput

if TYPE_CHECKING:
    from collections.abc import Iterator


class Stream(MLModel):
    """Answers one request with many responses, from a plain generator."""

    def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return the number, for clients that want one response."""
        return InferenceResponse(outputs=[ResponseOutput("number", "INT32", [1], data=[payload.inputs[0].data[0]])])

    def predict_stream(self, payloads: Iterator[InferenceRequest]) -> Iterator[InferenceResponse]:
        """Count up to a million, connected to the port that is the input."""
        (payload,) = payloads
        with socket.create_connection(("127.0.0.1", int(str(payload.inputs[0].data[0])))):
            for number in range(1_000_000):
                yield InferenceResponse(outputs=[ResponseOutput("number", "INT32", [1], data=[number])])

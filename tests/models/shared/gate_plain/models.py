from __future__ import annotations

import socket

from srv import MLModel
from srv.types import InferenceRequest, InferenceResponse, ResponseOutput


class Gate(MLModel):
    """Waits for the test on its thread."""

    def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Connect to the port that the input names, and answer when a byte comes."""
        port = int(str(payload.inputs[0].data[0]))
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.recv(1)
        return InferenceResponse(outputs=[ResponseOutput("port", "INT32", [1], data=[port])])

from __future__ import annotations

from srv import MLModel
from srv.codecs import InputCodec, register_input_codec
from srv.types import InferenceRequest, InferenceResponse, RequestInput, ResponseOutput


@register_input_codec
class Reversed(InputCodec[str]):
    """Text back to front."""

    ContentType = "reversed"

    @classmethod
    def decode_input(cls, request_input: RequestInput) -> str:
        """Return the first element."""
        item = request_input.data[0]
        return (item.decode() if isinstance(item, bytes) else str(item))[::-1]


class Own(MLModel):
    """Has a codec of its own."""

    def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return what it makes of the input."""
        text = str(self.decode(payload.inputs[0], Reversed))
        return InferenceResponse(outputs=[ResponseOutput("text", "BYTES", [1], data=[text])])

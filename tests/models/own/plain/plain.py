from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from srv import MLModel
from srv.context import model_name
from srv.types import InferenceRequest, InferenceResponse, ResponseOutput

if TYPE_CHECKING:
    from collections.abc import Iterator

mine: ContextVar[str] = ContextVar("mine", default="unset")


def response(*values: str) -> InferenceResponse:
    """Return texts as a response."""
    return InferenceResponse(outputs=[ResponseOutput("y", "BYTES", [len(values)], data=list(values))])


def first(payload: InferenceRequest) -> str:
    """Return the text that a request has."""
    value = payload.inputs[0].data[0]
    return value.decode() if isinstance(value, bytes) else str(value)


class Plain(MLModel):
    """Sets a variable on the model's thread."""

    def predict_stream(self, payloads: Iterator[InferenceRequest]) -> Iterator[InferenceResponse]:  # type: ignore[override]  # either kind may be
        """Set a variable with the first item, and give it with all."""
        for payload in payloads:
            before = mine.get()
            mine.set(first(payload))
            for _ in range(3):
                yield response(before, mine.get(), model_name.get())

    def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Set a variable."""
        before = mine.get()
        mine.set(first(payload))
        return response(before, mine.get())

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from srv import Headers, MLModel
from srv.types import InferenceRequest, InferenceResponse, Parameters

if TYPE_CHECKING:
    from collections.abc import Iterator


class Send(MLModel):
    """Answers with headers that the request's parameter ``items`` lists: for each response a list of pairs, as JSON."""

    def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Send the first."""
        return next(self.predict_stream(iter([payload])))

    def predict_stream(self, payloads: Iterator[InferenceRequest]) -> Iterator[InferenceResponse]:
        """Send all, one after the other."""
        for payload in payloads:
            for pairs in json.loads(str(payload.parameters["items"])):
                headers = Headers((name, value) for name, value in pairs)
                yield InferenceResponse(outputs=[], parameters=Parameters(headers=headers))

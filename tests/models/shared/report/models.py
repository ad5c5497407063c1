from __future__ import annotations

import hashlib
import json

import numpy as np

from srv import MLModel
from srv.types import InferenceRequest, InferenceResponse, ResponseOutput


class Report(MLModel):
    """Says what it got, for tests that the way of a tensor makes no difference."""

    def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return, as JSON text, each input's name, dtype, shape and bytes, and the request's other members."""
        inputs: list[dict[str, object]] = []
        for tensor in payload.inputs:
            array = np.asarray(tensor.data if tensor.data.array is None else tensor.data.array)
            if tensor.datatype == "BYTES":
                # Text is one form of BYTES: JSON strings are not encoded before somebody asks for bytes.
                elements = [item if isinstance(item, bytes) else str(item).encode() for item in array.ravel()]
                digest = hashlib.sha256(json.dumps([list(item) for item in elements]).encode()).hexdigest()
            else:
                digest = hashlib.sha256(array.tobytes()).hexdigest()
            inputs.append(
                {
                    "name": tensor.name,
                    "datatype": tensor.datatype,
                    "shape": list(tensor.shape),
                    "parameters": dict(tensor.parameters),
                    "dtype": "object" if tensor.datatype == "BYTES" else str(array.dtype),
                    "digest": digest,
                    "writeable": bool(array.flags.writeable),
                }
            )
        report = {
            "id": payload.id,
            "parameters": dict(payload.parameters),
            "headers": dict(payload.parameters.headers or {}),
            "inputs": inputs,
        }
        return InferenceResponse(outputs=[ResponseOutput("report", "BYTES", [1], data=[json.dumps(report)])])

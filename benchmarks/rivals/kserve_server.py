"""KServe's own server with the same models: ``kserve_server.py HTTP_PORT GRPC_PORT``."""

import logging
import sys

import numpy as np
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer


class Computing(Model):
    def __init__(self, name, compute):
        super().__init__(name)
        self._compute = compute
        self.ready = True

    async def predict(self, payload: InferRequest, headers=None, response_headers=None) -> InferResponse:
        result = self._compute(*(each.as_numpy() for each in payload.inputs))
        output = InferOutput("output-0", list(result.shape), {"f4": "FP32", "f8": "FP64", "i8": "INT64"}[result.dtype.str[1:]])
        # As it came: text for JSON, bytes for the rest.
        binary = payload.from_grpc or payload.inputs[0]._raw_data is not None
        output.set_data_from_numpy(result, binary_data=binary)
        return InferResponse(payload.id or "", self.name, [output])


MODELS = [
    Computing("sum", lambda x: x.sum(axis=-1, keepdims=True)),
    Computing("identity", lambda x: x),
    Computing("mixed", lambda a, b, words: np.array([[a.sum(), b.sum(), words.size]], np.float64)),
]

if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    http_port, grpc_port = map(int, sys.argv[1:])
    ModelServer(http_port=http_port, grpc_port=grpc_port, workers=1, enable_grpc=True, access_log_format=None).start(MODELS)

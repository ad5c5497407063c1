"""The shape of MLServer's "advanced" interface: a whole request, a whole response, coroutines."""

import numpy as np
from mlserver import MLModel
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput


class CustomModel:
    """Adds up each input."""

    def __init__(self, model_name: str) -> None:
        self._model_name = model_name

    def predict(self, payload: InferenceRequest) -> InferenceResponse:
        outputs = [
            ResponseOutput(
                name=f"sum-{each.name}", shape=[1], datatype=each.datatype, data=[np.asarray(each.data).sum()]
            )
            for each in payload.inputs
        ]
        return InferenceResponse(model_name=self._model_name, outputs=outputs)


class MyCustomRuntime(MLModel):
    async def load(self) -> bool:
        self._model = CustomModel(self.name)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        return self._model.predict(payload)

"""MLServer's example "Serving a custom model", with a sum in the place of numpyro."""

import json
from typing import Optional

import numpy as np
from mlserver import MLModel
from mlserver.codecs import decode_args
from mlserver.utils import get_model_uri


class Predictive:
    def __init__(self, model, samples):
        self._model = model
        self._samples = samples

    def __call__(self, **inputs):
        return {"obs": self._model(self._samples, **inputs)}


class NumpyroModel(MLModel):
    async def load(self) -> bool:
        model_uri = await get_model_uri(self._settings)
        with open(model_uri) as model_file:
            raw_samples = json.load(model_file)

        self._samples = {}
        for k, v in raw_samples.items():
            self._samples[k] = np.array(v)

        self._predictive = Predictive(self._model, self._samples)

        return True

    @decode_args
    async def predict(
        self,
        marriage: Optional[np.ndarray] = None,
        age: Optional[np.ndarray] = None,
        divorce: Optional[np.ndarray] = None,
    ) -> np.ndarray:
        predictions = self._predictive(marriage=marriage, age=age, divorce=divorce)

        obs = predictions["obs"]
        obs_mean = obs.mean()

        return np.asarray(obs_mean)

    def _model(self, samples, marriage=None, age=None, divorce=None):
        M, A = 0.0, 0.0
        if marriage is not None:
            M = samples["bM"] * marriage
        if age is not None:
            A = samples["bA"] * age
        return samples["a"] + M + A

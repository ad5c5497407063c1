import numpy as np
from mlserver import MLModel
from mlserver.codecs import decode_args


class Identity(MLModel):
    async def load(self) -> bool:
        return True

    @decode_args
    async def predict(self, x: np.ndarray) -> np.ndarray:
        return x

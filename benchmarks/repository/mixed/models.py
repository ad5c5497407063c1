from typing import List

import numpy as np
from mlserver import MLModel
from mlserver.codecs import decode_args


class Mixed(MLModel):
    async def load(self) -> bool:
        return True

    @decode_args
    async def predict(self, a: np.ndarray, b: np.ndarray, words: List[str]) -> np.ndarray:
        return np.array([[a.sum(), b.sum(), len(words)]])

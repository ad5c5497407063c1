"""The shape of MLServer's "simplified" interface: ``decode_args``, hints of ``typing``, coroutines."""

from typing import List  # noqa: UP035  # as the page spells it

import numpy as np
from mlserver import MLModel
from mlserver.codecs import decode_args


class CustomModel:
    """Counts the words that a question and its context share."""

    def predict(self, questions: list[str], context: list[str]) -> np.ndarray:
        pairs = zip(questions, context, strict=True)
        return np.array([len({*question.split()} & {*text.split()}) for question, text in pairs])


class MyCustomRuntime(MLModel):
    async def load(self) -> bool:
        self._model = CustomModel()
        return True

    @decode_args
    async def predict(self, questions: List[str], context: List[str]) -> np.ndarray:  # noqa: UP006
        return self._model.predict(questions, context)

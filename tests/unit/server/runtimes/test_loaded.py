"""A loaded model stays loaded for as long as requests use it, and no longer."""

import asyncio
import contextvars

import pytest

from srv import MLModel, ModelSettings
from srv._custom_metrics import ModelMetrics
from srv._logging import model_name
from srv.runtimes._calls import Caller
from srv.runtimes._loaded import LoadedModel
from srv.runtimes._runner import LocalRunner
from srv.types import InferenceRequest, InferenceResponse


class Model(MLModel):
    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        del payload
        return InferenceResponse()


def test_a_use_that_ends_in_another_context_is_over_all_the_same() -> None:
    """As that of an asynchronous generator may, which somebody else closes; unload() waits for every use."""

    async def use_and_unload() -> None:
        runtime = Model(ModelSettings(name="m", implementation=Model))
        model = LoadedModel(LocalRunner(runtime, Caller("m"), None, ModelMetrics("m", None)))
        use = model.use()
        contextvars.copy_context().run(use.__enter__)
        with pytest.raises(ValueError, match="Context"):
            use.__exit__()
        assert not model_name.get()
        await asyncio.wait_for(model.unload(), 10)

    asyncio.run(use_and_unload())

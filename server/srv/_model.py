"""The base class of every runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srv_protocol.errors import Unsupported
from srv_protocol.inference import ModelMetadataResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Sequence

    from srv._model_settings import ModelSettings
    from srv_protocol.inference import (
        InferInputTensor,
        InferOutputTensor,
        InferRequestedOutputTensor,
        ModelInferRequest,
        ModelInferResponse,
        TensorMetadata,
    )


class MLModel:
    """A runtime: subclass it, and give it a ``predict``.

    Each method may be ``async def`` or plain ``def``. Plain ones run on a thread of the model's own, one at a time.
    Instances are made once per loaded model, with its settings.
    """

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._inputs = list(settings.inputs)
        self._outputs = list(settings.outputs)
        self.ready = False

    @property
    def name(self) -> str:
        """The model's name."""
        return self._settings.name

    @property
    def version(self) -> str | None:
        """The model's version, ``None`` for a model without."""
        return self._settings.version

    @property
    def settings(self) -> ModelSettings:
        """The settings of the model."""
        return self._settings

    @property
    def inputs(self) -> list[TensorMetadata]:
        """The inputs that the model's metadata names; requests are checked against them. ``load`` may set them."""
        return self._inputs

    @inputs.setter
    def inputs(self, value: Sequence[TensorMetadata]) -> None:
        self._inputs = list(value)

    @property
    def outputs(self) -> list[TensorMetadata]:
        """The outputs that the model's metadata names. ``load`` may set them."""
        return self._outputs

    @outputs.setter
    def outputs(self, value: Sequence[TensorMetadata]) -> None:
        self._outputs = list(value)

    if TYPE_CHECKING:
        # Either kind of function may override these; the base's own are coroutines, for ``await super().load()``.
        def load(self) -> bool | None | Awaitable[bool | None]:
            """Make the model ready: read its artefacts. ``False`` says that it is not; ``None`` counts as ``True``."""

        def unload(self) -> bool | None | Awaitable[bool | None]:
            """Release what :meth:`load` took."""

        def predict(self, payload: ModelInferRequest) -> ModelInferResponse | Awaitable[ModelInferResponse]:
            """Answer one request."""
            ...

        def metadata(self) -> ModelMetadataResponse | Awaitable[ModelMetadataResponse]:
            """Return the model's metadata; its versions are the server's to fill in."""
            ...

    else:

        async def load(self):
            return True

        async def unload(self):
            return True

        async def predict(self, payload):
            raise Unsupported(f"model '{self.name}' has no predict")

        async def metadata(self):
            return ModelMetadataResponse(
                name=self.name, platform=self._settings.platform, inputs=self._inputs, outputs=self._outputs
            )

    def predict_stream(self, payloads: AsyncIterator[ModelInferRequest]) -> AsyncIterator[ModelInferResponse]:
        """Answer a stream of requests with a stream of responses, as an ``async`` generator."""
        del payloads
        raise Unsupported(f"model '{self.name}' has no predict_stream")

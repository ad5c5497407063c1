"""The base class of every runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from srv.runtimes._derived import described_inputs, described_outputs
from srv_codecs.content_types import find_input_codec, find_request_codec, input_codecs, request_codecs
from srv_protocol.errors import CodecNotFound, Unsupported
from srv_protocol.inference import ModelMetadataResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

    from srv._model_settings import ModelSettings
    from srv_codecs.content_types import AnyInputCodec, AnyRequestCodec
    from srv_protocol.inference import (
        InferInputTensor,
        InferOutputTensor,
        InferRequestedOutputTensor,
        ModelInferRequest,
        ModelInferResponse,
        TensorMetadata,
    )

    class Requests(AsyncIterator[ModelInferRequest], Iterator[ModelInferRequest], Protocol):
        """What ``predict_stream`` gets: each kind of generator iterates over it in its own way."""

    class Predict(Protocol):
        """A ``predict`` that is an object, as one under ``decode_args`` is to type checkers."""

        def __call__(self, payload: ModelInferRequest, /) -> ModelInferResponse | Awaitable[ModelInferResponse]: ...

    class PredictStream(Protocol):
        """A ``predict_stream`` that is an object."""

        def __call__(
            self, payloads: Requests, /
        ) -> AsyncIterator[ModelInferResponse] | Iterator[ModelInferResponse]: ...


MYPY = False
"""True to mypy, by its name. It lets an object such as ``decode_args`` returns override a method, but not a variable;
with pyright it is the other way round."""


class MLModel:
    """A runtime: subclass it, and give it a ``predict``.

    Each method may be ``async def`` or plain ``def``. Plain ones run on a thread of the model's own, one at a time.
    Instances are made once per loaded model, with its settings.

    Attributes:
        stateful: whether the runtime keeps state between the requests of a sequence (Triton's "Sequence Extension").
            Then each request must belong to one, the first of a sequence says so, and those of one sequence reach
            ``predict`` in the order in which they came, one after the other.
    """

    stateful: ClassVar[bool] = False

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
        def load(self) -> bool | Awaitable[bool | None] | None:
            """Make the model ready: read its artefacts. ``False`` says that it is not; ``None`` counts as ``True``."""

        def unload(self) -> bool | Awaitable[bool | None] | None:
            """Release what :meth:`load` took."""

        if MYPY:

            def predict(self, payload: ModelInferRequest, /) -> ModelInferResponse | Awaitable[ModelInferResponse]:  # pyright: ignore[reportRedeclaration]  # see MYPY
                """Answer one request."""
                ...

            def predict_stream(  # pyright: ignore[reportRedeclaration]  # see MYPY
                self, payloads: Requests, /
            ) -> AsyncIterator[ModelInferResponse] | Iterator[ModelInferResponse]:
                """Answer a stream of requests with a stream of responses."""
                ...

        else:
            predict: Predict | Callable[[Any, ModelInferRequest], ModelInferResponse | Awaitable[ModelInferResponse]]
            predict_stream: (
                PredictStream
                | Callable[[Any, Requests], AsyncIterator[ModelInferResponse] | Iterator[ModelInferResponse]]
            )

        def metadata(self) -> ModelMetadataResponse | Awaitable[ModelMetadataResponse]:
            """Return the model's metadata; its versions are the server's to fill in.

            Inputs and outputs that the model does not declare are those that its signature under ``decode_args`` has.
            """
            ...

    else:

        async def load(self) -> bool:
            return True

        async def unload(self) -> bool:
            return True

        async def predict(self, payload: ModelInferRequest) -> ModelInferResponse:
            del payload
            raise Unsupported(f"model '{self.name}' has no predict")

        def predict_stream(self, payloads: AsyncIterator[ModelInferRequest]) -> AsyncIterator[ModelInferResponse]:
            del payloads
            raise Unsupported(f"model '{self.name}' has no predict_stream")

        async def metadata(self) -> ModelMetadataResponse:
            return ModelMetadataResponse(
                name=self.name,
                platform=self._settings.platform,
                inputs=described_inputs(self),
                outputs=described_outputs(self),
            )

    def decode(self, request_input: InferInputTensor, default_codec: AnyInputCodec | None = None) -> object:
        """Return a tensor's data as its content type says.

        That is the tensor's own, else that of the model's metadata for an input of its name, else `default_codec`.
        Where none of them says anything, the data is returned as it is.

        Raises:
            CodecNotFound: nobody registered the content type.
            InvalidInput: the data is not what the codec takes.
        """
        content_type = _content_type_of(request_input.name, self._inputs)
        codec = find_input_codec(request_input, content_type) or default_codec
        return request_input.data if codec is None else codec.decode_input(request_input)

    def decode_request(
        self, inference_request: ModelInferRequest, default_codec: AnyRequestCodec | None = None
    ) -> object:
        """Return a whole request as its content type says.

        That is its own, else that of the model's settings, else `default_codec`. Where none of them says anything,
        the request itself is returned.

        Raises:
            As :meth:`decode`.
        """
        codec = find_request_codec(inference_request, self._settings.parameters.content_type) or default_codec
        return inference_request if codec is None else codec.decode_request(inference_request)

    def encode(
        self,
        payload: object,
        request_output: InferRequestedOutputTensor,
        default_codec: AnyInputCodec | None = None,
    ) -> InferOutputTensor:
        """Return `payload` as the output that was asked for.

        Its content type is the requested output's own, else that of the model's metadata; without one the type of
        the payload decides, then `default_codec`.

        Raises:
            CodecNotFound: no codec is found by any of these.
            InferenceError: the codec cannot encode the payload.
        """
        content_type = request_output.parameters.content_type or _content_type_of(request_output.name, self._outputs)
        where = f"output '{request_output.name}'"
        if content_type:
            return input_codecs.find(content_type, where).encode_output(request_output.name, payload)
        codec = input_codecs.find_for(payload) or default_codec
        if codec is None:
            raise CodecNotFound(f"{where}: no codec encodes {type(payload).__name__}")
        return codec.encode_output(request_output.name, payload)

    def encode_response(self, payload: object, default_codec: AnyRequestCodec | None = None) -> ModelInferResponse:
        """Return `payload` as a whole response, by the codec that its type has, else by `default_codec`.

        Raises:
            CodecNotFound: its type has none, and there is no default.
            InferenceError: the codec cannot encode it.
        """
        codec = request_codecs.find_for(payload) or default_codec
        if codec is None:
            raise CodecNotFound(f"model '{self.name}': no codec encodes {type(payload).__name__} as a response")
        return codec.encode_response(self.name, payload, self.version)


def _content_type_of(name: str, tensors: Sequence[TensorMetadata]) -> str | None:
    return next((each.parameters.content_type for each in tensors if each.name == name), None)

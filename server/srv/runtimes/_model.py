"""The base class of every runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from srv.runtimes._derived import described_inputs, described_outputs
from srv_codecs.content_types import decode_tensor, find_request_codec, input_codecs, request_codecs
from srv_protocol.errors import CodecError, InferenceError, Unsupported
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

    # None: nobody has said anything since the runtime was made.
    _ready: bool | None = None
    _changed: Callable[[], None] | None = None

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._inputs = list(settings.inputs)
        self._outputs = list(settings.outputs)

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
    def ready(self) -> bool:
        """Whether the model takes requests: once it is loaded, unless the runtime says something else.

        A runtime may set it at any time and on any thread. What :meth:`load` returns counts more than what it sets,
        unless that is ``None``.
        """
        return bool(self._ready)

    @ready.setter
    def ready(self, value: bool) -> None:
        self._ready = bool(value)
        self._tell_changed()

    @property
    def inputs(self) -> list[TensorMetadata]:
        """The inputs that the model's metadata names; requests are checked against them. ``load`` may set them."""
        return self._inputs

    @inputs.setter
    def inputs(self, value: Sequence[TensorMetadata]) -> None:
        self._inputs = list(value)
        self._tell_changed()

    @property
    def outputs(self) -> list[TensorMetadata]:
        """The outputs that the model's metadata names. ``load`` may set them."""
        return self._outputs

    @outputs.setter
    def outputs(self, value: Sequence[TensorMetadata]) -> None:
        self._outputs = list(value)
        self._tell_changed()

    def _tell_changed(self) -> None:
        if self._changed is not None:
            self._changed()

    if TYPE_CHECKING:
        # Either kind of function may override these; the base's own are coroutines, for ``await super().load()``.
        def load(self) -> bool | Awaitable[bool | None] | None:
            """Make the model ready: read its artefacts. ``False`` says that this failed; ``None`` that it did not."""

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
        Where none of them says anything, the data is returned as it is. What a content type has made of a tensor is
        kept with it, and is the same object the next time.

        Raises:
            CodecNotFound: nobody registered the content type.
            InvalidInput: the data is not what the codec takes.
        """
        decoded = decode_tensor(request_input, _content_type_of(request_input.name, self._inputs))
        if decoded is not None:
            return decoded[1]
        return request_input.data if default_codec is None else default_codec.decode_input(request_input)

    def decode_request(
        self, inference_request: ModelInferRequest, default_codec: AnyRequestCodec | None = None
    ) -> object:
        """Return a whole request as its content type says.

        That is its own, else that of the model's settings, else `default_codec`. Where none of them says anything,
        the request itself is returned. Inputs that have a content type, as in :meth:`decode`, are decoded first, and
        the codec of the request works with what came of them: so a column of a DataFrame may be ``datetime``.

        Raises:
            As :meth:`decode`.
        """
        codec = find_request_codec(inference_request, self._settings.parameters.content_type) or default_codec
        for each in inference_request.inputs:
            decode_tensor(each, _content_type_of(each.name, self._inputs))
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
            CodecError: the client asks for a content type that nobody registered, or that does not carry the payload.
            InferenceError: no codec encodes it, or the one of the metadata does not.
        """
        name = request_output.name
        where = f"output '{name}'"
        wanted = request_output.parameters.content_type
        if wanted:
            try:
                return input_codecs.find(wanted, where).encode_output(name, payload)
            except InferenceError as error:
                # The runtime's value may be fine, and what the client wants of it is not.
                raise CodecError(f"{error.message} (content type '{wanted}' is what the request asks for)") from error
        content_type = _content_type_of(name, self._outputs)
        if content_type:
            return input_codecs.find(content_type, where).encode_output(name, payload)
        codec = input_codecs.find_for(payload) or default_codec
        if codec is None:
            raise InferenceError(f"{where}: no codec encodes {type(payload).__name__}")
        return codec.encode_output(name, payload)

    def encode_response(self, payload: object, default_codec: AnyRequestCodec | None = None) -> ModelInferResponse:
        """Return `payload` as a whole response.

        Its content type is that of the model's settings, if the codec of that one encodes such a payload; else the
        type of the payload decides, then `default_codec`.

        Raises:
            InferenceError: none of these encodes it.
        """
        content_type = self._settings.parameters.content_type
        codec = request_codecs.find(content_type) if content_type else None
        if codec is None or not codec.can_encode(payload):
            codec = request_codecs.find_for(payload) or default_codec
        if codec is None:
            raise InferenceError(f"model '{self.name}': no codec encodes {type(payload).__name__} as a response")
        return codec.encode_response(self.name, payload, self.version)


def _content_type_of(name: str, tensors: Sequence[TensorMetadata]) -> str | None:
    return next((each.parameters.content_type for each in tensors if each.name == name), None)

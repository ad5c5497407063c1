"""What a type hint means: how a value is taken from a request, and how it becomes outputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import numpy as np

from srv_codecs._numpy import NumpyCodec
from srv_codecs._packed import batch_shape
from srv_codecs._registry import input_codecs, request_codecs
from srv_codecs._side import REQUEST, RESPONSE
from srv_codecs._tensor_codec import TensorCodec
from srv_codecs._tensor_form import ImpliedTensor, TensorForm
from srv_protocol.errors import InferenceError
from srv_protocol.inference import Headers, InferOutputTensor, ModelInferRequest, Parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from srv_codecs._place import Place
    from srv_codecs._registry import AnyInputCodec, AnyRequestCodec
    from srv_protocol.inference import InferInputTensor, Tensor


@dataclass(frozen=True, slots=True)
class TensorHint:
    """A value that is one tensor.

    Attributes:
        text: the hint as people write it.
        datatypes: the datatypes that it allows; ``None`` for any.
        sizes: the shape that it allows, -1 for a dimension of any size; ``None`` for any.
    """

    text: str
    codec: AnyInputCodec
    datatypes: frozenset[str] | None = None
    sizes: tuple[int, ...] | None = None
    _own: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Our own codecs check what they are given, element by element, and say more about it.
        object.__setattr__(self, "_own", issubclass(self.codec, TensorCodec))

    def decode(self, tensor: InferInputTensor) -> object:
        """Return the value that an input holds.

        Raises:
            CodecError: the codec refuses the tensor, or it has another datatype or shape; nothing is cast.
        """
        if self.datatypes is not None and tensor.datatype not in self.datatypes:
            raise self._another_datatype(tensor, REQUEST.place(tensor.name))
        if self.sizes is not None:
            _check_shape(tensor.shape, self.sizes, REQUEST.place(tensor.name))
        return self.codec.decode_input(tensor)

    def encode(self, name: str, value: object) -> Sequence[InferOutputTensor]:
        """Return the one output that holds a value.

        Raises:
            InferenceError: the codec refuses the value, or it has another datatype or shape; nothing is cast.
        """
        if self.codec is NumpyCodec and isinstance(value, np.generic):
            # Reductions give scalars where one expects arrays without dimensions.
            value = np.asarray(cast("Any", value))
        if not (self._own or self.codec.can_encode(value)):
            raise unexpected(name, self.text, value)
        tensor = self.codec.encode_output(name, cast("Any", value))
        if not self._own and not isinstance(cast("object", tensor), InferOutputTensor):
            raise InferenceError(
                f"output '{name}': expected a ResponseOutput from {self.codec.__qualname__}, got {kind_of(tensor)}"
            )
        if self.datatypes is not None and tensor.datatype not in self.datatypes:
            raise self._another_datatype(tensor, RESPONSE.place(name))
        if self.sizes is not None:
            # Of the array itself: the tensor of one dimension is a column.
            _check_shape(np.shape(cast("Any", value)), self.sizes, RESPONSE.place(name))
        return (tensor,)

    def implied_input(self, name: str, *, optional: bool) -> ImpliedTensor:
        """Return what the hint says of an input."""
        return self._implied(name, self._form.takes, self.sizes, optional=optional)

    def implied_output(self, name: str) -> ImpliedTensor:
        """Return what the hint says of an output."""
        shape = None if self.sizes is None else tuple(batch_shape(self.sizes))
        return self._implied(name, self._form.gives, shape, optional=False)

    def _implied(self, name: str, form: TensorForm, shape: tuple[int, ...] | None, *, optional: bool) -> ImpliedTensor:
        datatypes = form.datatypes or self.datatypes
        known = next((each for each in (shape, form.shape) if each is not None), (-1,))
        return ImpliedTensor(name, datatypes, known, self.codec.ContentType or None, optional)

    @property
    def _form(self) -> type[TensorCodec[Any]]:
        # Codecs of other people's say nothing of their tensors.
        return self.codec if issubclass(self.codec, TensorCodec) else TensorCodec

    def _another_datatype(self, tensor: Tensor, place: Place) -> Exception:
        allowed = " or ".join(sorted(self.datatypes or ()))
        return place.fail("", f"expected {allowed}, got {tensor.datatype}")


def _check_shape(shape: Sequence[int], sizes: Sequence[int], place: Place) -> None:
    if len(shape) != len(sizes) or any(size not in (-1, given) for size, given in zip(sizes, shape, strict=True)):
        raise place.fail("", f"expected shape {list(sizes)}, got {list(shape)}")


@dataclass(frozen=True, slots=True)
class TableHint:
    """A value that is several tensors.

    Attributes:
        text: the hint as people write it.
    """

    text: str
    codec: AnyRequestCodec

    def decode(self, request: ModelInferRequest) -> object:
        """Return the value that all inputs of a request hold.

        Raises:
            InputsNotFound: there are none.
            CodecError: the codec refuses a tensor.
        """
        return self.codec.decode_request(request)

    def encode(self, name: str, value: object) -> Sequence[InferOutputTensor]:
        """Return the outputs that hold a value; they have names of their own, `name` is for errors.

        Raises:
            InferenceError: the codec refuses the value.
        """
        if not self.codec.can_encode(value):
            raise unexpected(name, self.text, value)
        return self.codec.encode_response("", value).outputs


@dataclass(frozen=True, slots=True)
class DictHint:
    """``dict[str, X]``: several tensors by name, each of which is an X.

    Attributes:
        text: the hint as people write it.
        optional: items that are ``None`` are left out of the outputs.
    """

    text: str
    hint: TensorHint
    optional: bool = False

    def decode(self, request: ModelInferRequest) -> dict[str, object]:
        """Return the inputs of a request by name, in its order.

        Raises:
            CodecError: one does not fit the hint.
        """
        decode = self.hint.decode
        return {tensor.name: decode(tensor) for tensor in request.inputs}

    def encode(self, name: str, value: object) -> Sequence[InferOutputTensor]:
        """Return an output for each item; `name` is for errors.

        Raises:
            InferenceError: an item does not fit the hint, or a key is no text.
        """
        if not isinstance(value, dict):
            raise unexpected(name, self.text, value)
        items = cast("dict[object, object]", value)
        return encode_items(
            {key: each for key, each in items.items() if not (each is None and self.optional)}, self.hint
        )


@dataclass(frozen=True, slots=True)
class ByTypeHint:
    """No hint: the codec is found by the type of the value.

    Input codecs come before request codecs, each in order of registration, so that an empty list is text.
    """

    text: str = "a value that a codec encodes, as there is no return hint"

    def encode(self, name: str, value: object) -> Sequence[InferOutputTensor]:
        """Return the outputs that hold a value.

        Raises:
            InferenceError: no codec encodes it, or the one that does refuses it.
        """
        input_codec = input_codecs.find_for(value)
        if input_codec is not None:
            return (input_codec.encode_output(name, value),)
        request_codec = request_codecs.find_for(value)
        if request_codec is not None:
            return request_codec.encode_response("", value).outputs
        raise unexpected(name, self.text, value)


RestHint: TypeAlias = TableHint | DictHint
"""What is known of a value that is any number of tensors."""
ValueHint: TypeAlias = TensorHint | RestHint
"""What is known of a value that is made of tensors."""


def encode_items(items: dict[object, object], hint: TensorHint | ByTypeHint) -> list[InferOutputTensor]:
    """Return an output for each item, of which the key is the name.

    Raises:
        InferenceError: an item does not fit the hint, or a key is no text.
    """
    outputs: list[InferOutputTensor] = []
    for name, item in items.items():
        if not isinstance(name, str):
            raise InferenceError(f"output {name!r}: expected a name that is text, got {type(name).__name__}")
        outputs += hint.encode(name, item)
    return outputs


@dataclass(frozen=True, slots=True)
class PartHint:
    """A part of the request itself, which is no tensor."""

    text: str
    read: Callable[[ModelInferRequest], object]


def unexpected(name: str, expected: str, value: object) -> InferenceError:
    """Return the error of a runtime whose result does not fit its hint."""
    return InferenceError(f"output '{name}': expected {expected}, got {kind_of(value)}")


def kind_of(value: object) -> str:
    """Return what errors call a value."""
    return "None" if value is None else type(value).__name__


def _whole(request: ModelInferRequest) -> ModelInferRequest:
    return request


def _parameters(request: ModelInferRequest) -> Parameters:
    return request.parameters


def _headers(request: ModelInferRequest) -> Headers:
    headers = request.parameters.headers
    return Headers() if headers is None else headers


PARTS: Final[dict[object, PartHint]] = {
    ModelInferRequest: PartHint("InferenceRequest", _whole),
    Parameters: PartHint("Parameters", _parameters),
    Headers: PartHint("Headers", _headers),
}
"""Hint -> how the part of a request that it means is read."""

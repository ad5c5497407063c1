"""Type hints -> how a value is taken from a request and how it becomes outputs, resolved once.

What a hint means is decided in this order:

    Annotated[X, ...]        X; an Output among the annotations names the output
    X | None, Optional[X]    X; the input may be missing, the output left out
    ModelInferRequest        the whole request (as an argument), the whole response (as a result: ModelInferResponse)
    Parameters, Headers      the request's parameters and headers (arguments only)
    NDArray[np.float32]      like np.ndarray, of this datatype alone; NDArray[np.floating] of any such datatype
    the ``TypeHint`` of an input codec      one tensor, in order of registration:
        np.ndarray               NumpyCodec
        list[str]                StringCodec
        list[bytes]              Base64Codec: the tensor's elements are base64, as MLServer has it
        list[str | datetime]     DatetimeCodec, also written list[datetime]
        pa.Array                 ArrowCodec
    the ``TypeHint`` of a request codec     every input that no other argument takes, or several outputs:
        pd.DataFrame             PandasCodec
        pa.RecordBatch           ArrowBatchCodec
        pa.Table                 ArrowTableCodec

``List`` and ``Union`` of :mod:`typing` mean the same as ``list`` and ``|``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast, get_args, get_origin

import numpy as np

from srv_codecs._list_codec import ListCodec
from srv_codecs._numpy import NumpyCodec
from srv_codecs._registry import input_codecs, load_offered_codecs, request_codecs
from srv_codecs._side import REQUEST, RESPONSE
from srv_codecs._tensor_codec import TensorCodec
from srv_codecs._type_hints import canonical, expand, show
from srv_protocol.datatypes import DATATYPES, Datatype, datatype_of
from srv_protocol.errors import CodecNotFound, InferenceError
from srv_protocol.inference import Headers, ModelInferRequest, Parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from srv_codecs._place import Place
    from srv_codecs._registry import AnyCodec, AnyInputCodec, AnyRequestCodec
    from srv_protocol.inference import InferInputTensor, InferOutputTensor, Tensor


_BYTES: Final = frozenset({Datatype.BYTES.value})


@dataclass(frozen=True, slots=True)
class TensorHint:
    """A value that is one tensor.

    Attributes:
        text: the hint as people write it.
        datatypes: the datatypes that it allows; ``None`` for any.
    """

    text: str
    codec: AnyInputCodec
    datatypes: frozenset[str] | None = None

    @property
    def implied_datatypes(self) -> frozenset[str] | None:
        """The datatypes that hint and codec together allow; ``None`` when nothing but a request can tell."""
        if self.datatypes is None and issubclass(self.codec, ListCodec):
            return _BYTES
        return self.datatypes

    def decode(self, tensor: InferInputTensor) -> object:
        """Return the value that an input holds.

        Raises:
            CodecError: the codec refuses the tensor, or it has another datatype; nothing is cast.
        """
        if self.datatypes is not None:
            self._check(tensor, REQUEST.place(tensor.name))
        return self.codec.decode_input(tensor)

    def encode(self, name: str, value: object) -> Sequence[InferOutputTensor]:
        """Return the one output that holds a value.

        Raises:
            InferenceError: the codec refuses the value, or it has another datatype; nothing is cast.
        """
        # Our own codecs check what they are given, element by element, and say more about it.
        if not (issubclass(self.codec, TensorCodec) or self.codec.can_encode(value)):
            raise unexpected(name, self.text, value)
        tensor = self.codec.encode_output(name, value)
        if self.datatypes is not None:
            self._check(tensor, RESPONSE.place(name))
        return (tensor,)

    def _check(self, tensor: Tensor, place: Place) -> None:
        if self.datatypes is not None and tensor.datatype not in self.datatypes:
            raise place.fail("", f"expected {' or '.join(sorted(self.datatypes))}, got {tensor.datatype}")


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


ValueHint: TypeAlias = TensorHint | TableHint | ByTypeHint
"""What is known of a value that becomes outputs."""


@dataclass(frozen=True, slots=True)
class PartHint:
    """A part of the request itself, which is no tensor."""

    text: str
    read: Callable[[ModelInferRequest], object]


def unexpected(name: str, expected: str, value: object) -> InferenceError:
    """Return the error of a runtime whose result does not fit its hint."""
    got = "None" if value is None else type(value).__name__
    return InferenceError(f"output '{name}': expected {expected}, got {got}")


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

_SAME: Final[dict[object, object]] = {list[datetime]: list[str | datetime]}
"""Hints that mean the same as the ``TypeHint`` of a codec."""


def find_hint(hint: object, where: str) -> TensorHint | TableHint:
    """Return what a hint, without ``None`` around it, means for a value that is made of tensors.

    Raises:
        CodecNotFound: no codec has the hint; the text starts with `where`.
    """
    # NDArray itself is such an alias where numpy's release and Python's allow it.
    array = expand(hint)
    if get_origin(array) is np.ndarray:
        return TensorHint(show(hint), NumpyCodec, _datatypes(array, where))
    found = search_codecs(hint)
    if found is None:
        raise CodecNotFound(f"{where}: no codec for the type hint {show(hint)}; there are {', '.join(_known())}")
    return found


def search_codecs(hint: object) -> TensorHint | TableHint | None:
    """Return what the first codec whose ``TypeHint`` it is makes of a hint, ``None`` when it is no codec's."""
    plain = canonical(hint)
    wanted = _SAME.get(plain, plain)
    for input_codec in input_codecs:
        if _has_hint(input_codec, wanted):
            return TensorHint(show(hint), input_codec)
    for request_codec in request_codecs:
        if _has_hint(request_codec, wanted):
            return TableHint(show(hint), request_codec)
    # Those that packages offer are imported for a hint that is no other's.
    return search_codecs(hint) if load_offered_codecs() else None


def _has_hint(codec: AnyCodec, wanted: object) -> bool:
    return codec.TypeHint is not None and canonical(codec.TypeHint) == wanted


def _known() -> list[str]:
    hints = [codec.TypeHint for codec in (*input_codecs, *request_codecs) if codec.TypeHint is not None]
    texts = [*map(show, hints), "NDArray[numpy.float32]", *(part.text for part in PARTS.values())]
    # Their packages may not be imported yet.
    texts += ["pandas.DataFrame", "pyarrow.Array", "pyarrow.RecordBatch", "pyarrow.Table"]
    return sorted(set(texts))


def _datatypes(hint: object, where: str) -> frozenset[str] | None:
    """Return the datatypes of ``np.ndarray[shape, np.dtype[scalar]]``, ``None`` when any will do."""
    _, *more = get_args(hint)
    if not more or get_origin(more[0]) is not np.dtype:
        return None
    given: Any = get_args(more[0])[0]
    if given is Any or given is np.generic:
        return None
    if not isinstance(given, type):
        raise CodecNotFound(f"{where}: {show(hint)}: expected one type of numpy's, got {show(given)}")
    scalar = cast("type[np.generic]", given)
    if issubclass(scalar, np.character):
        raise CodecNotFound(
            f"{where}: {show(hint)} is not served, since BYTES tensors are object arrays; "
            "use np.ndarray, NDArray[np.object_], list[str] or list[bytes]"
        )
    if scalar.__subclasses__():
        # An abstract type, such as np.floating; BF16's is not one of numpy's.
        rows = (row for row in DATATYPES.values() if row.name is not Datatype.BF16)
        return frozenset(row.name.value for row in rows if issubclass(row.dtype.type, scalar))
    array = cast("NDArray[np.generic]", np.empty(0, scalar))
    try:
        return frozenset({datatype_of(array).value})
    except TypeError as error:
        raise CodecNotFound(f"{where}: {error}") from None

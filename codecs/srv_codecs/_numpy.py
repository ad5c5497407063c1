"""Content type ``np``: tensors as numpy arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import numpy as np

from srv_codecs._arrays import plain_array, ready_array, tensor_array
from srv_codecs._elements import bytes_array
from srv_codecs._packed import Packed, batch_shape
from srv_codecs._table_codec import SingleTensorCodec
from srv_codecs._tensor_codec import TensorCodec
from srv_protocol.datatypes import DATATYPES, Datatype, datatype_of
from srv_protocol.inference import InferOutputTensor, Parameters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from srv_codecs._place import Place
    from srv_protocol.inference import InferInputTensor, Tensor

# Not BF16's: ml-dtypes is imported for those who use it.
_PLAIN: Final = {row.dtype: row.name for row in DATATYPES.values() if row.name not in {Datatype.BYTES, Datatype.BF16}}


class NumpyCodec(TensorCodec["NDArray[np.generic]"]):
    """One tensor as an array of its datatype and shape.

    Numbers and booleans are the tensor's own array, a view, read-only when it came from the network. BYTES is an
    object array of ``bytes`` in whatever form it came.

    Encoding copies nothing: the tensor holds the array. ``[N]`` becomes ``[N, 1]`` and a 0-d array ``[1]``. Object,
    ``U`` and ``S`` arrays are BYTES; numpy itself drops the trailing NULs of an ``S`` array's elements.
    """

    ContentType = "np"
    TypeHint = np.ndarray

    @classmethod
    def can_encode(cls, payload: object) -> bool:
        """Whether `payload` is an array."""
        return isinstance(payload, np.ndarray)

    @classmethod
    def pack(cls, payload: NDArray[np.generic], place: Place) -> Packed:
        """Return the array as a tensor without a name; fail at `place` for dtypes that no datatype carries."""
        return Packed(checked_datatype(payload, place), batch_shape(payload.shape), payload, cls.ContentType)

    @classmethod
    def encode_output(cls, name: str, payload: NDArray[np.generic], *, use_bytes: bool = True) -> InferOutputTensor:
        """Return a response's tensor; see :meth:`TensorCodec.encode_output`."""
        datatype = _PLAIN.get(payload.dtype) if type(payload) is np.ndarray else None
        if datatype is not None:
            # Most outputs of most runtimes, in fewer steps.
            shape = batch_shape(payload.shape)
            return InferOutputTensor(name, datatype, shape, Parameters.of_content_type(cls.ContentType), data=payload)
        return super().encode_output(name, payload, use_bytes=use_bytes)

    @classmethod
    def decode_input(cls, request_input: InferInputTensor) -> NDArray[np.generic]:
        """Return the array of a request's tensor; see :meth:`TensorCodec.decode_input`."""
        # Most inputs are ready, but objects are checked one by one.
        array = None if request_input.datatype == "BYTES" else ready_array(request_input)
        return super().decode_input(request_input) if array is None else array

    @classmethod
    def unpack(cls, tensor: Tensor, place: Place) -> NDArray[np.generic]:
        """Return the array, in the tensor's shape."""
        if tensor.datatype == Datatype.BYTES:
            return bytes_array(tensor, place)
        return tensor_array(tensor, place)


class NumpyRequestCodec(SingleTensorCodec["NDArray[np.generic]"]):
    """A request of one tensor as an array; see :class:`NumpyCodec`."""

    ContentType = "np"

    @classmethod
    def tensor_codec(cls) -> type[NumpyCodec]:
        """Return the codec of the one tensor."""
        return NumpyCodec


def checked_datatype(payload: object, place: Place) -> Datatype:
    """Return the datatype of an array that can become a tensor's data; fail at `place` for anything else."""
    if not isinstance(payload, np.ndarray):
        raise place.fail("", f"expected a numpy array, got {type(payload).__name__}")
    array = plain_array(cast("NDArray[np.generic]", payload), place, "")
    try:
        datatype = datatype_of(array)
    except TypeError as error:
        raise place.fail("", str(error)) from None
    if array.dtype.kind == "O":
        elements: list[object] = array.reshape(-1).tolist()
        wrong = set(map(type, elements)) - {bytes, str, bytearray, memoryview}
        if wrong:
            index, item = next((index, item) for index, item in enumerate(elements) if type(item) in wrong)
            raise place.fail(f"data[{index}]", f"expected bytes or text in an object array, got {type(item).__name__}")
    return datatype

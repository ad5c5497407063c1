"""A tensor's data on its way to another process of the same machine: what describes it, and bytes.

It arrives as it was: an array with its dtype and shape, Python values with their types, or both. A runtime there sees
what one here would. The descriptions are JSON: numbers, texts and lists of them.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from srv_codecs._arrays import ready_array, tensor_array
from srv_codecs._byte_strings import all_as_bytes
from srv_codecs._length_prefixed import join_elements, split_elements
from srv_codecs._place import Place
from srv_codecs._text_data import TextData
from srv_protocol.datatypes import DATATYPES, Datatype, JsonForm
from srv_protocol.errors import InferenceError
from srv_protocol.inference import TensorData

if TYPE_CHECKING:
    import mmap
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from srv_protocol.inference import Tensor

ALIGNMENT: Final = 64
"""What each array's offset is a multiple of."""

_BYTES_KEY: Final = "__bytes__"
_BFLOAT16: Final = "bfloat16"
# An error there would be one of this module.
_HERE: Final = Place("tensor", 0, "", InferenceError)


class Bundle:
    """What the bytes of several tensors will be; they are written when the memory for all of them is there.

    Attributes:
        size: bytes of all of them, gaps included.
    """

    __slots__ = ("_arrays", "_texts", "size")

    def __init__(self) -> None:
        self._arrays: list[tuple[int, NDArray[np.generic]]] = []
        self._texts: list[tuple[int, bytes | memoryview]] = []
        self.size = 0

    def add_array(self, array: NDArray[np.generic]) -> int:
        """Return the offset that an array's bytes, in row-major order, will have."""
        offset = -(-self.size // ALIGNMENT) * ALIGNMENT
        self.size = offset + array.nbytes
        self._arrays.append((offset, array))
        return offset

    def add_bytes(self, data: bytes | memoryview) -> int:
        """Return the offset that bytes will have."""
        offset = self.size
        self.size = offset + len(data)
        self._texts.append((offset, data))
        return offset

    def write(self, memory: bytearray | mmap.mmap) -> None:
        """Write all of it: one copy of each."""
        for offset, array in self._arrays:
            np.ndarray(array.shape, array.dtype, memory, offset)[...] = array
        for offset, data in self._texts:
            memory[offset : offset + len(data)] = data


def pack_data(tensor: Tensor, place: Place, bundle: Bundle) -> object:
    """Put a tensor's data into `bundle`, and return what describes it; ``None`` for a tensor without data.

    Data that no other process could have (an array of objects, say) becomes an array of the tensor's datatype first.

    Raises:
        SrvError: of the place's kind: that cannot be.
    """
    array = ready_array(tensor)
    if array is not None and not array.dtype.hasobject and tensor.data.values is None:
        # Of the datatype's own dtype and the tensor's shape, as most are: the offset says it all.
        return bundle.add_array(array)
    if not tensor.has_data:
        return None
    data = tensor.data
    if type(data) is TextData:
        assert data.array is not None  # noqa: S101  # such data always has one
        text, form = data.text
        return ["t", _pack_array(data.array, place, bundle), bundle.add_bytes(text), len(text), form.value]
    values = None if data.values is None else _pack_values(data.values, bundle)
    found = None if data.array is None else _pack_array(data.array, place, bundle)
    if values is None and found is None:
        found = _pack_array(tensor_array(tensor, place), place, bundle)
    return ["d", found, values]


def unpack_data(described: object, datatype: str, shape: Sequence[int], body: memoryview) -> TensorData | None:
    """Return the data that :func:`pack_data` has described; arrays are read-only views of `body`.

    Raises:
        ImportError: the datatype is BF16, and ml-dtypes is not installed.
    """
    if type(described) is int:
        spec = DATATYPES[datatype]
        array = np.ndarray(tuple(shape), spec.dtype, body, described)
        return TensorData(array)
    if described is None:
        return None
    parts = cast("list[Any]", described)
    if parts[0] == "t":
        _, found, offset, size, form = parts
        return TextData(_unpack_array(found, body), body[offset : offset + size], JsonForm(form))
    _, found, values = parts
    if values is None:
        return TensorData(_unpack_array(found, body))
    data = TensorData(_unpack_values(values, body))
    if found is not None:
        data.array = _unpack_array(found, body)
    return data


def _pack_array(array: NDArray[np.generic], place: Place, bundle: Bundle) -> list[object] | None:
    """Return the description of an array; ``None`` for one that has none.

    Raises:
        SrvError: of the place's kind: it has objects that are no elements of a tensor.
    """
    dtype = array.dtype
    if type(array) is not np.ndarray:
        return None
    if dtype.kind == "O":
        flat = array.ravel().tolist()
        packed = _pack_values(flat, bundle) or _pack_elements(all_as_bytes(flat, place), bundle)
        return None if packed is None else ["O", [*array.shape], packed]
    if dtype.name == _BFLOAT16:
        return [_BFLOAT16, [*array.shape], bundle.add_array(array)]
    if dtype.hasobject or dtype.kind not in "biufcSUmM":
        return None
    return [dtype.str, [*array.shape], bundle.add_array(array)]


def _unpack_array(described: list[Any], body: memoryview) -> NDArray[np.generic]:
    name, shape, *rest = described
    if name == "O":
        elements = _unpack_values(rest[0], body)
        array: NDArray[Any] = np.empty(len(elements), object)
        array[:] = elements
        return array.reshape(tuple(shape))
    dtype = DATATYPES[Datatype.BF16].dtype if name == _BFLOAT16 else np.dtype(name)
    found: NDArray[np.generic] = np.ndarray(tuple(shape), dtype, body, rest[0])
    return found


def _pack_elements(values: Sequence[object], bundle: Bundle) -> list[object] | None:
    """Return the description of texts, or of bytes; ``None`` if they are anything else, or of both kinds."""
    kinds = set(map(type, values))
    if kinds == {bytes}:
        joined = join_elements(cast("Sequence[bytes]", values), _HERE)
    elif kinds == {str}:
        joined = join_elements([each.encode("utf-8", "surrogatepass") for each in cast("Sequence[str]", values)], _HERE)
    else:
        return None
    return [kinds.pop().__name__, bundle.add_bytes(joined), len(joined), len(values)]


def _unpack_elements(described: Sequence[Any], body: memoryview) -> list[Any]:
    kind, offset, size, count = described
    elements: list[bytes] = split_elements(body[offset : offset + size], count, _HERE).tolist()
    return [each.decode("utf-8", "surrogatepass") for each in elements] if kind == "str" else elements


_NUMBERS: Final[Mapping[type, type[np.generic]]] = {float: np.float64, bool: np.bool_, int: np.int64}
"""Lists of one of these types go as arrays that hold their values exactly."""


def _pack_values(values: Sequence[object], bundle: Bundle) -> list[object] | None:
    """Return the description of Python values, flat or nested; ``None`` for what has none."""
    if not isinstance(values, (list, tuple)):
        return None
    kinds = set(map(type, values))
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind is not None and kind in _NUMBERS:
        try:
            numbers = np.array(values, _NUMBERS[kind])
        except OverflowError:  # an integer of more than 64 bits
            pass
        else:
            return [numbers.dtype.str, bundle.add_array(numbers), len(values)]
    if kind is str or kind is bytes:
        return _pack_elements(values, bundle)
    try:
        text = json.dumps(values, default=_as_json, separators=(",", ":")).encode("ascii")
    except (TypeError, ValueError, RecursionError):
        return None
    return ["json", bundle.add_bytes(text), len(text)]


def _unpack_values(described: list[Any], body: memoryview) -> list[object]:
    name = described[0]
    if name in {"str", "bytes"}:
        return _unpack_elements(described, body)
    if name == "json":
        _, offset, size = described
        found: list[object] = json.loads(str(body[offset : offset + size], "ascii"), object_hook=_from_json)
        return found
    _, offset, count = described
    numbers: list[object] = np.ndarray((count,), np.dtype(name), body, offset).tolist()
    return numbers


def _as_json(value: object) -> object:
    kind = type(value).__name__
    if isinstance(value, bytes):
        return {_BYTES_KEY: base64.b64encode(value).decode("ascii")}
    if isinstance(value, (np.generic, np.ndarray)):
        plain: object = cast("Any", value).tolist()
        if not isinstance(plain, np.generic):
            return plain
    message = f"no JSON form: {kind}"
    raise TypeError(message)


def _from_json(members: dict[str, Any]) -> object:
    return base64.b64decode(members[_BYTES_KEY]) if members.keys() == {_BYTES_KEY} else members

"""Tensors as runtimes see them: one ``data``, whatever form it had on the wire."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast, overload

import numpy as np

from srv_protocol._errors import InvalidInput, WireError
from srv_protocol._pydantic import Dumpable, PydanticMessage

if TYPE_CHECKING:
    from typing import Self, TypeAlias

    from numpy.typing import NDArray

    from srv_protocol._parameters import Parameters


class TensorData(Sequence[object], Dumpable):
    """The elements of a tensor: an array, or the Python values that somebody gave, or both.

    It reads as a sequence of Python values, as MLServer's type of the same name does. `root` may be nested to the
    tensor's shape; made from an array it is flat and in row-major order.

    Attributes:
        array: the array behind the data, not a copy; ``None`` while there are only Python values.
    """

    __slots__ = ("_values", "array")

    def __init__(self, root: TensorValues) -> None:
        self.array: NDArray[np.generic] | None = None
        self._values: Sequence[object] | None = None
        # Whether something is TensorData is a question of its abstract base class, and takes the longest.
        if type(root) is list:
            self._values = root
        elif isinstance(root, np.ndarray):
            self.array = root
        elif isinstance(root, TensorData):
            self.array, self._values = root.array, root.values
        elif isinstance(root, (str, bytes)):
            self._values = [root]
        else:
            self._values = root

    @property
    def values(self) -> Sequence[object] | None:
        """The Python values as given; ``None`` while there is only an array."""
        return self._values

    @property
    def root(self) -> list[object]:
        """The data as a list: as given, or the array's elements, copied, flat and in row-major order."""
        values = self.values
        if values is not None:
            return values if isinstance(values, list) else list(values)
        assert self.array is not None  # noqa: S101  # one of both is always there
        return list(np.ravel(self.array).tolist())  # flat for a matrix too, whose reshape is not

    def __array__(self, dtype: np.dtype[np.generic] | None = None, copy: bool | None = None) -> NDArray[np.generic]:  # noqa: FBT001  # numpy's protocol
        source: Any = self.array if self.array is not None else self._values
        array: NDArray[np.generic] = np.array(source, dtype=dtype, copy=copy)
        return array

    @overload
    def __getitem__(self, index: int) -> object: ...
    @overload
    def __getitem__(self, index: slice) -> list[object]: ...
    def __getitem__(self, index: int | slice) -> object:
        if self.array is None or self.values is not None:
            return self.root[index]
        found: Any = self.array.flat[index]
        # An array of objects gives the object itself.
        return found.tolist() if isinstance(found, (np.generic, np.ndarray)) else found  # pyright: ignore[reportUnknownVariableType]

    def __len__(self) -> int:
        values = self.values
        return len(values) if values is not None else _size(self.array)

    def __iter__(self) -> Iterator[object]:
        return iter(self.root)

    def _members(self, *, all_members: bool) -> object:  # noqa: ARG002  # a list has no others
        return self.root

    @classmethod
    def _from_document(cls, document: Any, place: str) -> Self:
        if not isinstance(document, (list, tuple, str, np.ndarray)):
            raise InvalidInput(f"{place}: expected an array, got {document!r:.80}")
        return cls(cast("TensorValues", document))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (TensorData, np.ndarray)):
            return self.root == TensorData(cast("TensorValues", other)).root
        return self.root == other

    __hash__ = None  # type: ignore[assignment]  # compares by value, and its values may change

    def __repr__(self) -> str:
        values = self.values
        return f"TensorData({values!r})" if values is not None else f"TensorData({self.array!r})"


if TYPE_CHECKING:
    TensorValues: TypeAlias = TensorData | Sequence[object] | NDArray[np.generic]
    """What can become a tensor's data."""


def _size(array: NDArray[np.generic] | None) -> int:
    return 0 if array is None else int(array.size)


class Tensor(PydanticMessage):
    """What the tensors of requests and responses have in common; the generated classes add the wire fields.

    `data` is not on the wire itself: a codec binds it to what came, and gives what goes out one of its wire forms.
    """

    name: str
    datatype: str
    shape: list[int]
    parameters: Parameters
    decoded: tuple[object, object] | None = None
    """The codec that the tensor's content type, or the model's metadata, has named, and the value that it gave."""
    _data: TensorData | None = None
    _bound = False

    @property
    def data(self) -> TensorData:
        """The elements.

        Raises:
            InvalidInput: nobody has given any: the message was parsed from protobuf and its contents were not
                bound yet, or the tensor lies in shared memory.
        """
        if self._data is None:
            raise InvalidInput(f"tensor '{self.name}': there is no data")
        return self._data

    @data.setter
    def data(self, values: TensorValues) -> None:
        # An array is asked for first, as in TensorData.
        self._data = TensorData(values) if type(values) is np.ndarray or not isinstance(values, TensorData) else values
        self._bound = False
        self.decoded = None

    @property
    def has_data(self) -> bool:
        """Whether `data` is there."""
        return self._data is not None

    def bind(self, data: TensorData) -> None:
        """Set `data` to what the wire fields hold; the tensor stays encodable as it is."""
        self._data = data
        self._bound = True
        self.decoded = None

    def check_encodable(self) -> None:
        """Refuse to drop data that has no wire form yet."""
        if self._data is not None and not self._bound:
            raise WireError(
                f"tensor '{self.name}': its data is a Python value; give it a wire form with srv_codecs before encoding"
            )

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other) and isinstance(other, Tensor) and self._data == other._data

    __hash__ = None  # type: ignore[assignment]  # compares by value, and is mutable

    def __repr__(self) -> str:
        text = super().__repr__()
        return text if self._data is None else f"{text[:-1]}, data={self._data!r})"

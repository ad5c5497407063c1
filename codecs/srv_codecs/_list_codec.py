"""The base of the codecs that present a BYTES tensor as a list."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final, TypeVar, cast

from srv_codecs._elements import bytes_elements
from srv_codecs._packed import Packed
from srv_codecs._tensor_codec import TensorCodec
from srv_codecs._tensor_form import TensorForm
from srv_protocol.datatypes import Datatype

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srv_codecs._place import Place
    from srv_protocol.inference import Tensor

E = TypeVar("E")
_BYTES: Final = frozenset({Datatype.BYTES.value})


class ListCodec(TensorCodec[list[E]]):
    """A BYTES tensor as a list of its elements in row-major order, whatever its shape; encoded as ``[N, 1]``.

    Attributes:
        element_types: the Python types of elements that can be encoded; one of them alone counts as a list.
    """

    takes = TensorForm(_BYTES, (-1,))
    gives = TensorForm(_BYTES, (-1, 1))
    element_types: ClassVar[tuple[type, ...]]

    @classmethod
    @abstractmethod
    def write(cls, element: E, index: int, place: Place) -> bytes:
        """Return an element as it is in the tensor; fail at `place`."""

    @classmethod
    @abstractmethod
    def read(cls, item: object, index: int, place: Place) -> E:
        """Return the element that an item of the tensor, ``bytes`` or ``str``, stands for; fail at `place`."""

    @classmethod
    def can_encode(cls, payload: object) -> bool:
        """Whether `payload` is a list of such elements."""
        if not isinstance(payload, list):
            return False
        kinds = set(map(type, cast("list[object]", payload)))
        return all(issubclass(kind, cls.element_types) for kind in kinds)

    @classmethod
    def pack(cls, payload: list[E], place: Place) -> Packed:
        """Return the elements, encoded, as a tensor without a name."""
        items = cls.write_all(cls._checked(payload, place), place)
        return Packed(Datatype.BYTES, [len(items), 1], items, cls.ContentType)

    @classmethod
    def unpack(cls, tensor: Tensor, place: Place) -> list[E]:
        """Return the elements as a new list."""
        return cls.read_all(bytes_elements(tensor, place), place)

    @classmethod
    def write_all(cls, elements: Sequence[E], place: Place) -> list[bytes]:
        """Return the elements as they are in the tensor; fail at `place` for one that is of another type."""
        items: list[bytes] = []
        for index, element in enumerate(elements):
            if not isinstance(element, cls.element_types):
                raise place.fail(f"data[{index}]", f"expected {cls._kinds()}, got {type(element).__name__}")
            items.append(cls.write(element, index, place))
        return items

    @classmethod
    def read_all(cls, items: Sequence[object], place: Place) -> list[E]:
        """Return a new list of what the items of the tensor stand for; fail at `place`."""
        read = cls.read
        return [read(item, index, place) for index, item in enumerate(items)]

    @classmethod
    def _checked(cls, payload: object, place: Place) -> list[E] | tuple[E, ...]:
        if isinstance(payload, cls.element_types):
            return (payload,)  # type: ignore[return-value]  # an E, as the check before says
        if isinstance(payload, (list, tuple)):
            return payload  # pyright: ignore[reportUnknownVariableType]  # its elements are checked next
        raise place.fail("", f"expected a list of {cls._kinds()}, got {type(payload).__name__}")

    @classmethod
    def _kinds(cls) -> str:
        return " or ".join(kind.__name__ for kind in cls.element_types)

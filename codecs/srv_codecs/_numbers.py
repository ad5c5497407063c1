"""Tensors as lists of Python's own numbers: for type hints alone, no content type leads here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, cast

import numpy as np

from srv_codecs._arrays import from_values, tensor_array
from srv_codecs._packed import Packed
from srv_codecs._tensor_codec import TensorCodec
from srv_codecs._tensor_form import TensorForm
from srv_protocol.datatypes import DATATYPES, Datatype, JsonForm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srv_codecs._place import Place
    from srv_protocol.inference import Tensor

N = TypeVar("N", bound=int | float)


def _datatypes(*forms: JsonForm) -> frozenset[str]:
    return frozenset(row.name.value for row in DATATYPES.values() if row.json in forms)


INTEGERS: Final = _datatypes(JsonForm.INTEGER)
FLOATS: Final = _datatypes(JsonForm.NUMBER, JsonForm.NONE)
BOOLEANS: Final = _datatypes(JsonForm.BOOLEAN)
_LARGEST: Final = 1 << 1023


class NumbersCodec(TensorCodec[list[N]]):
    """A tensor of numbers as a list of its elements in row-major order, whatever its shape; encoded as ``[N, 1]``.

    Both ways the elements are copied. Scalars of numpy's are elements, too; nothing is rounded or wrapped round.

    Attributes:
        noun: what errors call an element.
        datatype: what a list is encoded as.
        element_types: the types of elements that can be encoded.
        refused: those of their subclasses that cannot.
    """

    noun: ClassVar[str]
    datatype: ClassVar[Datatype]
    element_types: ClassVar[tuple[type, ...]]
    refused: ClassVar[tuple[type, ...]] = ()

    @classmethod
    def can_encode(cls, payload: object) -> bool:
        """Whether `payload` is a list of such elements."""
        return isinstance(payload, list) and not cls._wrong(cast("list[object]", payload))

    @classmethod
    def pack(cls, payload: list[N], place: Place) -> Packed:
        """Return the elements as a tensor without a name; fail at `place` for one that the datatype cannot hold."""
        items = cast("Sequence[object]", payload)
        if not isinstance(items, (list, tuple)):
            raise place.fail("", f"expected a list of {cls.noun}, got {type(items).__name__}")
        wrong = cls._wrong(items)
        if wrong:
            index, item = next((index, item) for index, item in enumerate(items) if type(item) in wrong)
            raise place.fail(f"data[{index}]", f"expected {cls.noun}, got {type(item).__name__}")
        cls._check(items, place)
        count = len(items)
        array = from_values(items, DATATYPES[cls.datatype], [count], count, place)
        return Packed(cls.datatype, [count, 1], array, None)

    @classmethod
    def unpack(cls, tensor: Tensor, place: Place) -> list[N]:
        """Return the elements as a new list."""
        if tensor.datatype not in (cls.takes.datatypes or ()):
            raise place.fail("", f"expected {cls.noun} values, got {tensor.datatype}")
        array = tensor_array(tensor, place).reshape(-1)
        if tensor.datatype == Datatype.BF16:
            # Its elements would stay scalars of ml-dtypes'.
            array = array.astype(np.float32)
        return cast("list[N]", array.tolist())

    @classmethod
    def _wrong(cls, items: Sequence[object]) -> set[type]:
        # Asked of the set of types, not of each element: lists are long, and of one type.
        return {
            kind
            for kind in set(map(type, items))
            if not issubclass(kind, cls.element_types) or issubclass(kind, cls.refused)
        }

    @classmethod
    def _check(cls, items: Sequence[object], place: Place) -> None:
        """Fail at `place` for an element that conversion would change."""


class IntegersCodec(NumbersCodec[int]):
    """Any integer datatype as ``list[int]``; encoded as INT64."""

    noun = "int"
    datatype = Datatype.INT64
    takes = TensorForm(INTEGERS, (-1,))
    gives = TensorForm(frozenset({Datatype.INT64.value}), (-1, 1))
    element_types = (int, np.integer)
    # bool is an int to Python, and a duration an integer to numpy.
    refused = (bool, np.timedelta64)


class FloatsCodec(NumbersCodec[float]):
    """Any float datatype as ``list[float]``; encoded as FP64. An integer can be encoded that is exactly a float."""

    noun = "float"
    datatype = Datatype.FP64
    takes = TensorForm(FLOATS, (-1,))
    gives = TensorForm(frozenset({Datatype.FP64.value}), (-1, 1))
    element_types = (float, np.float16, np.float32, int, np.integer)
    refused = (bool, np.timedelta64)

    @classmethod
    def _check(cls, items: Sequence[object], place: Place) -> None:
        if all(issubclass(kind, float) for kind in set(map(type, items))):
            return
        for index, item in enumerate(items):
            number: object = cast("Any", item).item() if isinstance(item, np.integer) else item
            # Beyond the range of float64 there is an error anyway.
            if isinstance(number, int) and abs(number) < _LARGEST and float(number) != number:
                raise place.fail(
                    f"data[{index}]", f"expected {cls.noun}, got {number}, which float64 cannot hold exactly"
                )


class BooleansCodec(NumbersCodec[bool]):
    """BOOL as ``list[bool]``."""

    noun = "bool"
    datatype = Datatype.BOOL
    takes = TensorForm(BOOLEANS, (-1,))
    gives = TensorForm(BOOLEANS, (-1, 1))
    element_types = (bool, np.bool_)

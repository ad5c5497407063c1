"""Tensors of one element as that element: for type hints alone, no content type leads here."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from srv_codecs._base64 import Base64Codec
from srv_codecs._datetime import DatetimeCodec
from srv_codecs._numbers import BooleansCodec, FloatsCodec, IntegersCodec
from srv_codecs._numpy import NumpyCodec
from srv_codecs._string import StringCodec
from srv_codecs._tensor_codec import TensorCodec
from srv_codecs._tensor_form import TensorForm

if TYPE_CHECKING:
    from srv_codecs._packed import Packed
    from srv_codecs._place import Place
    from srv_protocol.inference import Tensor

E = TypeVar("E")


def _check_one(tensor: Tensor, place: Place) -> None:
    count = math.prod(tensor.shape)
    if count != 1:
        raise place.fail("", f"expected one element, got {count}, of shape {list(tensor.shape)}")


class ElementCodec(TensorCodec[E]):
    """A tensor of exactly one element, whatever its shape, as what the codec of a list makes of it; encoded as ``[1]``.

    Attributes:
        noun: what errors call the element.
        items: the codec of the list.
    """

    noun: ClassVar[str]
    # Any: a class attribute cannot be of the class's own type variable.
    items: ClassVar[type[TensorCodec[Any]]]

    def __init_subclass__(cls) -> None:
        """Take over what the codec of the list says."""
        cls.ContentType = cls.items.ContentType
        cls.takes = TensorForm(cls.items.takes.datatypes, (1,))
        cls.gives = TensorForm(cls.items.gives.datatypes, (1,))

    @classmethod
    def can_encode(cls, payload: object) -> bool:
        """Whether `payload` is such an element."""
        return cls.items.can_encode([payload])

    @classmethod
    def pack(cls, payload: E, place: Place) -> Packed:
        """Return the element as a tensor without a name."""
        if not cls.can_encode(payload):
            raise place.fail("", f"expected {cls.noun}, got {type(payload).__name__}")
        return cls.items.pack([payload], place)._replace(shape=[1])

    @classmethod
    def unpack(cls, tensor: Tensor, place: Place) -> E:
        """Return the element."""
        _check_one(tensor, place)
        element: E = cls.items.unpack(tensor, place)[0]
        return element


class IntegerCodec(ElementCodec[int]):
    """One integer; see :class:`IntegersCodec`."""

    noun = "int"
    items = IntegersCodec


class FloatCodec(ElementCodec[float]):
    """One float; see :class:`FloatsCodec`."""

    noun = "float"
    items = FloatsCodec


class BooleanCodec(ElementCodec[bool]):
    """One boolean; see :class:`BooleansCodec`."""

    noun = "bool"
    items = BooleansCodec


class TextCodec(ElementCodec[str]):
    """One text; see :class:`StringCodec`."""

    noun = "str"
    items = StringCodec


class BinaryCodec(ElementCodec[bytes]):
    """One text of base64 as the bytes that it stands for; see :class:`Base64Codec`."""

    noun = "bytes"
    items = Base64Codec


class TimeCodec(ElementCodec[datetime]):
    """One point in time; see :class:`DatetimeCodec`."""

    noun = "datetime"
    items = DatetimeCodec


class NumpyElementCodec(TensorCodec[np.generic]):
    """A tensor of exactly one number, whatever its shape, as a scalar of numpy's; encoded as ``[1]``."""

    ContentType = NumpyCodec.ContentType
    takes = TensorForm(shape=(1,))
    gives = TensorForm(shape=(1,))

    @classmethod
    def can_encode(cls, payload: object) -> bool:
        """Whether `payload` is a number or boolean of numpy's."""
        return isinstance(payload, (np.number, np.bool_))

    @classmethod
    def pack(cls, payload: np.generic, place: Place) -> Packed:
        """Return the scalar as a tensor without a name."""
        if not cls.can_encode(payload):
            raise place.fail("", f"expected a scalar of numpy's, got {type(payload).__name__}")
        return NumpyCodec.pack(np.asarray(payload), place)

    @classmethod
    def unpack(cls, tensor: Tensor, place: Place) -> np.generic:
        """Return the scalar."""
        _check_one(tensor, place)
        element: np.generic = NumpyCodec.unpack(tensor, place).reshape(-1)[0]
        return element

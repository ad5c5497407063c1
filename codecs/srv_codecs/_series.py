"""One tensor as a pandas Series: for type hints alone, no content type leads here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from srv_codecs._columns import check_column
from srv_codecs._pandas import pack_column, unpack_column
from srv_codecs._tensor_codec import TensorCodec
from srv_codecs._tensor_form import TensorForm

if TYPE_CHECKING:
    from srv_codecs._packed import Packed
    from srv_codecs._place import Place
    from srv_protocol.inference import Tensor


class SeriesCodec(TensorCodec["pd.Series[Any]"]):
    """One tensor of shape ``[N]`` or ``[N, 1]`` as a Series of its name; see :class:`PandasCodec` for the elements."""

    TypeHint = pd.Series
    takes = TensorForm(shape=(-1,))
    gives = TensorForm(shape=(-1, 1))

    @classmethod
    def can_encode(cls, payload: object) -> bool:
        """Whether `payload` is a Series."""
        return isinstance(payload, pd.Series)

    @classmethod
    def pack(cls, payload: pd.Series[Any], place: Place) -> Packed:
        """Return the Series as a tensor without a name; its index is left out."""
        if not cls.can_encode(payload):
            raise place.fail("", f"expected a pandas Series, got {type(payload).__name__}")
        return pack_column(payload, place)

    @classmethod
    def unpack(cls, tensor: Tensor, place: Place) -> pd.Series[Any]:
        """Return the Series, a copy."""
        check_column(tensor, place)
        return unpack_column(tensor, place).copy().rename(tensor.name)

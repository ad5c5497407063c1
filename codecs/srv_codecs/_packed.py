"""What a value becomes on its way into a tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from srv_codecs._byte_strings import all_as_text
from srv_protocol.datatypes import Datatype
from srv_protocol.inference import InferInputTensor, InferOutputTensor, Parameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from srv_codecs._place import Place


class Packed(NamedTuple):
    """A tensor without a name.

    Attributes:
        shape: of the tensor; `data` may have another shape of the same size.
        data: an array that is not copied, or the elements in row-major order.
    """

    datatype: Datatype
    shape: list[int]
    data: NDArray[np.generic] | Sequence[object]
    content_type: str | None

    def as_text(self, place: Place) -> Packed:
        """Return a BYTES tensor with ``str`` for data, which any JSON encoder takes, copied; any other as it is.

        Fails at `place` for bytes that are not UTF-8.
        """
        if self.datatype != Datatype.BYTES:
            return self
        items = np.ravel(self.data).tolist() if isinstance(self.data, np.ndarray) else self.data
        return self._replace(data=all_as_text(items, place))

    def as_output(self, name: str) -> InferOutputTensor:
        """Return the tensor of a response; it shares the data."""
        return InferOutputTensor(name, self.datatype, self.shape, self._parameters(), data=self.data)

    def as_input(self, name: str) -> InferInputTensor:
        """Return the tensor of a request; it shares the data."""
        return InferInputTensor(name, self.datatype, self.shape, self._parameters(), data=self.data)

    def _parameters(self) -> Parameters:
        return Parameters() if self.content_type is None else Parameters.of_content_type(self.content_type)


def batch_shape(shape: Sequence[int]) -> list[int]:
    """Return an array's shape as a tensor's: one dimension becomes a column, and none a single element."""
    match shape:
        case []:
            return [1]
        case [size]:
            return [size, 1]
        case _:
            return list(shape)

"""One string whose length stands for the shape: a form that MLServer's documentation sends, and its models answer.

``"shape": [57], "datatype": "BYTES", "data": ["…57 characters…"]`` is one element, of which 57 counts the characters or
the bytes. Exactly this form is understood; any other number of elements than the shape says is an error.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from srv_protocol.datatypes import Datatype
from srv_protocol.inference import InferOutputTensor

if TYPE_CHECKING:
    from collections.abc import Sequence


def is_single_string(values: Sequence[object], count: int) -> bool:
    """Whether the data is one string whose length, in characters or bytes, is the number of elements claimed.

    One element is what one string is anyway.
    """
    if len(values) != 1 or count < 2:
        return False
    value = values[0]
    if isinstance(value, str):
        return count in {len(value), len(value.encode(errors="surrogatepass"))}
    return isinstance(value, bytes) and count == len(value)


def as_single_string(output: InferOutputTensor) -> InferOutputTensor:
    """Return an output of that form with the shape ``[1]``, which shares its data; any other output as it is."""
    if output.datatype != Datatype.BYTES or not output.has_data:
        return output
    values = output.data.values
    count = math.prod(output.shape)
    if count == 1 or not isinstance(values, list) or not is_single_string(values, count):
        return output
    return InferOutputTensor(output.name, output.datatype, [1], output.parameters, data=output.data)

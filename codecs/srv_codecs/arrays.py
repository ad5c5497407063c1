"""The checked array of any tensor, and the place that an error there names."""

from __future__ import annotations

from srv_codecs._arrays import tensor_array
from srv_codecs._place import Place, input_place, output_place

__all__ = ["Place", "input_place", "output_place", "tensor_array"]

"""The checked array of any tensor, and the place that an error there names."""

from __future__ import annotations

from srv_codecs._arrays import tensor_array
from srv_codecs._place import Place, input_place, output_place
from srv_codecs._single_string import as_single_string

__all__ = ["Place", "as_single_string", "input_place", "output_place", "tensor_array"]

"""Content types ``arrow`` and ``arrow-table``: tensors as Apache Arrow arrays, record batches and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from srv_codecs._arrays import tensor_array
from srv_codecs._columns import check_columns, column_length
from srv_codecs._elements import bytes_array, text_of
from srv_codecs._packed import Packed
from srv_codecs._table_codec import TableCodec
from srv_codecs._tensor_codec import TensorCodec
from srv_protocol.datatypes import Datatype, datatype_of

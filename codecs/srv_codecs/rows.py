"""The rows of several requests in one tensor, and of one output in the responses to each."""

from __future__ import annotations

from srv_codecs._rows import JoinedData, RowKey, join_rows, parameters_key, row_key, split_rows

__all__ = ["JoinedData", "RowKey", "join_rows", "parameters_key", "row_key", "split_rows"]

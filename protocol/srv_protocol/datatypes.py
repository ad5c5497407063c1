"""The table of V2 tensor datatypes."""

from __future__ import annotations

from srv_protocol._datatypes import DATATYPES, Datatype, DatatypeSpec, JsonForm, datatype_of

__all__ = ["DATATYPES", "Datatype", "DatatypeSpec", "JsonForm", "datatype_of"]

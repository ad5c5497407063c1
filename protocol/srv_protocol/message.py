"""The base class of all messages, and the pieces that one is written in."""

from __future__ import annotations

from srv_protocol._encoding import Part
from srv_protocol._message import Message

__all__ = ["Message", "Part"]

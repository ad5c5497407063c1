"""The top classes of an output."""

from __future__ import annotations

from srv_codecs._classification import classify
from srv_codecs._forms import take_classification

__all__ = ["classify", "take_classification"]

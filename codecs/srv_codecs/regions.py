"""What codecs ask of shared memory; they map none themselves."""

from __future__ import annotations

from srv_codecs._regions import Regions, Span

__all__ = ["Regions", "Span"]

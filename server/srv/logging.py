"""The logger of models' code: its lines carry the model's name and version, as those of any logger there do."""

from __future__ import annotations

import logging
from typing import Final

logger: Final = logging.getLogger("srv.model")

__all__ = ["logger"]

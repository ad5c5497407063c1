"""``custom_handler``: methods of a model that REST serves beside inference."""

from __future__ import annotations

from srv.runtimes._handlers import custom_handler

__all__ = ["custom_handler"]

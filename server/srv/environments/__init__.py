"""Environments of a model's own: from a folder or a tarball to a Python that runs."""

from __future__ import annotations

from srv.environments._environment import Environment
from srv.environments._environments import Environments, Lease

__all__ = ["Environment", "Environments", "Lease"]

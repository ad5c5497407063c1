"""Where models come from: subclass ``ModelRepository`` for a place of your own."""

from __future__ import annotations

from srv.controlplane._repository import FolderRepository, ModelRepository

SchemalessModelRepository = FolderRepository
"""MLServer's name."""

__all__ = ["FolderRepository", "ModelRepository", "SchemalessModelRepository"]

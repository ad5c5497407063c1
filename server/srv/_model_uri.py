"""Where a model's artefacts are."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from srv_protocol.errors import InvalidModelURI

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srv._model_settings import ModelSettings


async def get_model_uri(settings: ModelSettings, wellknown_filenames: Sequence[str] = ()) -> str:
    """Return the path of a model's artefact, or the URI of one that is elsewhere.

    That is ``parameters.uri``: a file itself; of a folder the first of `wellknown_filenames` that it holds, else the
    folder. Without a URI it is the model's folder. A URI of another scheme than ``file`` is returned as it is.

    Raises:
        InvalidModelURI: there is nothing at the path, or neither a URI nor a folder.
    """
    uri = settings.parameters.uri or (None if settings.folder is None else str(settings.folder))
    if not uri:
        raise InvalidModelURI(f"model '{settings.name}': parameters.uri: expected a path or URI, got nothing")
    parts = urlsplit(uri) if "://" in uri else None
    if parts is not None and parts.scheme != "file":
        return uri
    path = Path(uri if parts is None else unquote(parts.path))
    found = await asyncio.to_thread(_find, path, wellknown_filenames)
    if found is None:
        raise InvalidModelURI(f"model '{settings.name}': parameters.uri: expected a file or folder, got {uri!r}")
    return str(found)


def _find(path: Path, names: Sequence[str]) -> Path | None:
    if path.is_dir():
        return next((path / name for name in names if (path / name).is_file()), path)
    return path if path.exists() else None

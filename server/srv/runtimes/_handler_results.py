"""What custom handlers return, as JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import numpy as np

from srv._error_text import error_text
from srv_protocol.errors import InferenceError
from srv_protocol.json_text import to_builtins, write_json

if TYPE_CHECKING:
    from collections.abc import Iterable


def encode_json(value: object, place: str, *, nonfinite_as_null: bool) -> bytes:
    """Return a value as JSON: whatever ``write_json`` takes, numpy's scalars and arrays, and pydantic's models.

    Raises:
        InferenceError: it has no JSON form, or holds a NaN or an infinity that may not become ``null``.
    """
    try:
        found = write_json(value, _encode)
        # Which have become null; looked for only where there is one.
        if not nonfinite_as_null and b"null" in found and _has_nonfinite(to_builtins(value, _encode)):
            raise InferenceError(
                f"{place}: NaN and infinities have no JSON form; return them in another, or set json_nonfinite to null"
            )
    except (TypeError, ValueError, RecursionError) as error:
        raise InferenceError(f"{place}: the result has no JSON form: {error_text(error)}") from error
    return found


def _encode(value: object) -> object:
    if isinstance(value, (np.ndarray, np.generic)):
        return cast("object", value.tolist())
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dump(mode="json")
    message = f"expected what JSON can carry, got {type(value).__name__}"
    raise TypeError(message)


def _has_nonfinite(value: object) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(map(_has_nonfinite, cast("dict[object, object]", value).values()))
    return isinstance(value, (list, tuple, set, frozenset)) and any(
        map(_has_nonfinite, cast("Iterable[object]", value))
    )

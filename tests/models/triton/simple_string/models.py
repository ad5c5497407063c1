from __future__ import annotations

from typing import Annotated

import numpy as np

from srv import MLModel, Output, decode_args
from srv.errors import InvalidInput


class SimpleString(MLModel):
    """Triton's ``simple_string``: adds and subtracts numbers that are text."""

    @decode_args
    def predict(
        self,
        INPUT0: np.ndarray,  # noqa: N803  # Triton's names
        INPUT1: np.ndarray,  # noqa: N803
    ) -> tuple[Annotated[np.ndarray, Output("OUTPUT0")], Annotated[np.ndarray, Output("OUTPUT1")]]:
        """Return the sum and the difference, as text."""
        one, other = _numbers(INPUT0), _numbers(INPUT1)
        return _text(one + other), _text(one - other)


def _numbers(array: np.ndarray) -> np.ndarray:
    try:
        return array.astype(np.int64)
    except ValueError as error:
        raise InvalidInput(f"expected numbers: {error}") from None


def _text(array: np.ndarray) -> np.ndarray:
    return np.array([str(item).encode() for item in array.ravel()], object).reshape(array.shape)

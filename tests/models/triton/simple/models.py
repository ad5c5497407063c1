from __future__ import annotations

from typing import Annotated

import numpy as np  # noqa: TC002  # decode_args reads the hints
from numpy.typing import NDArray  # noqa: TC002

from srv import MLModel, Output, decode_args


class Simple(MLModel):
    """Triton's ``simple``: adds and subtracts."""

    @decode_args
    async def predict(
        self,
        INPUT0: NDArray[np.int32],  # noqa: N803  # Triton's names
        INPUT1: NDArray[np.int32],  # noqa: N803
    ) -> tuple[Annotated[np.ndarray, Output("OUTPUT0")], Annotated[np.ndarray, Output("OUTPUT1")]]:
        """Return the sum and the difference."""
        return INPUT0 + INPUT1, INPUT0 - INPUT1

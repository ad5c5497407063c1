from __future__ import annotations

import numpy as np

from srv import MLModel
from srv.errors import InferenceError
from srv.types import InferenceRequest, InferenceResponse, ResponseOutput


class Memory(MLModel):
    """An identity that says what memory its input lies in."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return the first input, and how much larger than its data the buffer is that it is a view of."""
        tensor = payload.inputs[0]
        array = tensor.data.array
        if array is None:
            raise InferenceError("the input has no array")
        owner: object = array
        while (below := owner.base if isinstance(owner, np.ndarray) else getattr(owner, "obj", None)) is not None:
            owner = below
        size = memoryview(owner).nbytes  # type: ignore[arg-type]  # whatever it is, it has the buffer
        outputs = [ResponseOutput(tensor.name, tensor.datatype, tensor.shape, data=tensor.data)]
        parameters = {"beyond": size - array.nbytes, "writeable": bool(array.flags.writeable)}
        return InferenceResponse(outputs=outputs, parameters=parameters)
